import { expect, it } from '@jest/globals';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { generateKeyPair } from '../support/csr.ts';
import { privatePem } from '../support/device.ts';
import { startTestGateway } from '../support/gateway.ts';

const day = 24 * 3_600_000;

/** What a gateway says at its start of a server certificate that ends so many days from now. */
async function warningsAbout(days: number): Promise<readonly unknown[]> {
  const key = await generateKeyPair('P-256');
  const notAfter = new Date(Date.now() + days * day).toISOString().replace(/[-:T]|\.\d+/g, '');
  const certificate = certificateToPem(await certificateDer({ key, subject: named('localhost'), notAfter }));
  const gateway = await startTestGateway({
    files: { 'server.pem': certificate, 'server.key': privatePem(key.privateKey) },
  });
  await gateway.stop();
  return gateway.log.entries.filter(({ level }) => level === 'warn').map(({ message }) => message);
}

it('warns at the start of a server certificate that expires soon', async () => {
  expect(await warningsAbout(31)).toEqual([]);
  const warning = ['The TLS server certificate expires within 30 days; renew it.'];
  expect(await warningsAbout(29)).toEqual(warning);
  expect(await warningsAbout(-1)).toEqual(['The TLS server certificate has expired; renew it.']);
});

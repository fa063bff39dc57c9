import { describe, expect, it } from '@jest/globals';
import type { Backends } from '../../src/server/drivers.ts';
import { warnOfClientCertificates } from '../../src/server/examination.ts';
import { certificateDer } from '../support/certificate.ts';
import { recordLog } from '../support/log.ts';

/** What is warned of for a backend with this client certificate. */
async function warnings(clientCertificate: object, notAfter: string): Promise<readonly string[]> {
  const log = recordLog();
  const opened = { clientCertificates: [await certificateDer({ notAfter })] };
  const backends = new Map([['ca', { driver: 'ejbca', opened }]]) as unknown as Backends;
  const configuration = { backends: { ca: { driver: 'ejbca', clientCertificate } } };
  warnOfClientCertificates(configuration, backends, log);
  return log.entries.map(({ message }) => message);
}

describe('a client certificate in a PKCS#12 file', () => {
  it('that has expired is warned of', async () => {
    expect(await warnings({ pkcs12: '/gateway.p12' }, '20210101000000Z')).toEqual([
      expect.stringMatching(/^backends\.ca\.clientCertificate\.pkcs12: the certificate .* has expired/),
    ]);
  });

  it('that is in force is not', async () => {
    expect(await warnings({ pkcs12: '/gateway.p12' }, '20991231235959Z')).toEqual([]);
  });

  it('is not said twice where it stands in a PEM file', async () => {
    expect(await warnings({ certificate: '/gateway.pem' }, '20210101000000Z')).toEqual([]);
  });
});

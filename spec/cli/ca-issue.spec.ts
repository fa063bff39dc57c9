import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr, privatePem } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { output, run } from './command-line.ts';

describe('est-gateway ca issue, beside a running gateway', () => {
  let gateway: TestGateway;
  let config: readonly string[];
  let key: string;

  beforeAll(async () => {
    const names = { commonName: ['*.plant-1.example'] };
    gateway = await startTestGateway({
      aliases: {
        plant: {
          policy: { names: 'identity' },
          registrationAuthorities: { 'plant-1': { commonName: 'RA 1', names } },
        },
      },
    });
    config = ['--config', gateway.configurationFile];
    const { privateKey, publicKey } = await generateKeyPair('P-256');
    key = privatePem(privateKey);
    const csr = await plainCsr('RA 1', { privateKey, publicKey });
    await writeFile(join(gateway.directory, 'ra.csr'), csr);
  });

  afterAll(async () => {
    await gateway.stop();
  });

  async function issue(...words: readonly string[]): Promise<string> {
    return await output(['ca', 'issue', '--csr', join(gateway.directory, 'ra.csr'), ...words, ...config]);
  }

  it('Z-02 makes a registration authority, which enrols for others at once', async () => {
    const cert = await issue('--role', 'registration-authority', '--days', '30');
    const text = await openssl('x509 -in ra.pem -noout -text', { 'ra.pem': cert });
    expect(text).toMatch(
      /Extended Key Usage: *\n *TLS Web Client Authentication, CMC Registration Authority/,
    );
    expect(text).toMatch(/Key Usage: critical\n *Digital Signature\n/);
    await openssl('verify -CAfile root.pem -untrusted chain.pem ra.pem', {
      'root.pem': gateway.trustAnchor,
      'chain.pem': cert,
      'ra.pem': cert,
    });
    const answer = await send(`${gateway.url}/plant/simpleenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(await plainCsr('sensor.plant-1.example', await generateKeyPair('P-256'))),
    });
    expect(answer.status).toBe(200);
    expect(await output(['ca', 'list', ...config])).toMatch(/good +CN=RA 1\n/);
  });

  it('makes a signer of CMC answers, which fullcmc starts with, and which is no client', async () => {
    const cert = await issue('--role', 'cmc-signer');
    const text = await openssl('x509 -in signer.pem -noout -text', { 'signer.pem': cert });
    expect(text).toMatch(/Extended Key Usage: *\n *CMC Certificate Authority\n/);
    expect(text).toMatch(/Key Usage: critical\n *Digital Signature\n/);
    const file = join(gateway.directory, 'with-fullcmc.yaml');
    const [signerFile, keyFile] = [join(gateway.directory, 'cmc.pem'), join(gateway.directory, 'cmc.key')];
    await writeFile(signerFile, cert);
    await writeFile(keyFile, key, { mode: 0o600 });
    const running = await readFile(gateway.configurationFile, 'utf8');
    const fullCmc = `fullCmc: { signer: { certificate: ${signerFile}, privateKey: 'file:${keyFile}' } }`;
    await writeFile(file, running.replace(/^  plant:\n/m, `  plant:\n    ${fullCmc}\n`));
    expect(await run(['check', '--config', file])).toMatchObject({ code: 0 });
  });

  it('says what it wants', async () => {
    const csr = join(gateway.directory, 'ra.csr');
    const wrong = await run(['ca', 'issue', '--csr', csr, '--role', 'admin', ...config]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('registration-authority, cmc-signer, tls-server'),
    });
    const noCsr = await run([
      'ca',
      'issue',
      '--csr',
      join(gateway.directory, 'root.pem'),
      '--role',
      'cmc-signer',
      ...config,
    ]);
    expect(noCsr).toMatchObject({ code: 1, stdout: '' });
    expect(noCsr.stderr).toMatch(/^\S+root\.pem is no CSR that can be accepted \(400\): [^\n]*\.\n$/);
  });
});

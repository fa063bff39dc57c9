import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

/** What docs/serverkeygen.md shows as code, in its order. */
async function examples(): Promise<readonly string[]> {
  const text = await readFile('docs/serverkeygen.md', 'utf8');
  const blocks = text.match(/(?:^ {4}.*\n|^\n(?= {4}))+/gm) ?? [];
  return blocks.map((block) => block.replace(/^ {4}/gm, '').trim());
}

describeWith('curl', 'the examples of docs/serverkeygen.md', () => {
  let gateway: TestGateway;
  let place: Workplace;
  let inClear: string;
  let encrypted: string;

  beforeAll(async () => {
    const [configuration = '', clear = '', makeSigner = '', decrypt = ''] = await examples();
    place = await openWorkplace();
    await place.bash(makeSigner);
    const names = ['keygen/signer.pem', 'keygen/signer.key', 'keygen/shared-keys'];
    const files = names.map(
      async (name) => [name, await readFile(join(place.directory, name), 'utf8')] as const,
    );
    const { aliases } = parse(configuration) as { aliases: { est: object } };
    gateway = await startTestGateway({ aliases, files: Object.fromEntries(await Promise.all(files)) });
    await mkdir(join(place.directory, 'data'));
    await writeFile(join(place.directory, 'data/trust-anchor.pem'), gateway.trustAnchor);
    [inClear = '', encrypted = ''] = [clear, decrypt].map((example) =>
      example
        .replaceAll('device:CODE', `${user.name}:${user.code}`)
        .replaceAll('https://localhost:8443/.well-known/est', gateway.url),
    );
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), place.remove()]);
  });

  async function expectKeyOfCertificate(): Promise<void> {
    const [key = '', certificate = ''] = await Promise.all(
      ['device.key', 'device.pem'].map((name) => readFile(join(place.directory, name), 'utf8')),
    );
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
  }

  it('K-09 K-10 take a key and its certificate out of the answer', async () => {
    expect(await place.bash(inClear)).toBe('');
    await expectKeyOfCertificate();
    await expect(readFile(join(place.directory, 'answer.mime'), 'utf8')).resolves.toContain(
      'application/pkcs8',
    );
  });

  it('K-15 K-16 make a CSR without any key, and decrypt and verify the answer', async () => {
    const part = inClear.slice(inClear.indexOf('part() {'), inClear.indexOf('part 1'));
    expect(await place.bash(`rm device.key device.pem\n${part}\n${encrypted} 2>&1`)).toBe('');
    await expectKeyOfCertificate();
    await expect(readFile(join(place.directory, 'answer.mime'), 'utf8')).resolves.toContain(
      'server-generated-key',
    );
  });
});

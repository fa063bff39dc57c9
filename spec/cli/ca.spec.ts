import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send } from '../support/client.ts';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { newKey, opensslCertificate, pkcs8 } from '../ca/local/openssl-ca.ts';
import { output, run, temporaryFolder } from './command-line.ts';

const basic = `Basic ${Buffer.from(`${user.name}:${user.code}`).toString('base64')}`;

describe('est-gateway ca, beside a running gateway', () => {
  let gateway: TestGateway;
  let config: readonly string[];
  let device: { readonly key: string; readonly csr: string; readonly cert: string };
  let serialNumber: string;

  beforeAll(async () => {
    gateway = await startTestGateway({ aliases: { other: {} } });
    config = ['--config', gateway.configurationFile];
    const key = pkcs8(newKey.p256());
    const csr = await openssl('req -new -key device.key -subj /CN=device-1', { 'device.key': key });
    const { status, body } = await send(`${gateway.url}/simpleenroll`, {
      method: 'POST',
      ca: gateway.trustAnchor,
      headers: { 'Content-Type': 'application/pkcs10', Authorization: basic, Accept: '*/*' },
      body: csr,
    });
    if (status !== 200) throw new Error(body);
    const p7 = Buffer.from(body, 'base64');
    const printed = await openssl('pkcs7 -inform DER -in p7 -print_certs', { p7 });
    const cert = /-----BEGIN.*END CERTIFICATE-----\n/s.exec(printed)?.[0] ?? '';
    device = { key, csr, cert };
    serialNumber = new X509Certificate(cert).serialNumber;
  });

  afterAll(async () => {
    await gateway.stop();
  });

  async function renew(): Promise<number> {
    const { status } = await send(`${gateway.url}/simplereenroll`, {
      method: 'POST',
      ca: gateway.trustAnchor,
      key: device.key,
      cert: device.cert,
      headers: { 'Content-Type': 'application/pkcs10' },
      body: device.csr,
    });
    return status;
  }

  it('lists what was issued, as a table and as JSON', async () => {
    expect(await output(['ca', 'list', ...config])).toMatch(
      new RegExp(
        `^SERIAL NUMBER +NOT AFTER +STATE +SUBJECT\n${serialNumber} +\\S+Z +good +CN=device-1\n$`,
        'i',
      ),
    );
    expect(JSON.parse(await output(['ca', 'list', '--json', ...config]))).toMatchObject([
      { serialNumber: serialNumber.toLowerCase(), subject: 'CN=device-1', revocation: null },
    ]);
  });

  it('prints a CRL as PEM, or writes DER, or PEM for a name in .pem', async () => {
    const printed = await output(['ca', 'crl', ...config]);
    const files = { crl: printed, 'root.pem': gateway.trustAnchor, 'ca.pem': gateway.issuingCertificate };
    expect(await openssl('crl -in crl -noout -CAfile ca.pem', files)).toContain('verify OK');
    const der = join(gateway.directory, 'local.crl');
    expect(await output(['ca', 'crl', '--out', der, ...config])).toBe('');
    const text = await openssl('crl -inform DER -in crl -noout -issuer', { crl: await readFile(der) });
    expect(text).toBe('issuer=CN = Test Issuing CA\n');
    const pem = join(gateway.directory, 'local.pem');
    await output(['ca', 'crl', '--out', pem, ...config]);
    expect(await readFile(pem, 'utf8')).toMatch(/^-----BEGIN X509 CRL-----\n/);
    expect((await readdir(gateway.directory)).filter((name) => name.endsWith('.new'))).toEqual([]);
    const nowhere = join(gateway.directory, 'nowhere');
    expect(await run(['ca', 'crl', '--out', join(nowhere, 'ca.crl'), ...config])).toMatchObject({
      code: 1,
      stderr: `${nowhere}: there is no such file or folder.\n`,
    });
  });

  it('revokes, and the running gateway refuses the certificate at once', async () => {
    expect(await renew()).toBe(200);
    const withColons = serialNumber.replace(/..(?=.)/g, '$&:');
    const words = ['ca', 'revoke', `00:${withColons}`, '--reason', 'keyCompromise', ...config];
    expect(await output(words)).toBe(`Revoked ${serialNumber.toLowerCase()}.\n`);
    expect(await renew()).toBeGreaterThanOrEqual(401);
    const crl = await output(['ca', 'crl', ...config]);
    const text = await openssl('crl -in crl -noout -text', { crl });
    expect(text).toMatch(new RegExp(`Serial Number: ${serialNumber}\\n[^]*Key Compromise`));
    expect(await output(['ca', 'list', ...config])).toMatch(/ revoked \S+ keyCompromise +CN=device-1\n/);
    expect(await output(words)).toMatch(/ was revoked before; nothing was changed\.\n$/);
  });

  it('says that it never issued a serial number', async () => {
    const { code, stderr } = await run(['ca', 'revoke', 'abcdef', ...config]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'The CA local never issued abcdef; see "est-gateway ca list".\n',
    });
  });

  it('takes known reasons only', async () => {
    const { code, stderr } = await run(['ca', 'revoke', 'ab', '--reason', 'theft', ...config]);
    expect(code).toBe(2);
    expect(stderr).toContain('Allowed choices are unspecified, keyCompromise');
  });

  it('asks which one when there are several local CAs', async () => {
    const file = join(gateway.directory, 'two.yaml');
    const text = await readFile(gateway.configurationFile, 'utf8');
    await writeFile(
      file,
      text.replace(
        'backends:',
        'backends:\n  second: { driver: local, certificate: issuing.pem, privateKey: file:issuing.key }',
      ),
    );
    const { code, stderr } = await run(['ca', 'list', '--config', file]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'Which local CA? Add --backend with one of: second, local.\n',
    });
    const list = async (backend: string) => await output(['ca', 'list', '-b', backend, '--config', file]);
    // Both are the same CA.
    expect(await list('second')).toBe(await list('local'));
    expect((await run(['ca', 'list', '--backend', 'third', '--config', file])).code).toBe(1);
  });
});

describe('est-gateway ca import', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;
  let source: readonly string[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    const data = join(folder.path, 'data');
    file = join(data, 'est-gateway.yaml');
    await output(['init', '--directory', data]);
    const root = await opensslCertificate({ key: newKey.rsa(), name: 'Old Root' });
    const ca = await opensslCertificate({ key: newKey.p384(), name: 'Old Issuing', issuer: root });
    const encrypted = await openssl('pkcs8 -topk8 -in key -passout pass:secret', { key: pkcs8(ca.key) });
    await writeFile(join(folder.path, 'root.pem'), root.certificate);
    await writeFile(join(folder.path, 'ca.pem'), ca.certificate);
    await writeFile(join(folder.path, 'ca.key'), encrypted);
    await writeFile(join(folder.path, 'pass'), 'secret\n');
    source = '--key ca.key --certificate ca.pem --chain root.pem --no-crl --config'.split(' ').concat(file);
  });

  afterAll(async () => {
    await folder.remove();
  });

  it('says what is missing, and writes nothing', async () => {
    const { code, stdout, stderr } = await run(['ca', 'import', ...source], { cwd: folder.path });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^.*passphrase.*\n$/);
    expect(await readdir(join(folder.path, 'data'))).not.toContain('ca-imported');
  });

  it('wants the last CRL, or the word that there was none', async () => {
    const words = ['ca', 'import', ...source.filter((word) => word !== '--no-crl')];
    const { code, stderr } = await run(words, { cwd: folder.path });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "Add --crl with the CA's last CRL, whose number and entries are carried on, or --no-crl if it has never published one.\n",
    });
  });

  it('takes no secret on the command line', async () => {
    const words = ['ca', 'import', ...source, '--passphrase', 'secret'];
    const { code, stderr } = await run(words, { cwd: folder.path });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'A secret is given as file:PATH or env:NAME, and this is neither.\n',
    });
  });

  it('writes a folder, and a part of the configuration that works as printed', async () => {
    const words = ['ca', 'import', ...source, '--passphrase', 'file:pass', '--backend', 'plant'];
    const printed = await output(words, { cwd: folder.path });
    const text = await readFile(file, 'utf8');
    const edited = text
      .replace(/^backends:\n/m, `backends:\n${printed}`)
      .replace('backend: local', 'backend: plant');
    await writeFile(file, edited);
    expect(await output(['check', '--config', file])).toMatch(/^OK: /);
    expect(printed).toMatch(/^ {4}record: incomplete$/m);
    const crl = await output(['ca', 'crl', '--backend', 'plant', '--config', file]);
    expect(await openssl('crl -in crl -noout -issuer', { crl })).toBe('issuer=O = Acme, CN = Old Issuing\n');
    const imported = join(folder.path, 'data/ca-plant');
    for (const name of ['issuing.key', 'passphrase']) {
      expect((await stat(join(imported, name))).mode & 0o777).toBe(0o600);
    }
    expect(await readFile(join(imported, 'issuing.key'), 'utf8')).toMatch(
      /^-----BEGIN ENCRYPTED PRIVATE KEY/,
    );
  });

  it('never overwrites', async () => {
    await appendFile(join(folder.path, 'pass'), '');
    const words = ['ca', 'import', ...source, '--passphrase', 'file:pass', '--backend', 'plant'];
    const { code, stderr } = await run(words, { cwd: folder.path });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'The configuration has a backend plant already; choose another name with --backend.\n',
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { init } from '../../src/cli/init.ts';
import { newKey, opensslCertificate, pkcs8 } from '../ca/local/openssl-ca.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { openssl } from '../support/openssl.ts';
import { freePorts, output, run, start, temporaryFolder, type RunningCommand } from './command-line.ts';

describe('est-gateway ca rollover', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;
  let port: number;
  let url: string;
  let authorization: string;
  let gateway: RunningCommand;
  const path = (name: string): string => join(folder.path, name);
  const text = async (name: string): Promise<string> => await readFile(path(name), 'utf8');
  const rollover = async (...words: readonly string[]) =>
    await run(['ca', 'rollover', '--config', file, ...words]);

  beforeAll(async () => {
    folder = await temporaryFolder();
    file = path('est-gateway.yaml');
    port = await freePorts();
    url = `https://localhost:${port}/.well-known/est`;
    await init({ directory: folder.path, hostname: 'localhost', port });
    const code = await output(['user', 'add', 'device', '--config', file]);
    authorization = `Basic ${Buffer.from(`device:${code.trim()}`).toString('base64')}`;
    gateway = await serve();
  });
  afterAll(async () => {
    gateway.process.kill('SIGKILL');
    await folder.remove();
  });

  async function serve(): Promise<RunningCommand> {
    const running = start(['serve', '--config', file]);
    await running.stdoutWith('EST is served at');
    return running;
  }

  async function enrol(ca: string, commonName: string): Promise<{ key: string; cert: string }> {
    const keyPair = await generateKeyPair('P-256');
    const csr = await plainCsr(commonName, keyPair);
    const answer = await send(`${url}/simpleenroll`, {
      ca,
      ...enrolment(csr, { Authorization: authorization }),
    });
    return { key: privatePem(keyPair.privateKey), cert: await certificateOf(answer) };
  }

  async function renew(
    ca: string,
    device: { key: string; cert: string },
    commonName: string,
  ): Promise<Answer> {
    const csr = await plainCsr(commonName, await generateKeyPair('P-256'));
    return await send(`${url}/simplereenroll`, { ca, ...device, ...enrolment(csr) });
  }

  /** Does what the command printed. */
  async function changeOver(printed: string): Promise<void> {
    const [certificate = '', chain = '', additional = ''] = printed
      .split('\n')
      .filter((line) => line.startsWith('    '));
    const configuration = (await text('est-gateway.yaml'))
      .replace('    certificate: ca/issuing.pem', certificate)
      .replace('    chain: [ca/root.pem]', chain)
      .replace('    #additionalCaCertificates: []', additional);
    await writeFile(file, configuration);
    const [server = ''] =
      /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(await text('tls/server.pem')) ?? [];
    await writeFile(path('tls/server.pem'), server + (await text('new-root/tls-chain.pem')));
  }

  it('refuses a key that is not the one of the root, and changes nothing', async () => {
    await writeFile(path('other.key'), pkcs8(newKey.p256()));
    const { code, stdout, stderr } = await rollover('--root-key', path('other.key'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('The key is not the one of the root CN=EST localhost Root CA; give that one.');
    await expect(stat(path('new-root'))).rejects.toThrow('ENOENT');
  });

  it('refuses a passphrase that does not open the key', async () => {
    const { code, stderr } = await rollover('--root-key', path('ca/root.key'));
    expect(code).toBe(1);
    expect(stderr).toContain(
      'The key of the root cannot be read: passphrase: the private key is encrypted, so its passphrase is needed.',
    );
  });

  it('C-06 C-07 N-06 lets clients of the old root and of the new one enrol, renew and verify each other', async () => {
    const oldRoot = await text('trust-anchor.pem');
    const old = await enrol(oldRoot, 'old-device');
    const passphrase = `file:${path('ca/passphrase')}`;
    const { code, stdout, stderr } = await rollover(
      '--root-key',
      path('ca/root.key'),
      '--passphrase',
      passphrase,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((await stat(path('new-root/root.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(path('new-root/root.passphrase'))).mode & 0o777).toBe(0o600);

    gateway.process.kill('SIGTERM');
    await gateway.outcome;
    await changeOver(stdout);
    expect(await output(['check', '--config', file])).not.toBe('');
    gateway = await serve();

    const newRoot = await text('new-root/root.pem');
    expect((await renew(oldRoot, old, 'old-device')).status).toBe(200);
    expect((await renew(newRoot, old, 'old-device')).status).toBe(200);
    const young = await enrol(newRoot, 'new-device');
    expect((await renew(newRoot, young, 'new-device')).status).toBe(200);

    const bag = await send(`${url}/cacerts`, { ca: oldRoot });
    const certificates = await openssl('pkcs7 -inform DER -in bag.p7 -print_certs', {
      'bag.p7': Buffer.from(bag.body, 'base64'),
    });
    const pems = certificates.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
    expect(pems).toHaveLength(5);
    expect(pems).toContain(oldRoot);
    expect(pems).toContain(newRoot);
    // openssl tries one path only, so the other root must not lie in its way.
    const files = {
      'untrusted.pem': pems.filter((pem) => pem !== oldRoot && pem !== newRoot).join(''),
      'old-root.pem': oldRoot,
      'new-root.pem': newRoot,
      'old-leaf.pem': old.cert,
      'new-leaf.pem': young.cert,
    };
    for (const words of [
      '-CAfile old-root.pem -untrusted untrusted.pem old-leaf.pem',
      '-CAfile old-root.pem -untrusted untrusted.pem new-leaf.pem',
      '-CAfile new-root.pem -untrusted untrusted.pem old-leaf.pem',
      '-CAfile new-root.pem -untrusted untrusted.pem new-leaf.pem',
    ]) {
      expect(await openssl(`verify -x509_strict ${words}`, files)).toContain(': OK');
    }
  });

  it('does not overwrite a folder', async () => {
    const passphrase = `file:${path('new-root/root.passphrase')}`;
    const { code, stderr } = await rollover(
      '--root-key',
      path('new-root/root.key'),
      '--passphrase',
      passphrase,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('exists already; nothing was changed.');
  });

  it('refuses where the issuing CA is itself the root', async () => {
    const single = await opensslCertificate({ key: newKey.p256(), name: 'Single' });
    await writeFile(path('single.pem'), single.certificate);
    await writeFile(path('single.key'), pkcs8(single.key));
    await output([
      'ca',
      'import',
      '--key',
      path('single.key'),
      '--certificate',
      path('single.pem'),
      '--no-crl',
      '--config',
      file,
    ]).then(async (snippet) => {
      await writeFile(
        file,
        (await text('est-gateway.yaml')).replace('\nbackends:\n', `\nbackends:\n${snippet}`),
      );
    });
    const { code, stderr } = await rollover('--backend', 'imported', '--root-key', path('single.key'));
    expect(code).toBe(1);
    expect(stderr).toContain('The issuing CA is itself the root');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { init } from '../../src/cli/init.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { certificateWarnings } from '../../src/server/certificate-warnings.ts';
import { certificateDer, named, type CertificateParts } from '../support/certificate.ts';
import { extension, generateKeyPair, generalName, subjectAltName } from '../support/csr.ts';
import { privatePem } from '../support/device.ts';
import { openssl } from '../support/openssl.ts';
import { freePorts, output, run, start, temporaryFolder } from './command-line.ts';

const day = 86_400_000;
const inDays = (days: number): string =>
  new Date(Date.now() + days * day).toISOString().replace(/[-:T]|\.\d+/g, '');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let original: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await init({ directory: folder.path, hostname: 'localhost', port: 8443 });
  original = await readFile(join(folder.path, 'est-gateway.yaml'), 'utf8');
});
afterAll(async () => {
  await folder.remove();
});

/** Files of a configuration in place of those that `init` has written, or what makes their texts; undefined: a folder. */
type Files = Readonly<Record<string, string | undefined | (() => string | Promise<string>)>>;

/** Uses the configuration with other files, and puts the old ones back. */
async function withFiles<Result>(files: Files, use: (file: string) => Promise<Result>): Promise<Result> {
  const before = await Promise.all(
    Object.keys(files).map(
      async (name) => [name, await readFile(join(folder.path, name)).catch(() => undefined)] as const,
    ),
  );
  for (const [name, text] of Object.entries(files)) {
    await replace(name, typeof text === 'function' ? await text() : text);
  }
  try {
    return await use(join(folder.path, 'est-gateway.yaml'));
  } finally {
    for (const [name, octets] of before) await replace(name, octets, octets === undefined);
  }
}

async function replace(name: string, content: string | Buffer | undefined, isGone = false): Promise<void> {
  const path = join(folder.path, name);
  await rm(path, { recursive: true, force: true });
  if (isGone) return;
  if (content === undefined) await mkdir(path);
  else await writeFile(path, content, { mode: 0o600 });
}

async function serverFiles(parts: CertificateParts): Promise<Files> {
  const key = await generateKeyPair('P-256');
  const extensions = [subjectAltName(generalName(2, 'localhost'))];
  const certificate = await certificateDer({ key, subject: named('localhost'), extensions, ...parts });
  return { 'tls/server.pem': certificateToPem(certificate), 'tls/server.key': privatePem(key.privateKey) };
}

const withAnchors = (name: string): Files => ({
  'est-gateway.yaml': original.replace('#implicitTrustAnchors: []', `implicitTrustAnchors: [${name}]`),
});

async function warnings(files: Files): Promise<readonly string[]> {
  return await withFiles(
    files,
    async (file) => await certificateWarnings(await loadConfiguration(file), new Date()),
  );
}

async function anchor(parts: CertificateParts): Promise<string> {
  return certificateToPem(
    await certificateDer({ key: await generateKeyPair('P-256'), subject: named('Vendor'), ...parts }),
  );
}

describe('what is said of certificates', () => {
  it('is nothing of what `init` has written', async () => {
    expect(await warnings({})).toEqual([]);
  });

  it.each<[string, CertificateParts, RegExp]>([
    ['has expired', { notAfter: inDays(-1) }, /CN=localhost has expired, at \d{4}-.*; renew it\.$/],
    ['ends in some days', { notAfter: inDays(12.5) }, /CN=localhost expires in 12 days, at /],
    ['ends tomorrow', { notAfter: inDays(1.5) }, /CN=localhost expires in 1 day, at /],
    [
      'is not valid yet',
      { notBefore: inDays(1) },
      /CN=localhost is valid only from .*; is the clock right\?\.$/,
    ],
    ['has no name', { extensions: [] }, /no dNSName and no iPAddress in its subjectAltName/],
    [
      'is for clients',
      {
        extensions: [
          subjectAltName(generalName(2, 'localhost')),
          extension('2.5.29.37', Buffer.from('300a06082b06010505070302', 'hex')),
        ],
      },
      /has no extendedKeyUsage serverAuth/,
    ],
    [
      'comes without its chain',
      { issuer: named('Nobody known') },
      /the file ends below CN=Nobody known, which is no root/,
    ],
  ])('says of a TLS server certificate that it %s', async (_what, parts, sentence) => {
    expect(await warnings(await serverFiles(parts))).toEqual([expect.stringMatching(sentence)]);
  });

  it('says of a chain that it is in the wrong order', async () => {
    const pem = await readFile(join(folder.path, 'tls/server.pem'), 'utf8');
    const [leaf = ''] = pem.split(/(?<=-----END CERTIFICATE-----\n)/);
    const other = await anchor({});
    expect(await warnings({ 'tls/server.pem': leaf + other })).toEqual([
      expect.stringMatching(
        /^listeners\.est\.certificate: the certificate CN=Vendor has not issued the one before it/,
      ),
    ]);
  });

  it('says of a trust anchor where it stands, and what is wrong with it', async () => {
    const of = async (parts: CertificateParts): Promise<readonly string[]> =>
      await warnings({ ...withAnchors('vendor.pem'), 'vendor.pem': await anchor(parts) });
    expect(await of({})).toEqual([]);
    expect(await of({ notAfter: inDays(-3) })).toEqual([
      expect.stringMatching(
        /^aliases\.est\.implicitTrustAnchors\[0\]: the certificate CN=Vendor has expired/,
      ),
    ]);
  });

  it.each([
    ['192.0.2.5', ['names localhost, and not 192.0.2.5']],
    ['est.example', ['names localhost, and not est.example']],
    ['localhost', []],
    ['127.0.0.1', []],
    ['0.0.0.0', []],
  ])('compares the names of the TLS server certificate with the address %s', async (address, expected) => {
    const listening = { 'est-gateway.yaml': original.replace("#address: '::'", `address: ${address}`) };
    const found = await warnings({ ...listening, ...(await serverFiles({})) });
    expect(found).toEqual(
      expected.map((words) => expect.stringContaining(`listeners.est.certificate: the certificate ${words}`)),
    );
  });

  it('takes a name of the DNS, or the IP address, for where the gateway listens', async () => {
    const listening = { 'est-gateway.yaml': original.replace("#address: '::'", 'address: 192.0.2.5') };
    for (const name of [generalName(2, 'est.example'), generalName(7, Buffer.of(192, 0, 2, 5))]) {
      const files = await serverFiles({ extensions: [subjectAltName(name)] });
      expect(await warnings({ ...listening, ...files })).toEqual([]);
    }
  });

  it('says of signatures and keys that they are weak', async () => {
    const key = await openssl('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024');
    const weak = await openssl('req -x509 -new -key key.pem -sha256 -days 100 -subj /CN=Weak', {
      'key.pem': key,
    });
    const signed = await anchor({ issuer: named('Another'), hash: 'sha1' });
    expect(await warnings({ ...withAnchors('vendor.pem'), 'vendor.pem': weak + signed })).toEqual([
      expect.stringMatching(/CN=Weak has an RSA key of 1024 bits/),
      expect.stringMatching(/CN=Vendor has a signature by .*SHA1/i),
    ]);
  });
});

const asNobody = [
  ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
  process.execPath,
  join(import.meta.dirname, '../../src/main.ts'),
] as const;

describe('est-gateway serve', () => {
  it('says once that a certificate ends soon', async () => {
    const port = await freePorts();
    const listening = {
      'est-gateway.yaml': original.replaceAll('8443', String(port)).replaceAll('8444', String(port + 1)),
    };
    await withFiles({ ...listening, ...(await serverFiles({ notAfter: inDays(3.5) })) }, async (file) => {
      const gateway = start(['serve', '--config', file]);
      const lines = await gateway.stdoutWith('EST is served');
      gateway.process.kill();
      await gateway.outcome;
      expect(lines.split('\n').filter((line) => line.includes('expires'))).toEqual([
        expect.stringMatching(/listeners\.est\.certificate: .* expires in 3 days/),
      ]);
    });
  });
});

describe('est-gateway check', () => {
  it('exits with 0 and warns of what does not keep it from serving', async () => {
    const files = { ...(await serverFiles({ notAfter: inDays(3.5) })) };
    const { code, stdout, stderr } = await withFiles(files, async (file) => {
      await chmod(join(folder.path, 'tls/server.key'), 0o644);
      return await run(['check', '--config', file]);
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^OK: /) });
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/est-gateway\.yaml: warning: listeners\.est\.certificate: .* expires in 3 days/),
      expect.stringMatching(/: warning: Every user of this machine can read a secret file.*server\.key\)$/),
    ]);
  });

  it('exits with 1 for a TLS certificate that has expired', async () => {
    const files = await serverFiles({ notAfter: inDays(-1) });
    const { code, stdout, stderr } = await withFiles(
      files,
      async (file) => await run(['check', '--config', file]),
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/: listeners\.est: \S+server\.pem: the TLS server certificate has expired, at /);
  });

  it('names every file that the user may not read', async () => {
    const modes = {
      'ca/issuing.key': 0,
      'tls/server.key': 0,
      'est-gateway.sqlite': 0o666,
      'est-gateway.yaml': 0o644,
    } as const;
    const { code, stdout, stderr } = await withFiles({ 'est-gateway.sqlite': '' }, async (file) => {
      // Root may read everything, so that the command runs as another user then.
      for (const [name, mode] of Object.entries(modes)) await chmod(join(folder.path, name), mode);
      for (const name of ['', 'ca', 'tls']) await chmod(join(folder.path, name), 0o777);
      return await run(['check', '--config', file], process.getuid?.() === 0 ? { program: asNobody } : {});
    });
    for (const name of ['ca/issuing.key', 'tls/server.key']) await chmod(join(folder.path, name), 0o600);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /: backends\.local\.\S*privateKey: this user may not read \S+issuing\.key; change/,
    );
    expect(stderr).toMatch(/: listeners\.est\.privateKey: this user may not read \S+server\.key; change/);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('says its exit codes', async () => {
    expect(await output(['check', '--help'])).toContain('Exit code: 0 it can be served');
    expect(await output(['--help'])).toContain('Exit code: 0 done');
  });

  it.each<[string, Files, RegExp]>([
    [
      'a folder in place of the certificate',
      { 'tls/server.pem': undefined },
      /listeners\.est: a path names a folder; expected a file\.$/,
    ],
    [
      'no PEM',
      { 'tls/server.pem': 'nothing' },
      /server\.pem: There is no certificate in PEM form: the file has no line "-----BEGIN \.\.\.-----"\.$/,
    ],
    ['a folder in place of the store', { 'est-gateway.sqlite': undefined }, /SQLite file \S+ cannot be used/],
    [
      'a store that is none',
      { 'est-gateway.sqlite': 'nothing '.repeat(1000) },
      /SQLite file \S+ cannot be used/,
    ],
    [
      'an address that is of another host',
      { 'est-gateway.yaml': () => original.replace("#address: '::'", 'address: 192.0.2.5') },
      /: listeners\.est\.address: 192\.0\.2\.5: this host has no such address; "ip address" lists those that it has\.$/,
    ],
    [
      'an address by a name that nobody has',
      { 'est-gateway.yaml': () => original.replace("#address: '::'", 'address: nowhere.invalid') },
      /: listeners\.est\.address: nowhere\.invalid: (nobody knows a host of this name|the name cannot be resolved)/,
    ],
    [
      'two names of one address',
      {
        'est-gateway.yaml': () =>
          original
            .replace("#address: '::'", 'address: localhost')
            .replace(/( +)port: 8444/, '$1address: 127.0.0.1\n$1port: 8443'),
      },
      /: listeners\.http\.port: listeners\.est has the same address and port\.$/,
    ],
    ...(['explicit', 'implicit'] as const).map((kind): [string, Files, RegExp] => [
      `${kind} trust anchors whose root is missing`,
      {
        'est-gateway.yaml': () =>
          original.replace(`#${kind}TrustAnchors: []`, `${kind}TrustAnchors: [vendor.pem]`),
        'vendor.pem': async () => await anchor({ issuer: named('Vendor Root') }),
      },
      new RegExp(
        `: aliases\\.est: ${kind}TrustAnchors: CN=Vendor is not self-signed, and nothing leads from it to a certificate that is; add the root above it \\(its issuer is CN=Vendor Root\\)\\.$`,
      ),
    ]),
    [
      'a path for a socket that is too long',
      {
        'est-gateway.yaml': () =>
          original.replace(
            'listeners:\n',
            `listeners:\n  proxy: { socket: ${'a'.repeat(104)}, clientCertificate: nginx }\n`,
          ),
      },
      /: listeners\.proxy: \S+: the path of a socket has at most 103 octets; choose a shorter one\.$/,
    ],
    [
      'a file in place of a socket',
      {
        'est-gateway.yaml': () =>
          original.replace(
            'listeners:\n',
            'listeners:\n  proxy: { socket: a.sock, clientCertificate: nginx }\n',
          ),
        'a.sock': 'nothing',
      },
      /: listeners\.proxy: \S+a\.sock exists and is no socket; choose another path\.$/,
    ],
    ['a folder in place of a CA key', { 'ca/issuing.key': undefined }, /backends\.local: .*cannot be read/],
  ])('says %s in one sentence, without a stack', async (_what, files, sentence) => {
    const { code, stdout, stderr } = await withFiles(
      files,
      async (file) => await run(['check', '--config', file]),
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const lines = stderr
      .trimEnd()
      .split('\n')
      .filter((line) => !line.includes(': warning: '));
    expect(lines).toEqual([expect.stringMatching(sentence)]);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

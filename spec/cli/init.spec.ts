import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SchemaObject } from 'ajv';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { configurationText } from '../../src/cli/init-template.ts';
import { schemaText } from '../../src/cli/schema.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { configurationSchema } from '../../src/config/schema.ts';
import { openssl } from '../support/openssl.ts';
import { output, run, temporaryFolder } from './command-line.ts';

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

describe('est-gateway init', () => {
  let folder: Folder;
  let directory: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    directory = join(folder.path, 'data');
    const words = ['init', '--directory', directory, '--hostname', 'est.example.com', '--port', '9443'];
    await output(words);
  });

  afterAll(async () => {
    await folder.remove();
  });

  async function read(name: string): Promise<string> {
    return await readFile(join(directory, name), 'utf8');
  }

  async function modeOf(name: string): Promise<string> {
    return ((await stat(join(directory, name))).mode & 0o777).toString(8);
  }

  it('creates the folder for its owner alone', async () => {
    expect(await modeOf('.')).toBe('700');
    expect((await readdir(directory)).sort()).toEqual([
      'ca',
      'est-gateway.schema.json',
      'est-gateway.yaml',
      'tls',
      'trust-anchor.pem',
    ]);
  });

  it.each(['ca/root.key', 'ca/issuing.key', 'ca/passphrase', 'tls/server.key'])(
    'lets its owner alone read %s',
    async (name) => {
      expect(await modeOf(name)).toBe('600');
    },
  );

  it.each(['ca/root.key', 'ca/issuing.key'])('encrypts %s', async (name) => {
    expect(await read(name)).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  });

  it('makes a server certificate for the host name and for localhost', async () => {
    const files = {
      'root.pem': await read('trust-anchor.pem'),
      'issuing.pem': await read('ca/issuing.pem'),
      'server.pem': await read('tls/server.pem'),
    };
    for (const name of ['-verify_hostname est.example.com', '-verify_hostname localhost']) {
      const command = `verify -x509_strict -purpose sslserver ${name} -CAfile root.pem -untrusted issuing.pem server.pem`;
      expect(await openssl(command, files)).toBe('server.pem: OK\n');
    }
    for (const address of ['127.0.0.1', '::1']) {
      const command = `verify -verify_ip ${address} -CAfile root.pem -untrusted issuing.pem server.pem`;
      expect(await openssl(command, files)).toBe('server.pem: OK\n');
    }
  });

  it('serves what the CA publishes on the next port, and says so in certificates', async () => {
    const { listeners, backends } = await loadConfiguration(join(directory, 'est-gateway.yaml'));
    expect(listeners).toMatchObject({ est: { port: 9443 }, http: { port: 9444 } });
    expect(backends['local']).toMatchObject({
      crl: { urls: ['http://est.example.com:9444/crl/local.crl'] },
      caIssuersUrls: ['http://est.example.com:9444/ca/local.cer'],
    });
  });

  it('writes the schema that the first line of the configuration names', async () => {
    expect((await read('est-gateway.yaml')).split('\n', 1)).toEqual([
      '# yaml-language-server: $schema=est-gateway.schema.json',
    ]);
    expect(await read('est-gateway.schema.json')).toBe(schemaText());
  });

  it('passes the check', async () => {
    const file = join(directory, 'est-gateway.yaml');
    expect(await output(['check', '--config', file])).toMatch(/^OK: .*\n$/);
  });

  it('never overwrites a configuration', async () => {
    const before = await read('est-gateway.yaml');
    const { code, stdout, stderr } = await run(['init', '--directory', directory]);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `${directory}/est-gateway.yaml exists already; a configuration is never overwritten.\n`,
    });
    expect(await read('est-gateway.yaml')).toBe(before);
  });

  it('leaves nothing behind when something is in the way', async () => {
    const other = join(folder.path, 'other');
    await mkdir(join(other, 'tls'), { recursive: true });
    const { code, stderr } = await run(['init', '--directory', other]);
    expect(code).toBe(1);
    expect(stderr).toBe(`${other}/tls exists already; nothing was changed.\n`);
    expect(await readdir(other)).toEqual(['tls']);
  });

  it('fills a folder that exists, such as a mounted volume', async () => {
    const volume = join(folder.path, 'volume');
    await mkdir(volume);
    await writeFile(join(volume, 'lost+found'), '');
    await output(['init', '--directory', volume, '--hostname', '2001:db8::1']);
    const { backends } = await loadConfiguration(join(volume, 'est-gateway.yaml'));
    expect(backends['local']).toMatchObject({ crl: { urls: ['http://[2001:db8::1]:8444/crl/local.crl'] } });
  });

  it('says which part of the path is a file', async () => {
    const { code, stderr } = await run(['init', '--directory', join(directory, 'trust-anchor.pem/x')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\S+: a part of this path is a file, not a folder\.\n$/);
  });

  it.each([
    ['--port', '0'],
    ['--port', '65535'],
    ['--port', '8443x'],
    ['--hostname', 'two words'],
    ['--hostname', 'under_score'],
  ])('refuses %s %s as wrong usage', async (option, value) => {
    const { code, stderr } = await run(['init', '--directory', join(folder.path, 'no'), option, value]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: option '.*' argument '.*' is invalid\. Expected /);
  });
});

/** Every key that the schema knows. */
function keysOf(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties = {} } = node as SchemaObject;
  return [...Object.keys(properties as object), ...Object.values(node).flatMap(keysOf)];
}

/** Loads the text from a folder of its own, without what differs from folder to folder. */
async function loadText(text: string): Promise<Configuration> {
  const folder = await temporaryFolder();
  try {
    const file = join(folder.path, 'est-gateway.yaml');
    await writeFile(file, text);
    const configuration = JSON.stringify(await loadConfiguration(file));
    return JSON.parse(configuration.replaceAll(folder.path, '')) as Configuration;
  } finally {
    await folder.remove();
  }
}

/** Without the keys that are for a CA with approval, for RA mode and for DnPartPwd, of which the file shows others. */
function withoutOtherChoices(written: unknown): unknown {
  const { backends, aliases } = written as Record<'backends' | 'aliases', Record<string, SchemaObject>>;
  delete backends['local']?.['retryAfter'];
  const ejbca = aliases['meters']?.['ejbca'] as SchemaObject;
  for (const key of ['requireClientCertificate', 'nameGeneration', 'extractDnPartPasswordComponent'])
    Reflect.deleteProperty(ejbca, key);
  return written;
}

describe('the configuration file as a manual', () => {
  const text = configurationText({ httpAuthority: 'host:8444', estPort: 8443, httpPort: 8444 });

  it.each([...new Set(keysOf(configurationSchema()))])('has the key %s', (key) => {
    expect(text).toMatch(new RegExp(`^ *#?${key}:( |$)`, 'm'));
  });

  it('tells a key by a comment above it, or is plain', () => {
    const lines = text.split('\n');
    const keys = lines.filter((line) => /^ *#?\w+:/.test(line));
    const commented = keys.filter((line) => lines[lines.indexOf(line) - 1]?.trim().startsWith('# ') ?? false);
    expect(commented.length / keys.length).toBeGreaterThan(0.7);
  });

  it('shows the defaults: without its comments it says the same', async () => {
    const everything = text.replace(/^( *)#(?=[\w/-])/gm, '$1');
    const { rehearsal, ...backends } = (parse(everything) as Configuration).backends;
    expect(rehearsal).toEqual({
      driver: 'mock',
      validityDays: 7,
      pendingAnswers: 2,
      retryAfter: 1,
      delay: 5,
    });
    expect(Object.keys(backends)).toEqual(['local', 'ejbca', 'headquarters']);
    const loaded = await loadText(stringify(withoutOtherChoices(parse(everything))));
    const expected = await loadText(text);
    const sources = loaded.aliases['est']?.credentials.map(({ driver }) => driver);
    expect(sources).toEqual(['store', 'htpasswd', 'webhook', 'ldap']);
    expect(loaded).toMatchObject({
      listeners: expected.listeners,
      store: expected.store,
      aliases: { est: { ...expected.aliases['est'], credentials: loaded.aliases['est']?.credentials } },
      limits: expected.limits,
      logging: expected.logging,
      backends: expected.backends,
    });
  });
});

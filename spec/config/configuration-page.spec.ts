import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { init } from '../../src/cli/init.ts';
import { freePorts } from '../cli/command-line.ts';
import { load, shortest } from '../support/configuration-file.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { examplesIn } from '../support/page.ts';
import { startTestGateway } from '../support/gateway.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');

/** The examples: blocks that are indented by four columns and do not belong to a list. */
const examples = examplesIn(page);
const settings = examples.filter((text) => /^\w+:/.test(text));

/** The commands of the block that has the text. */
function commandsWith(text: string): string {
  return examples.find((example) => !settings.includes(example) && example.includes(text)) ?? '';
}

type Members = Readonly<Record<string, object>>;

const ofConfiguration = ['listeners', 'backends', 'aliases', 'limits'];

/** Adds to each mapping the members of the other one. */
function withMembers(one: Members, other: Members): Members {
  const changed = Object.entries(other).map(([key, value]) => [key, { ...one[key], ...value }]);
  return { ...one, ...(Object.fromEntries(changed) as Members) };
}

/** The shortest configuration with the settings of an example: its own members, or those of its alias. */
function withSettings(text: string): Members {
  const whole = parse(shortest) as Members;
  const added = parse(text) as Members;
  if (!Object.keys(added).every((key) => ofConfiguration.includes(key))) {
    const aliases = whole['aliases'] as Members;
    // Settings of whatever way to authenticate.
    return { ...whole, aliases: { est: { ...aliases['est'], authentication: 'either', ...added } } };
  }
  if (added['listeners'] === undefined) return withMembers(whole, added);
  return { ...whole, listeners: withMembers(whole['listeners'] as Members, added['listeners'] as Members) };
}

describe('docs/configuration.md', () => {
  it('has examples of settings and of commands, all of which are tried here', () => {
    const commands = ['user add', 'tls-server', 'cmc-signer', 'ca pending', 'ca rollover'].map(commandsWith);
    expect(new Set([...settings, ...commands])).toEqual(new Set(examples));
  });

  it.each(settings)('has settings that the gateway understands: %s', async (text) => {
    const configuration = await load(stringify(withSettings(text)));
    const [key = ''] = Object.keys(parse(text) as object);
    expect(ofConfiguration.includes(key) ? configuration : configuration.aliases['est']).toHaveProperty(key);
  });
});

describe('the commands of docs/configuration.md', () => {
  let place: Workplace;
  let config: string;

  /** Runs commands in a folder that `init` has filled, where `est-gateway` knows which configuration is meant. */
  async function bash(commands: string, configurationFile = config): Promise<string> {
    const program = `"${process.execPath}" "${join(import.meta.dirname, '../../src/main.ts')}"`;
    const file = join(place.directory, 'est-gateway');
    await writeFile(file, `#!/bin/sh\nexec ${program} "$@" --config "${configurationFile}"\n`);
    await chmod(file, 0o700);
    return await place.bash(`PATH="$PWD:$PATH"\n${commands}`);
  }

  beforeAll(async () => {
    place = await openWorkplace();
    config = join(place.directory, 'est-gateway.yaml');
    await init({ directory: place.directory, hostname: 'localhost', port: await freePorts() });
    const text = await readFile(config, 'utf8');
    await writeFile(
      config,
      text.replace(/^aliases:\n/m, 'aliases:\n  vendor: { backend: local, authentication: basic }\n'),
    );
  });
  afterAll(async () => {
    await place.remove();
  });

  it('add a user', async () => {
    expect(await bash(commandsWith('user add'))).toMatch(/^\S{20,}\n$/);
    expect(await bash('est-gateway user list')).toMatch(/device-17 +\S* *vendor|vendor +\S* *device-17/);
  });

  it('issue a new server certificate, which clients take as the one before', async () => {
    await bash(commandsWith('tls-server'));
    const purpose = '-purpose sslserver -verify_hostname est.example';
    const verified = await bash(
      `openssl verify -x509_strict ${purpose} -CAfile trust-anchor.pem -untrusted tls/new.pem tls/new.pem`,
    );
    expect(verified).toContain('OK');
    const renamed = (await readFile(config, 'utf8')).replace('tls/server.pem', 'tls/new.pem');
    const other = join(place.directory, 'renewed.yaml');
    await writeFile(other, renamed.replace('tls/server.key', 'tls/new.key'));
    expect(await bash('est-gateway check', other)).toContain('OK');
  });

  it('issue a certificate that signs CMC answers', async () => {
    await bash(commandsWith('cmc-signer'));
    const shown = await bash('openssl x509 -in cmc/signer.pem -noout -subject -ext extendedKeyUsage');
    expect(shown).toMatch(/CN = CMC responder[^]*CMC Certificate Authority/);
  });

  it('approve and deny what waits, as the settings beside them say', async () => {
    const approval = settings.find((text) => text.includes('approval:')) ?? '';
    const { backends = {} } = parse(approval) as Record<string, Members>;
    const files = {
      certificate: 'issuing.pem',
      privateKey: 'file:issuing.key',
      passphrase: 'file:passphrase',
    };
    const local = { ...backends['local'], ...files, chain: ['root.pem'] };
    const gateway = await startTestGateway({ backends: { local } });
    try {
      for (const commonName of ['approved', 'denied']) {
        const csr = await plainCsr(commonName, await generateKeyPair('P-256'));
        const answer = await enrolWithBasic(gateway, csr);
        expect([answer.status, answer.headers['retry-after']]).toEqual([202, '300']);
      }
      const [list = '', approve = '', deny = ''] = commandsWith('ca pending').trim().split('\n');
      const shown = await bash(list, gateway.configurationFile);
      const referenceOf = (commonName: string): string =>
        new RegExp(`^(\\w+) .*CN=${commonName} `, 'm').exec(shown)?.[1] ?? '';
      const decide = async (line: string, commonName: string): Promise<string> =>
        await bash(line.replace('4f0a129c3e', referenceOf(commonName)), gateway.configurationFile);
      await decide(approve, 'approved');
      await decide(deny, 'denied');
      expect(await bash(list, gateway.configurationFile)).not.toMatch(/CN=(approved|denied)/);
    } finally {
      await gateway.stop();
    }
  });

  it('make a new root', async () => {
    await bash(commandsWith('ca rollover'));
    const verified = await bash('openssl verify -CAfile new-root/root.pem ca/issuing.pem || ls new-root');
    expect(verified).toContain('root.pem');
  });
});

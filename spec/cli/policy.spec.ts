import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { namesOfCa } from '../../src/policy/examination.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';
import { output, run, type Outcome } from './command-line.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');

/** The fenced examples of the page that are marked so. */
function examples(mark: string): readonly string[] {
  return page
    .split(/^```/m)
    .filter((text, index) => index % 2 === 1 && text.startsWith(`${mark}\n`))
    .map((text) => text.slice(mark.length + 1));
}

interface Written {
  readonly backends: object;
  readonly aliases: { readonly est: { readonly policy: object } };
}

let place: Workplace;
let configuration: Written;
beforeAll(async () => {
  place = await openWorkplace();
  await output(['init', '--directory', place.directory]);
  configuration = parse(await readFile(file('est-gateway.yaml'), 'utf8')) as Written;
});
afterAll(async () => {
  await place.remove();
});

function file(name: string): string {
  return join(place.directory, name);
}

/** Writes the configuration with this in the policy. */
async function setPolicy(changes: object): Promise<void> {
  const { est } = configuration.aliases;
  const aliases = { est: { ...est, policy: { ...est.policy, ...changes } } };
  await writeFile(file('est-gateway.yaml'), stringify({ ...configuration, aliases }));
}

/** A CSR by openssl. */
async function newCsr(name: string, subject: string, extensions: readonly string[] = []): Promise<string> {
  const added = extensions.map((extension) => `-addext '${extension}'`).join(' ');
  await place.bash(
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj '${subject}' \
      ${added} -out ${name}.csr 2> ${name}.log`,
  );
  return file(`${name}.csr`);
}

async function test(csr: string, ...words: readonly string[]): Promise<Outcome> {
  return await run(['policy', 'test', '--config', file('est-gateway.yaml'), '--csr', csr, ...words]);
}

describe('est-gateway policy test', () => {
  it('says of each rule whether it would grant the request, and why not', async () => {
    await setPolicy({ names: 'identity', rules: ['subject.commonName == identity.username'] });
    const csr = await newCsr('other', '/CN=pump-8', ['subjectAltName=email:a@b.example']);
    const { code, stdout, stderr } = await test(csr, '--identity', 'user:pump-7');
    const refused = stdout.split('\n').filter((line) => line.startsWith('refused'));
    expect(refused).toEqual([
      'refused  policy.subjectAltName',
      'refused  policy.names',
      'refused  policy.rules[0]: subject.commonName == identity.username (subject.commonName)',
    ]);
    expect(stdout).toContain('passed   policy.subject\n');
    expect(stdout).toContain('         403: The subjectAltName may hold only: dNSName, iPAddress.\n');
    expect([code, stderr]).toEqual([1, 'Refused by 3 rules.\n']);
  });

  it('grants what fits', async () => {
    await setPolicy({ names: 'identity', rules: ['subject.commonName == identity.username'] });
    const { code, stdout, stderr } = await test(
      await newCsr('own', '/CN=pump-7'),
      '--identity',
      'user:pump-7',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/Granted, as far as the policy goes\.\n$/);
  });

  it('says that nothing is known of the keys of a CA that cannot be reached, and asks about the others', async () => {
    await place.bash(
      'openssl req -x509 -newkey rsa:2048 -nodes -keyout away.key -subj /CN=away -out away.pem',
    );
    const { backends, aliases } = configuration;
    const client = { certificate: 'away.pem', privateKey: 'file:away.key' };
    const url = 'https://localhost:1/.well-known/est';
    const away = { driver: 'est', url, trustAnchor: 'away.pem', clientCertificate: client };
    const shut = {
      ...{ driver: 'est', url, trustAnchor: 'away.pem' },
      clientCertificate: { ...client, privateKey: 'env:NOT_SET_ANYWHERE' },
    };
    const unreachable = {
      ...configuration,
      backends: { ...backends, away, shut },
      aliases: { ...aliases, away: { ...aliases.est, backend: 'away' } },
    };
    await writeFile(file('est-gateway.yaml'), stringify(unreachable));
    const { code, stdout, stderr } = await test(await newCsr('any', '/CN=any'), '--identity', 'user:a');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^unknown {2}fixed: no key of a CA\n {9}not looked at: backends\.shut: .*NOT_SET_ANYWHERE.*\n {9}not looked at: aliases\.away: .+\n/m,
    );
    expect(stdout).toMatch(/^unknown {2}fixed: no key of the gateway or of who works for it$/m);
    expect(stdout).toMatch(/^passed {3}fixed: no compromised key$/m);
    expect(stdout).toMatch(/\nGranted, as far as the policy goes and as far as is known\.\n$/);
    const csr = file('gateway.csr');
    await place.bash(`openssl req -new -key away.key -subj /CN=gateway -out ${csr}`);
    const refused = await test(csr, '--identity', 'user:a');
    expect(refused).toMatchObject({ code: 1, stderr: 'Refused by 1 rule.\n' });
    expect(refused.stdout).toContain('refused  fixed: no key of the gateway or of who works for it\n');
  });

  it('R-02 asks about renewals as simplereenroll does, where rules for names are not asked again', async () => {
    await setPolicy({ rules: ['subject.commonName == identity.username'] });
    const csr = await newCsr('renewal', '/CN=pump-9');
    await place.bash('openssl req -x509 -key renewal.key -subj /CN=pump-9 -days 1 -out renewal.pem');
    const renewing = ['--operation', 'simplereenroll', '--identity', `certificate:${file('renewal.pem')}`];
    const same = await test(csr, ...renewing);
    const other = await test(await newCsr('renewal', '/CN=pump-10'), ...renewing);
    expect([same.code, other.code]).toEqual([0, 1]);
    expect(same.stdout).not.toContain('policy.rules');
    expect(other.stdout).toContain('refused  fixed: names of the client certificate');
  });

  it('Z-02 holds a registration authority to its scope, and rules not against it', async () => {
    await setPolicy({ rules: ['subject.commonName == identity.username'] });
    const { est } = configuration.aliases;
    const registrationAuthorities = {
      plant: { commonName: 'RA', names: { commonName: ['*.plant-1.example'] } },
    };
    const policy = { ...est.policy, rules: ['subject.commonName == identity.username'] };
    const aliases = { est: { ...est, policy, registrationAuthorities } };
    await writeFile(file('est-gateway.yaml'), stringify({ ...configuration, aliases }));
    await newCsr('ra', '/CN=RA');
    await place.bash(
      'openssl req -x509 -key ra.key -subj /CN=RA -days 1 -addext extendedKeyUsage=1.3.6.1.5.5.7.3.28 -out ra.pem',
    );
    const identity = ['--identity', `certificate:${file('ra.pem')}`];
    const within = await test(await newCsr('in', '/CN=a.plant-1.example'), ...identity);
    const beyond = await test(await newCsr('out', '/CN=a.plant-2.example'), ...identity);
    expect([within.code, beyond.code]).toEqual([0, 1]);
    expect(beyond.stdout).toContain('refused  registrationAuthorities\n');
    expect(within.stdout).not.toContain('policy.rules');
  });

  it.each([
    [['--identity', 'somebody'], 2, 'Expected user:NAME, certificate:FILE or vendor:FILE.'],
    [['--identity', 'user:a', 'user:b'], 1, 'A client is one user, one certificate, or one of each.'],
    [['--identity', 'user:a', '--operation', 'simplereenroll'], 1, 'add --identity certificate:FILE'],
  ])('refuses %j in a sentence', async (words, expected, sentence) => {
    const { code, stderr } = await test(await newCsr('any', '/CN=any'), ...words);
    expect(code).toBe(expected);
    expect(stderr).toContain(sentence);
  });

  it('says what is wrong with a CSR before any rule is asked', async () => {
    await writeFile(file('broken.csr'), 'no CSR');
    const { code, stdout, stderr } = await test(file('broken.csr'), '--identity', 'user:a');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^[^\n]*broken\.csr is no CSR that can be accepted \(400\): [^\n]*\n$/);
  });
});

describe('docs/policy.md', () => {
  const policies = examples('yaml policy').map((text) => parse(text) as object);
  const [names = {}, rules = {}, schema = {}, webhook = {}] = policies;

  it('has the examples that are tried here', () => {
    expect(policies.map((policy) => Object.keys(policy).at(-1))).toEqual([
      ...['freeSubject', 'rules', 'schema', 'webhook'],
    ]);
  });

  it('has a policy that grants attributes beside the name of a client', async () => {
    await setPolicy(names);
    const exitCode = async (name: string, subject: string): Promise<number | null> =>
      (await test(await newCsr(name, subject), '--identity', 'user:pump-7')).code;
    expect(
      await Promise.all([
        exitCode('names-1', '/O=Example/OU=pump-7-devices/serialNumber=4711/CN=pump-7'),
        exitCode('names-2', '/O=Example/L=Here/CN=pump-7'),
        exitCode('names-3', '/O=Example/CN=pump-8'),
        exitCode('names-4', '/O=Other/CN=pump-7'),
        exitCode('names-5', '/O=Example/OU=pump-8-devices/CN=pump-7'),
      ]),
    ).toEqual([0, 1, 1, 1, 1]);
  });

  it('has rules', async () => {
    await setPolicy(rules);
    const exitCode = async (name: string, subject: string, host: string): Promise<number | null> => {
      const csr = await newCsr(name, subject, [`subjectAltName=DNS:${host}`]);
      return (await test(csr, '--identity', 'user:pump-7')).code;
    };
    expect(
      await Promise.all([
        exitCode('rules-1', '/CN=pump-7', 'a.pump-7.devices.example'),
        exitCode('rules-2', '/CN=pump-8', 'a.pump-7.devices.example'),
        exitCode('rules-3', '/CN=pump-7', 'a.b.pump-7.devices.example'),
      ]),
    ).toEqual([0, 1, 1]);
  });

  it('has a schema', async () => {
    await setPolicy(schema);
    const exitCode = async (name: string, subject: string, purpose: string): Promise<number | null> => {
      const csr = await newCsr(name, subject, [`extendedKeyUsage=${purpose}`]);
      return (await test(csr, '--identity', 'user:pump-7')).code;
    };
    expect(
      await Promise.all([
        exitCode('schema-1', '/CN=pump-7', 'clientAuth'),
        exitCode('schema-2', '/CN=Pump 7', 'clientAuth'),
        exitCode('schema-3', '/O=pump-7', 'clientAuth'),
        exitCode('schema-4', '/CN=pump-7', 'serverAuth'),
      ]),
    ).toEqual([0, 1, 1, 1]);
  });

  it('has a webhook, which the test does not ask', async () => {
    await setPolicy({ ...webhook, ...rules });
    const csrs = await Promise.all([newCsr('hook-1', '/CN=pump-7'), newCsr('hook-2', '/CN=pump-8')]);
    const [granted, refused] = await Promise.all(
      csrs.map(async (csr) => await test(csr, '--identity', 'user:pump-7')),
    );
    expect(granted).toMatchObject({ code: 0, stderr: '' });
    expect(granted?.stdout).toMatch(
      /\npolicy\.webhook would be asked now: https:\/\/inventory\.example\/est\/decide\nThe CA would be asked now: backends\.local\nGranted, as far as the policy goes\.\n$/,
    );
    expect(refused?.code).toBe(1);
    expect(refused?.stdout).not.toContain('webhook');
  });

  const sessions = examples('sh').map((commands, index) => [commands, examples('text')[index]] as const);

  it('has two sessions', () => {
    expect(sessions).toHaveLength(2);
  });

  it.each(sessions)('has a session that runs as it is printed: %s', async (commands, printed) => {
    await setPolicy(rules);
    const program = `${process.execPath} ${join(import.meta.dirname, '../../src/main.ts')}`;
    const line = commands.replace('est-gateway', program);
    expect(await place.bash(`{ ${line.trimEnd()} || true; } 2>&1 | grep -v -e '^[.+*-]*$'`)).toBe(printed);
  });

  it('lists the rules of the examination in their order, by the names that they have', async () => {
    await output(['user', 'add', 'a', '--once', '--config', file('est-gateway.yaml')]);
    await setPolicy({ quota: { certificates: 1, period: 60 } });
    await place.bash(
      'openssl req -new -newkey rsa:2048 -nodes -keyout a.key -subj /CN=a -out a.csr 2> a.log',
    );
    const { stdout } = await test(file('a.csr'), '--identity', 'user:a');
    const asked = stdout.split('\n').map((line) => line.replace(/^(passed|skipped) +/, ''));
    const listed = [
      ...page.matchAll(/^\| `((?:fixed: |authentication|knownKeys|policy\.quota)[^`]*)` /gm),
    ].map(([, rule]) => rule);
    expect(listed).toHaveLength(18);
    // The local CA certifies every name as it is.
    const ofLocal = listed.filter((rule) => rule !== namesOfCa);
    expect(asked.filter((rule) => listed.includes(rule))).toEqual(ofLocal);
  });
});

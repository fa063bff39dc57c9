import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { output } from '../cli/command-line.ts';
import { load, shortest } from '../support/configuration-file.ts';
import { generateKeyPair } from '../support/csr.ts';
import { send } from '../support/client.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { examplesIn } from '../support/page.ts';
import { startTestGateway, user } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';
import { describeWith, openWorkplace } from '../support/programs.ts';
import { startSlapd } from '../support/slapd.ts';
import { sayJson, startWebhook } from '../support/webhook.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/authentication.md'), 'utf8');

/** The examples: blocks that are indented by four columns. */
const examples = examplesIn(page);

/** What the example says that begins so or has the text. */
function settingsWith(text: string, replacements: Readonly<Record<string, string>> = {}): object {
  const example = examples.find((candidate) => candidate.includes(text)) ?? '';
  const replaced = Object.entries(replacements).reduce(
    (whole, [from, to]) => whole.replace(from, to),
    example,
  );
  return parse(replaced) as object;
}

describe('docs/authentication.md', () => {
  const settings = examples.filter((text) => /^\w+:/.test(text));
  const commands = examples.filter((text) => text.startsWith('openssl '));
  const userCommands = examples.filter((text) => text.startsWith('est-gateway user '));

  it('has examples', () => {
    expect([settings.length, commands.length, userCommands.length, examples.length]).toEqual([7, 1, 1, 9]);
  });

  it.each(settings)('has settings that the gateway understands: %s', async (text) => {
    const inAlias = text.replaceAll(/^/gm, '    ').trimEnd();
    const isGlobal = text.includes('allowedNetworks');
    const around = shortest.replace('authentication: basic', 'authentication: either');
    const configuration = await load(isGlobal ? `${around}${text}` : `${around}${inAlias}\n`);
    const [key = ''] = text.split(':');
    const loaded = isGlobal ? configuration : configuration.aliases['est'];
    expect(loaded).toHaveProperty(key);
  });

  it.each(commands)(
    'has commands that certify a registration authority, and settings for it: %s',
    async (text) => {
      const gateway = await startTestGateway({ aliases: { est: settingsWith('registrationAuthorities:') } });
      const workplace = await openWorkplace();
      try {
        const program = `${process.execPath} ${join(import.meta.dirname, '../../src/main.ts')}`;
        const line = text
          .replace('est-gateway', program)
          .replace(' --csr', ` --config ${gateway.configurationFile} --csr`);
        await workplace.bash(line);
        expect(await workplace.bash('openssl x509 -in ra.pem -noout -subject -ext extendedKeyUsage')).toMatch(
          /CN = RA of plant 1[^]*CMC Registration Authority/,
        );
        const [cert, key] = [await workplace.bash('cat ra.pem'), await workplace.bash('cat ra.key')];
        const statuses = [];
        for (const name of ['press.plant-1.example', 'press.plant-2.example']) {
          const csr = await plainCsr(name, await generateKeyPair('P-256'));
          const tls = { ca: gateway.trustAnchor, cert, key };
          statuses.push((await send(`${gateway.url}/simpleenroll`, { ...tls, ...enrolment(csr) })).status);
        }
        expect(statuses).toEqual([200, 403]);
      } finally {
        await workplace.remove();
        await gateway.stop();
      }
    },
  );

  it.each(userCommands)('adds users by: %s', async (text) => {
    const gateway = await startTestGateway();
    try {
      const commands = text.trimEnd().split('\n');
      for (const command of commands) {
        const [, ...words] = command.split(' ');
        const code = await output([...words, '--alias', 'est', '--config', gateway.configurationFile]);
        expect(code).toMatch(/^\S{20,}\n$/);
      }
      const added = (await gateway.store.users.list()).filter(({ name }) => name !== 'device');
      expect(added).toHaveLength(commands.length);
    } finally {
      await gateway.stop();
    }
  });
});

describe("docs/authentication.md's users of a service", () => {
  /** The lines of an example. */
  const jsonOf = (mark: string): readonly Readonly<Record<string, string>>[] =>
    (new RegExp(`^\`\`\`json ${mark}\\n([^\`]+)\\n\`\`\`$`, 'm').exec(page)?.[1] ?? '')
      .split('\n')
      .map((line) => JSON.parse(line) as Readonly<Record<string, string>>);

  it('are those of a webhook with its settings, question and answers', async () => {
    const service = await startWebhook();
    const gateway = await startTestGateway({
      aliases: { est: settingsWith('driver: webhook', { 'people.example': new URL(service.url).host }) },
      files: { 'people-ca.pem': service.trustAnchor, 'people-token': 'of-the-gateway' },
    });
    try {
      const [question = {}] = jsonOf('question');
      const { username: name = '', code = '' } = question;
      const statuses = [];
      for (const answer of jsonOf('answers')) {
        service.answer(sayJson(answer));
        statuses.push((await enrolAs(gateway, { name, code })).status);
        expect(service.questions).toMatchObject([{ method: 'POST', path: '/est/login' }]);
        expect(service.questions[0]?.headers.authorization).toBe('Bearer of-the-gateway');
        expect(service.questions[0]?.json).toEqual(question);
      }
      expect(statuses).toEqual([200, 401, 401]);
    } finally {
      await gateway.stop();
      await service.stop();
    }
  });
});

describeWith('htpasswd', "docs/authentication.md's users of a file", () => {
  it('are those that its command writes', async () => {
    const [, command = ''] = /`(htpasswd [^`]*)` \(`-c` as well for a new file\)/.exec(page) ?? [];
    const place = await openWorkplace();
    // Without a terminal it asks on its standard input, twice.
    const write = async (line: string, code: string): Promise<string> => {
      await place.bash(`printf '%s\\n' '${code}' '${code}' | setsid --wait ${line} 2>&1`);
      return await place.bash('cat users.htpasswd');
    };
    const gateway = await startTestGateway({
      aliases: { est: settingsWith('driver: htpasswd') },
      files: { 'users.htpasswd': await write(command.replace(' -B', ' -c -B'), 'her first code') },
    });
    try {
      const statusOf = async (name: string, code: string): Promise<number> =>
        (await enrolAs(gateway, { name, code })).status;
      expect(await statusOf('sensor-17', 'her first code')).toBe(200);
      expect(await statusOf(user.name, user.code)).toBe(200);
      await writeFile(join(gateway.directory, 'users.htpasswd'), await write(command, 'her second code'));
      expect(await statusOf('sensor-17', 'her first code')).toBe(401);
      expect(await statusOf('sensor-17', 'her second code')).toBe(200);
    } finally {
      await gateway.stop();
      await place.remove();
    }
  });
});

describeWith('slapd', "docs/authentication.md's users of an LDAP directory", () => {
  const suffix = 'dc=example,dc=org';
  const device = (name: string, employeeType: string): string => `
dn: uid=${name},ou=devices,${suffix}
objectClass: inetOrgPerson
uid: ${name}
cn: device
sn: device
employeeType: ${employeeType}
userPassword: code of ${name}
`;
  const entries = `dn: cn=est-gateway,${suffix}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: est-gateway
userPassword: password-of-the-gateway

dn: ou=devices,${suffix}
objectClass: organizationalUnit
ou: devices

dn: ou=groups,${suffix}
objectClass: organizationalUnit
ou: groups
${device('sensor-17', 'gateway')}${device('visitor', 'visitor')}${device('stranger', 'device')}
dn: cn=enrolment,ou=groups,${suffix}
objectClass: groupOfNames
cn: enrolment
member: uid=sensor-17,ou=devices,${suffix}
member: uid=visitor,ou=devices,${suffix}
`;

  it('are those of its settings, found by a search or by a pattern', async () => {
    const slapd = await startSlapd(entries, suffix);
    const addresses = {
      'ldaps://ldap1.example': 'ldaps://localhost:1',
      'ldaps://ldap2.example': slapd.ldapsUrl,
    };
    const [, userDn = ''] = /In place of `search`, `(userDn: [^`]*)`/.exec(page) ?? [];
    const searched = settingsWith('driver: ldap', addresses);
    const [source] = (searched as { credentials: readonly object[] }).credentials;
    const named = { credentials: [{ ...source, search: undefined, ...(parse(userDn) as object) }] };
    const gateway = await startTestGateway({
      aliases: { searched, named },
      files: { 'ldap/ca.pem': slapd.trustAnchor, 'ldap/password': 'password-of-the-gateway\n' },
    });
    try {
      for (const alias of ['searched', 'named']) {
        const statuses = [];
        for (const name of ['sensor-17', 'visitor', 'stranger']) {
          statuses.push((await enrolAs(gateway, { alias, name, code: `code of ${name}` })).status);
        }
        statuses.push((await enrolAs(gateway, { alias, name: 'sensor-17', code: 'wrong' })).status);
        expect([alias, ...statuses]).toEqual([alias, 200, 401, 401, 401]);
      }
    } finally {
      await gateway.stop();
      await slapd.remove();
    }
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { newAuthority, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { recordLog } from '../support/log.ts';
import { enrolAs } from '../support/login.ts';
import { describeWith } from '../support/programs.ts';
import { startSlapd, type Slapd } from '../support/slapd.ts';
import { until } from '../support/upstream.ts';
import { openLdap, search, userDn } from './ldap-source.ts';

const password = 'password-of-the-gateway';
const codes = { anna: 'her own code', odd: 'odd one out', twin: 'code of the twins' };
const odd = String.raw`a*(b)\c, "d"+#<e>;`;

/** An entry for each name: DN, object class, and further lines; everything in base64, since names are odd. */
function device(name: string, code: string, ...lines: readonly string[]): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const escaped = name.replaceAll(/[\\",+#<>;]/g, String.raw`\$&`);
  return [
    `dn:: ${base64(`uid=${escaped},ou=devices,dc=example`)}`,
    'objectClass: inetOrgPerson',
    `uid:: ${base64(name)}`,
    'cn: device',
    'sn: device',
    `userPassword:: ${base64(code)}`,
    ...lines,
    '',
  ].join('\n');
}

const entries = `
dn: cn=est-gateway,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: est-gateway
userPassword: ${password}

dn: ou=devices,dc=example
objectClass: organizationalUnit
ou: devices

dn: ou=groups,dc=example
objectClass: organizationalUnit
ou: groups

${device('anna', codes.anna, 'employeeType: Device', 'memberOf: cn=names,ou=groups,dc=example')}
${device('emil', codes.anna, 'employeeType: visitor')}
${device('täglich', 'p:q')}
${device(odd, codes.odd)}
${device('of-many-names', codes.anna, 'uid: alias-of-it')}
${device('twin-1', codes.twin, 'employeeNumber: 7')}
${device('twin-2', codes.twin, 'employeeNumber: 7')}
dn: uid=locked,ou=devices,dc=example
objectClass: account
uid: locked

dn: cn=names,ou=groups,dc=example
objectClass: groupOfNames
cn: names
member: uid=anna,ou=devices,dc=example

dn: cn=unique,ou=groups,dc=example
objectClass: groupOfUniqueNames
cn: unique
uniqueMember: uid=anna,ou=devices,dc=example

dn: cn=posix,ou=groups,dc=example
objectClass: posixGroup
cn: posix
gidNumber: 1
memberUid: anna

dn: cn=others,ou=groups,dc=example
objectClass: groupOfNames
cn: others
member: cn=est-gateway,dc=example
`.trimStart();

const group = (name: string): string => `cn=${name},ou=groups,dc=example`;

describeWith('slapd', 'Basic with the users of an LDAP directory', () => {
  let slapd: Slapd;
  let gateway: TestGateway;
  let files: Readonly<Record<string, string>>;

  beforeAll(async () => {
    slapd = await startSlapd(entries);
    files = {
      'ldap.pem': slapd.trustAnchor,
      'other.pem': (await newAuthority()).rootCertificate,
      'ldap.password': `${password}\n`,
      'wrong.password': 'wrong',
    };
    const searched = { driver: 'ldap', urls: [slapd.ldapsUrl], trustAnchor: 'ldap.pem', search };
    const named = { driver: 'ldap', urls: [slapd.ldapsUrl], trustAnchor: 'ldap.pem', userDn };
    const by = (way: string, ...names: readonly string[]) => ({
      groups: { by: way, anyOf: names.map(group) },
    });
    const sources: Readonly<Record<string, object>> = {
      searched,
      bounded: searched,
      named,
      starttls: { ...searched, urls: [slapd.ldapUrl], startTls: true },
      loopback: { driver: 'ldap', urls: [slapd.ldapUrl], search },
      'member-of': { ...searched, ...by('memberOf', 'others', 'names') },
      member: { ...searched, ...by('member', 'others', 'names') },
      'unique-member': { ...searched, ...by('uniqueMember', 'unique') },
      'member-uid': { ...searched, ...by('memberUid', 'posix') },
      'named-member': { ...named, ...by('member', 'names'), attributes: { employeeType: ['device'] } },
      attribute: { ...searched, attributes: { employeeType: ['gateway', 'device'] } },
      numbers: {
        ...searched,
        search: { ...search, filter: '(employeeNumber=${username})' },
        nameAttribute: 'employeeNumber',
      },
      'other-ca': { ...searched, trustAnchor: 'other.pem' },
      'other-ca-starttls': { ...searched, trustAnchor: 'other.pem', urls: [slapd.ldapUrl], startTls: true },
      'other-host': { ...searched, urls: [slapd.unnamedUrl] },
      'wrong-bind': { ...searched, search: { ...search, bindPassword: 'file:wrong.password' } },
      'second-server': { ...searched, urls: ['ldaps://localhost:1', slapd.ldapsUrl] },
      'no-group': { ...searched, ...by('member', 'nowhere') },
    };
    const policy = { quota: { certificates: 1 } };
    const aliases = Object.entries(sources).map(([name, source]) => [
      name,
      {
        authentication: 'basic',
        credentials: [source, { driver: 'store' }],
        ...(name === 'bounded' && { policy }),
      },
    ]);
    gateway = await startTestGateway({
      aliases: Object.fromEntries(aliases) as Record<string, object>,
      files,
      limits: { wrongCodes: 1000 },
    });
    for (const [name, code] of [
      ['clara', 'of the store'],
      ['anna', 'of the store'],
    ] as const) {
      await addUser(gateway.store, { alias: 'searched', name, code, remainingUses: undefined });
    }
  });
  afterAll(async () => {
    await gateway.stop();
    await slapd.remove();
  });

  async function statusOf(alias: string, name: string, code: string): Promise<number> {
    return (await enrolAs(gateway, { alias, name, code })).status;
  }

  async function statusesOf(alias: string, ...logins: readonly (readonly [name: string, code: string])[]) {
    return await Promise.all(logins.map(async ([name, code]) => await statusOf(alias, name, code)));
  }

  /** What sources at an alias have said of users, in log lines of the level. */
  function reasons(level: string, alias: string): readonly unknown[] {
    return gateway.log.entries
      .filter((entry) => entry.level === level && 'source' in entry.fields && entry.fields['alias'] === alias)
      .flatMap(({ fields }) => fields['reason'] ?? []);
  }

  it.each(['searched', 'named', 'starttls', 'loopback'])(
    'A-05 A-07 asks the directory (%s)',
    async (alias) => {
      const right = [
        ['anna', codes.anna],
        ['täglich', 'p:q'],
        ['ta\u0308glich', 'p:q'],
        [odd, codes.odd],
      ] as const;
      expect(await statusesOf(alias, ...right)).toEqual([200, 200, 200, 200]);
      const wrong = [
        ['anna', `${codes.anna} `],
        ['nobody', codes.anna],
        ['', codes.anna],
        ['device', 'x'],
      ] as const;
      expect(await statusesOf(alias, ...wrong)).toEqual([401, 401, 401, 401]);
    },
  );

  it('gives an entry one quota, whichever of its names is used', async () => {
    expect(await statusOf('bounded', 'of-many-names', codes.anna)).toBe(200);
    expect(await statusOf('bounded', 'alias-of-it', codes.anna)).toBe(429);
    expect(await statusOf('bounded', 'anna', codes.anna)).toBe(200);
  });

  it.each([
    '*',
    'an*',
    '*)(uid=*',
    'anna)(uid=*',
    'anna)(|(uid=*',
    String.raw`\2a`,
    String.raw`\61nna`,
    '(anna)',
    'anna,ou=devices,dc=example',
    'x+uid=anna',
    'anna\0',
    '$&',
    'EXTERNAL',
  ])('takes nothing in a name for a part of the filter or the DN: %j', async (name) => {
    const statuses = ['searched', 'named'].map(async (alias) => await statusOf(alias, name, codes.anna));
    expect(await Promise.all(statuses)).toEqual([401, 401]);
    // It has found nobody, rather than somebody of another name.
    expect(reasons('warn', 'searched')).toEqual([]);
  });

  it.each(['searched', 'named'])('does not ask the directory about an empty code (%s)', async (alias) => {
    const before = slapd.log();
    expect(await statusOf(alias, 'anna', '')).toBe(401);
    expect(slapd.log()).toBe(before);
  });

  it.each(['Anna', 'anna ', ' anna'])(
    'gives nobody a second name that the directory takes for the same: %j',
    async (name) => {
      expect(await statusOf('searched', name, codes.anna)).toBe(401);
      expect(await statusOf('named', name, codes.anna)).toBe(401);
      expect(reasons('warn', 'searched')).toContain('its entry has another uid, or writes it differently');
      expect(reasons('warn', 'named')).toContain('its entry has another uid, or writes it differently');
    },
  );

  it('asks the next source about unknown names alone', async () => {
    expect(await statusOf('searched', 'clara', 'of the store')).toBe(200);
    expect(await statusOf('searched', 'anna', 'of the store')).toBe(401);
  });

  it.each(['member-of', 'member', 'unique-member', 'member-uid', 'attribute', 'named-member'])(
    'lets those enrol alone who are what the rules say (%s)',
    async (alias) => {
      expect(await statusOf(alias, 'anna', codes.anna)).toBe(200);
      expect(await statusOf(alias, 'emil', codes.anna)).toBe(401);
      expect(reasons('warn', alias)).toEqual([
        expect.stringMatching(/^it is in none of the groups$|^its employeeType has none of the values/),
      ]);
      expect(await statusOf(alias, 'anna', 'wrong')).toBe(401);
    },
  );

  it('refuses a name that several entries have', async () => {
    expect(await statusOf('numbers', '7', codes.twin)).toBe(401);
    expect(reasons('warn', 'numbers')).toEqual(['several entries match search.filter']);
  });

  it('refuses an entry without a password, whatever the code', async () => {
    expect(await statusOf('searched', 'locked', 'x')).toBe(401);
    expect(await statusOf('named', 'locked', 'x')).toBe(401);
  });

  it('asks the second server when the first cannot be reached', async () => {
    expect(await statusOf('second-server', 'anna', codes.anna)).toBe(200);
  });

  it('sends nothing before StartTLS', async () => {
    const before = slapd.log().length;
    expect(await statusOf('starttls', 'anna', codes.anna)).toBe(200);
    const operations = [
      ...slapd
        .log()
        .slice(before)
        .matchAll(/ (STARTTLS|TLS established|BIND dn=|SRCH base=)/g),
    ];
    expect(operations.map(([, what]) => what)).toEqual([
      'STARTTLS',
      'TLS established',
      'BIND dn=',
      'BIND dn=',
      'SRCH base=',
      'BIND dn=',
      'BIND dn=',
    ]);
  });

  it.each([
    ['other-ca', /certificate/],
    ['other-ca-starttls', /certificate/],
    ['other-host', /does not match certificate/],
    ['wrong-bind', /^The bind as search\.bindDn is refused: /],
    ['no-group', /^NoSuchObjectError: /],
  ])('answers 503 when the directory is not as it should be: %s', async (alias, reason) => {
    const answer = await enrolAs(gateway, { alias, name: 'anna', code: codes.anna });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(reasons('error', alias)).toEqual([expect.stringMatching(reason)]);
  });

  it('says in check which directory cannot be used', async () => {
    const problems = await checkGateway(await loadConfiguration(gateway.configurationFile), recordLog());
    expect([...problems].sort()).toEqual([
      expect.stringMatching(/^aliases\.other-ca-starttls: credentials\[0\]: .*certificate/),
      expect.stringMatching(/^aliases\.other-ca: credentials\[0\]: .*certificate/),
      expect.stringMatching(/^aliases\.other-host: credentials\[0\]: .*certificate/),
      expect.stringMatching(/^aliases\.wrong-bind: credentials\[0\]: The bind as search\.bindDn is refused/),
    ]);
  });

  it('leaves no connection open', async () => {
    const count = (what: RegExp): number => [...slapd.log().matchAll(what)].length;
    expect(count(/ ACCEPT /g)).toBeGreaterThan(20);
    await until(() => count(/ ACCEPT /g) === count(/ closed/g), 'all connections are closed');
  });

  it('answers 503 while the directory is down, and asks neither CA nor the next source', async () => {
    const before = await gateway.store.enrollments.list(1000);
    await slapd.down();
    const answers = await Promise.all(
      ['searched', 'named', 'starttls'].map(
        async (alias) => await enrolAs(gateway, { alias, name: 'clara', code: 'of the store' }),
      ),
    ).finally(async () => {
      await slapd.up();
    });
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 503,
        headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
      });
    }
    expect(reasons('error', 'searched')).toEqual([expect.stringMatching(/^ldaps:.*ECONNREFUSED/)]);
    expect(await gateway.store.enrollments.list(1000)).toEqual(before);
    expect(await statusOf('searched', 'anna', codes.anna)).toBe(200);
  });

  it('S-24 writes no code and no password into the log', () => {
    const log = gateway.log.lines().join('\n');
    for (const secret of [...Object.values(codes), password, 'of the store'])
      expect(log).not.toContain(secret);
  });

  it('S-24 makes those wait who guess', async () => {
    const credentials = [{ driver: 'ldap', urls: [slapd.ldapUrl], search }];
    const strict = await startTestGateway({
      aliases: { ldap: { authentication: 'basic', credentials } },
      files,
      limits: { wrongCodes: 1 },
    });
    try {
      const status = async (code: string) =>
        (await enrolAs(strict, { alias: 'ldap', name: 'anna', code })).status;
      expect([await status('one'), await status('two'), await status(codes.anna)]).toEqual([401, 401, 429]);
    } finally {
      await strict.stop();
    }
  });

  it('takes no name with a NUL for the one before it', async () => {
    const passwordFile = join(gateway.directory, 'ldap.password');
    for (const way of [{ search: { ...search, bindPassword: `file:${passwordFile}` } }, { userDn }]) {
      const source = await openLdap({ urls: [slapd.ldapUrl], ...way });
      const verdict = await source.prove({ name: 'anna\0', code: codes.anna }, AbortSignal.timeout(5000));
      expect(['unknown', 'wrong']).toContain(verdict.state);
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { reservedNames } from '../../src/reserved-names.ts';
import { problemsOf, shortest } from '../support/configuration-file.ts';

/** The shortest configuration with one text replaced. */
async function after(from: string, to: string): Promise<readonly string[]> {
  expect(shortest).toContain(from);
  return await problemsOf(shortest.replace(from, to));
}

/** A gateway that is reached through a proxy alone, whose alias requires linking. */
function linkedBehindProxy(proxy: string, alias = ''): string {
  return shortest
    .replace(
      / {2}est:\n {4}certificate.*\n.*\n/,
      `  proxy: { socket: est.sock, clientCertificate: nginx${proxy} }\n`,
    )
    .replace('authentication: basic', `authentication: either\n    policy: { linking: required }\n${alias}`);
}

const estListener = shortest.slice(0, shortest.indexOf('store:'));

describe('What the reader of a wrong configuration sees', () => {
  it.each([
    [
      ['authentication: basic', 'authentification: basic\n    authentication: both'],
      'est-gateway.yaml:10: aliases.est.authentification: unknown key; did you mean "authentication"?',
    ],
    [
      ['authentication: basic', 'authentication: none'],
      'est-gateway.yaml:10: aliases.est.authentication: expected one of "clientCertificate", "basic", "either", "both", found "none"',
    ],
    [
      ['    authentication: basic\n', ''],
      'est-gateway.yaml:8: aliases.est: the key "authentication" is missing; expected one of "clientCertificate", "basic", "either", "both"',
    ],
    [
      ['store: { driver: sqlite, file: state.sqlite }\n', ''],
      'est-gateway.yaml:1: the key "store" is missing; expected a mapping',
    ],
    [
      ['{ driver: sqlite, file: state.sqlite }', '{ driver: sqlite, path: state.sqlite, file: a }'],
      'est-gateway.yaml:5: store.path: unknown key; expected one of "driver", "file"',
    ],
    [
      ['driver: sqlite', 'driver: postgres'],
      'est-gateway.yaml:5: store.driver: expected "sqlite", found "postgres"',
    ],
    [
      [estListener, 'listeners: { http: {} }\n'],
      'est-gateway.yaml:1: listeners: expected the key "est", or the key "proxy", found a mapping',
    ],
    [
      [estListener, ''],
      'est-gateway.yaml:1: the key "listeners" is missing; expected the key "est", or the key "proxy"',
    ],
    [
      ['{ driver: mock }', '{ driver: lokal }'],
      'est-gateway.yaml:6: backends.test.driver: expected one of "local", "ejbca", "est", "mock", found "lokal"',
    ],
    [
      ['{ driver: mock }', '{}'],
      'est-gateway.yaml:6: backends.test.driver: expected one of "local", "ejbca", "est", "mock", found nothing',
    ],
    [
      ['{ test: { driver: mock } }', '{}\n#'],
      'est-gateway.yaml:6: backends: expected a mapping with at least one entry, found an empty mapping',
    ],
    [
      ['backend: test', 'backend: tset'],
      'est-gateway.yaml:9: aliases.est.backend: expected "test", found "tset"',
    ],
    [
      ['backend: test', 'backend: constructor'],
      'est-gateway.yaml:9: aliases.est.backend: expected "test", found "constructor"',
    ],
    [
      [
        '    certificate',
        '    proxyProtocol: { trustedAddresses: [127.0.0.1, 10.0.0.0/33] }\n    certificate',
      ],
      'est-gateway.yaml:3: listeners.est.proxyProtocol.trustedAddresses[1]: expected an IP address, or a network such as 10.0.0.0/8 or fd00::/8, found "10.0.0.0/33"',
    ],
    [
      ['    certificate', '    port: 65536\n    certificate'],
      'est-gateway.yaml:3: listeners.est.port: expected a whole number from 0 to 65535, found 65536',
    ],
    [
      ['    certificate', '    port: "8443"\n    certificate'],
      'est-gateway.yaml:3: listeners.est.port: expected a whole number from 0 to 65535, found "8443"',
    ],
    [
      ['certificate: tls', 'certificate: file:tls'],
      'est-gateway.yaml:3: listeners.est.certificate: expected the path of a file, without "file:", found "file:tls/server.pem"',
    ],
    [
      ['backend: test', 'backend: test\n    wrap: { toString: 64 }'],
      'est-gateway.yaml:10: aliases.est.wrap: expected one of "auto", "64", "none", found a mapping',
    ],
    [
      ['backend: test', 'backend: test\n    wrap: 64'],
      'est-gateway.yaml:10: aliases.est.wrap: expected one of "auto", "64", "none", found 64; write it in quotation marks',
    ],
    [
      ['backend: test', 'backend: test\n    additionalCaCertificates:\n      - a.pem\n      - 5'],
      'est-gateway.yaml:12: aliases.est.additionalCaCertificates[1]: expected the path of a file, without "file:", found 5',
    ],
    [
      ['backend: test', 'backend: test\n    policy: { keys: [RSA, P-256, RSA] }'],
      'est-gateway.yaml:10: aliases.est.policy.keys: the entries 1 and 3 are the same',
    ],
    [
      ['backend: test', 'backend: test\n    policy: { keys: [] }'],
      'est-gateway.yaml:10: aliases.est.policy.keys: expected a list with at least one entry, found an empty list',
    ],
    [
      ['backend: test', 'backend: test\n    strict: yes'],
      'est-gateway.yaml:10: aliases.est.strict: expected true or false, found "yes"',
    ],
    [
      ['backend: test', 'backend: test\n    policy: { quota: { certificates: .nan } }'],
      'est-gateway.yaml:10: aliases.est.policy.quota.certificates: expected a whole number from 1 to 1000000, found NaN',
    ],
    [['aliases:', 'limits:\naliases:'], 'est-gateway.yaml:7: limits: expected a mapping, found nothing'],
    [
      ['aliases:', 'limits: { requestTimeout: 5 }\naliases:'],
      'est-gateway.yaml:7: limits.headersTimeout: expected at most 5, which is limits.requestTimeout, found 10',
    ],
    [
      ['{ driver: mock } }', '{ driver: mock, retryAfter: 6 } }\nlimits: { pendingExpiry: 5 }'],
      'est-gateway.yaml:7: limits.pendingExpiry: expected at least 6, which is backends.test.retryAfter, found 5; a request would lapse before its client asks again',
    ],
    [
      ['  est:\n    backend', '  a b: { backend: test, authentication: both }\n  est:\n    backend'],
      'est-gateway.yaml:8: aliases["a b"]: expected a name of at most 64 characters, as it stands in paths: letters, digits and -._~!$&\'()*+,;=:@, others percent-encoded in upper case; not "." or "..", found "a b"',
    ],
    [
      ['backend: test', 'backend: "\\e[31m\\u202e\\n"'],
      String.raw`est-gateway.yaml:9: aliases.est.backend: expected "test", found "\u001b[31m\u202e\n"`,
    ],
  ])('%j', async ([from, to], problem) => {
    expect(await after(String(from), String(to))).toEqual([problem]);
  });

  it('X-12 linking that nobody can verify', async () => {
    expect(await problemsOf(linkedBehindProxy(''))).toEqual([
      'est-gateway.yaml:9: aliases.est.policy.linking: TLS ends at the proxy, where it cannot be verified; leave it out, or say trust in listeners.proxy.linking',
    ]);
    expect(await problemsOf(linkedBehindProxy(', linking: trust'))).toEqual([]);
    const authority =
      'registrationAuthorities: { plant: { commonName: plant, foreignLinking: true, names: { commonName: ["*"] } } }';
    expect(await problemsOf(linkedBehindProxy('', `    ${authority}`))).toEqual([]);
  });

  it.each(['ca:1', '__proto__', "it's", '~', 'x'.repeat(64), 'caf%C3%A9'])(
    'H-04 S-40 lets an alias be named %s',
    async (name) => {
      const line = `aliases:\n  ${JSON.stringify(name)}: { backend: test, authentication: both }`;
      expect(await after('aliases:', line)).toEqual([]);
    },
  );

  it.each(['.', '..', 'a/b', 'a?', 'a#b', 'a%2fb', '%41', 'a%', 'é', 'a\\', 'a"', '', 'x'.repeat(65), 'a\n'])(
    'H-06 lets no alias be named %j',
    async (name) => {
      const line = `aliases:\n  ${JSON.stringify(name)}: { backend: test, authentication: both }`;
      expect(await after('aliases:', line)).toEqual([
        expect.stringMatching(
          /^est-gateway\.yaml:8: aliases[.[].*: expected a name of at most 64 characters/,
        ),
      ]);
    },
  );

  it('lists all that is wrong at once, in the order of the file', async () => {
    const text = shortest
      .replace('certificate', 'zertifikate')
      .replace('backend: test', 'backend: 7')
      .replace('sqlite,', 'no,');
    expect((await problemsOf(text)).map((problem) => problem.split(' ', 2).join(' '))).toEqual([
      'est-gateway.yaml:2: listeners.est:',
      'est-gateway.yaml:3: listeners.est.zertifikate:',
      'est-gateway.yaml:5: store.driver:',
      'est-gateway.yaml:9: aliases.est.backend:',
    ]);
  });

  it('H-05 wants the alias that is served without a name', async () => {
    expect(await after('  est:\n    backend', '  other:\n    backend')).toEqual([
      'est-gateway.yaml:7: aliases: the key "est" is missing; expected the alias that is served without a name in the path',
    ]);
  });

  it.each([...reservedNames])('H-06, O-01, O-03 lets no alias be named %s', async (name) => {
    expect(await after('aliases:', `aliases:\n  ${name}: { backend: test, authentication: both }`)).toEqual([
      `est-gateway.yaml:8: aliases.${name}: this name has a meaning of its own in EST paths; choose another one`,
    ]);
  });

  it.each([
    'hunter2',
    'hunter2: x',
    '[hunter2]',
    '{ a: hunter2 }',
    '*hunter2',
    '!hunter2',
    '!hunter2 x',
    '"hunter2',
    '@hunter2',
    '"hunter2\\q"',
    '|hunter2',
    '%hunter2',
    'a: hunter2: b',
    '"hunter2" hunter2',
  ])('S-31 never shows what stands where a secret belongs: %s', async (value) => {
    const problems = await after('file:tls/server.key', value);
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  it('says what a secret reference looks like', async () => {
    expect(await after('file:tls/server.key', 'tls/server.key')).toEqual([
      'est-gateway.yaml:4: listeners.est.privateKey: expected file:PATH or env:NAME, found something else (not shown here, it may be the secret itself)',
    ]);
  });
});

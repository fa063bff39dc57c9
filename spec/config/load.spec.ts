import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { load, problemsOf, shortest } from '../support/configuration-file.ts';

describe('loadConfiguration', () => {
  it('fills in every default', async () => {
    const { listeners, aliases, limits, revocation, logging } = await load(shortest);
    expect(listeners.est).toMatchObject({ address: '::', port: 8443, minimumVersion: 'TLSv1.2' });
    expect(listeners.http).toBeUndefined();
    expect(aliases['est']).toEqual({
      backend: 'test',
      authentication: 'basic',
      httpAuthentication: ['basic'],
      credentials: [{ driver: 'store' }],
      explicitTrustAnchors: [],
      additionalCaCertificates: [],
      implicitTrustAnchors: [],
      implicitCertificatePolicies: [],
      revocation: {
        sources: ['backend'],
        crlFiles: [],
        crlUrls: [],
        ocspResponders: {},
        followCertificates: false,
        onFailure: 'hard',
        withoutSource: 'accept',
      },
      registrationAuthorities: {},
      knownKeys: [],
      compatibility: 'rfc',
      strict: false,
      wrap: 'auto',
      policy: {
        rules: [],
        subject: [
          'commonName',
          'serialNumber',
          'organizationName',
          'organizationalUnitName',
          'countryName',
          'stateOrProvinceName',
          'localityName',
        ],
        subjectAltName: ['dNSName', 'iPAddress'],
        names: 'certificate',
        freeSubject: [],
        keys: ['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
        linking: 'optional',
        otpChallenge: 'unused',
        required: { subject: {}, subjectAltName: {}, extensions: {}, attributes: {} },
        changeSubjectName: false,
        renewWithSameKey: true,
        renewAfterPercent: 0,
        renewOtherAliases: false,
        renewExpiredDays: 0,
      },
    });
    expect(limits).toEqual({
      bodyBytes: 65536,
      headersTimeout: 10,
      requestTimeout: 30,
      handshakeTimeout: 10,
      connections: 10000,
      connectionsPerAddress: 2500,
      repeatWindow: 3600,
      pendingPerIdentity: 100,
      pendingPerAlias: 10_000,
      pendingExpiry: 604_800,
      wrongCodes: 5,
      wrongCodeWait: 900,
    });
    expect(revocation).toEqual({ allowedNetworks: [], timeout: 5, maxBytes: 33_554_432, refresh: 3600 });
    expect(logging).toEqual({ level: 'info', format: 'auto' });
  });

  it('makes paths absolute, relative to the configuration file, those of drivers too', async () => {
    const text = shortest.replace(
      'test: { driver: mock }',
      'test: { driver: local, certificate: ca.pem, privateKey: env:CA_KEY, passphrase: file:../p, chain: [/etc/root.pem] }',
    );
    const { file, listeners, store, backends } = await load(text);
    const directory = dirname(file);
    expect(listeners.est?.certificate).toBe(join(directory, 'tls/server.pem'));
    expect(listeners.est?.privateKey).toBe(`file:${join(directory, 'tls/server.key')}`);
    expect(store['file']).toBe(join(directory, 'state.sqlite'));
    expect(backends['test']).toMatchObject({
      certificate: join(directory, 'ca.pem'),
      privateKey: 'env:CA_KEY',
      passphrase: `file:${join(directory, '../p')}`,
      chain: ['/etc/root.pem'],
    });
  });

  it('gives a result that nobody can change', async () => {
    const { aliases } = await load(shortest);
    expect(() => Object.assign(aliases, { other: aliases['est'] })).toThrow(TypeError);
    expect(() => Object.assign(aliases['est']?.policy ?? {}, { names: 'identity' })).toThrow(TypeError);
  });

  it('lets a port of 0 stand for any free port', async () => {
    const { listeners } = await load(
      shortest.replace('  est:\n', '  http: { port: 0 }\n  est:\n    port: 0\n'),
    );
    expect([listeners.est?.port, listeners.http?.port]).toEqual([0, 0]);
  });

  it('S-40 takes an alias named like a member of every object for an alias like others', async () => {
    const { aliases } = await load(`${shortest}  constructor: { backend: test, authentication: both }\n`);
    expect(Object.keys(aliases)).toEqual(['est', 'constructor']);
    expect(aliases.constructor).toMatchObject({ authentication: 'both', wrap: 'auto' });
  });

  it('reads a byte order mark, CRLF, and keys that look like numbers', async () => {
    const text = `\uFEFF${shortest}  42: { backend: test, authentication: both }\n`.replaceAll('\n', '\r\n');
    expect(Object.keys((await load(text)).aliases)).toContain('42');
  });

  it('answers any YAML with a configuration or a ConfigurationError', async () => {
    const words = fc.constantFrom(
      ...[
        'listeners',
        'est',
        'store',
        'driver',
        'backends',
        'aliases',
        'policy',
        'limits',
        'logging',
        'local',
      ],
      ...[
        'mock',
        'sqlite',
        'backend',
        'authentication',
        '__proto__',
        'constructor',
        'toString',
        'cacerts',
        'port',
      ],
    );
    const { value } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        words,
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.integer(),
        fc.constant(null),
        fc.boolean(),
      ),
      value: fc.oneof(
        { depthSize: 'medium' },
        tie('leaf'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(words, fc.string()), tie('value'), { maxKeys: 8 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(value, async (document) => {
        expect(await problemsOf(stringify(document))).not.toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('answers any text with a configuration or a ConfigurationError', async () => {
    const fragment = fc.constantFrom(
      ...[
        'a',
        ': ',
        '- ',
        '\n',
        '  ',
        '\t',
        '&x ',
        '*x',
        '!t ',
        '"',
        "'",
        '{',
        '}',
        '[',
        ']',
        '|',
        '>',
        '#',
        '? ',
        '---',
        '%YAML 1.1\n',
        '<<',
        '\0',
        '\u202e',
      ],
    );
    const text = fc.array(fragment, { maxLength: 30 }).map((fragments) => fragments.join(''));
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        expect(await problemsOf(content)).not.toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['nested too deep', '['.repeat(100_000)],
    ['that contains itself', 'aliases: &a { est: *a, b: [*a] }'],
    ['that grows without bounds', growing()],
  ])('survives a document %s', async (_name, content) => {
    expect(await problemsOf(content)).not.toEqual([]);
  });
});

/** Nine lists of nine aliases to the list before. */
function growing(): string {
  const lines = Array.from(
    { length: 9 },
    (_, i) => `k${i + 1}: &k${i + 1} [${Array(9).fill(`*k${i}`).join(', ')}]`,
  );
  return ['k0: &k0 x', ...lines].join('\n');
}

import { describe, expect, it } from '@jest/globals';
import { problemsOf, shortest } from '../support/configuration-file.ts';

/** The shortest configuration, whose alias authenticates in this way and has these lines more. */
const withAlias = (lines: string, authentication = 'either'): string =>
  shortest.replace('    authentication: basic\n', `    authentication: ${authentication}\n    ${lines}\n`);
const unused = (place: string, reason: string): string =>
  `aliases.est.${place}: it would not be used: ${reason}`;
const noCrl = 'revocation.sources does not have crl; write "sources: [backend, crl]"';
const noOcsp = 'revocation.sources does not have ocsp; write "sources: [backend, ocsp]"';
const noCertificates = 'with "authentication: basic" client certificates are never looked at';
const noUsers = 'with "authentication: clientCertificate" user names and codes are never asked for';
const encryption = 'encryption: { signer: { certificate: a.pem, privateKey: "file:a.key" }';
const authorities = 'registrationAuthorities: { ra: { commonName: ra, names: { commonName: ["*"] } } }';

describe('What is written is used, or the configuration is refused', () => {
  it.each<readonly [lines: string, problem: string, authentication?: string]>([
    ['revocation: { crlFiles: [vendor.pem], onFailure: hard }', unused('revocation.crlFiles', noCrl)],
    ['revocation: { crlUrls: ["http://a.example/"] }', unused('revocation.crlUrls', noCrl)],
    ['revocation: { crlUrls: { "http://a.example/": ca.pem } }', unused('revocation.crlUrls', noCrl)],
    [
      'revocation: { sources: [ocsp], followCertificates: true, crlFiles: [a.pem] }',
      unused('revocation.crlFiles', noCrl),
    ],
    [
      'revocation: { ocspResponders: { "http://a.example/": ca.pem } }',
      unused('revocation.ocspResponders', noOcsp),
    ],
    ['revocation: { followCertificates: true }', unused('revocation.followCertificates', noCrl)],
    [
      'revocation: { sources: [backend, crl] }',
      'aliases.est.revocation.sources: holds crl, and neither crlFiles nor crlUrls says which, nor does followCertificates; add it, or leave the source out',
    ],
    [
      'revocation: { sources: [ocsp] }',
      'aliases.est.revocation.sources: holds ocsp, and ocspResponders does not say which, nor does followCertificates; add it, or leave the source out',
    ],
    ['explicitTrustAnchors: [a.pem]', unused('explicitTrustAnchors', noCertificates), 'basic'],
    ['implicitTrustAnchors: [a.pem]', unused('implicitTrustAnchors', noCertificates), 'basic'],
    [authorities, unused('registrationAuthorities', noCertificates), 'basic'],
    ['policy: { changeSubjectName: true }', unused('policy.changeSubjectName', noCertificates), 'basic'],
    ['policy: { renewOtherAliases: true }', unused('policy.renewOtherAliases', noCertificates), 'basic'],
    ['policy: { renewExpiredDays: 3 }', unused('policy.renewExpiredDays', noCertificates), 'basic'],
    ['policy: { renewAfterPercent: 3 }', unused('policy.renewAfterPercent', noCertificates), 'basic'],
    ['policy: { renewWithSameKey: false }', unused('policy.renewWithSameKey', noCertificates), 'basic'],
    [
      `serverKeyGeneration: { ${encryption} } }`,
      unused(
        'serverKeyGeneration.encryption',
        'with "authentication: basic" no client shows a certificate to encrypt for; add keyEncryptionKeys or recipients',
      ),
      'basic',
    ],
    ['httpAuthentication: [digest-SHA-256]', unused('httpAuthentication', noUsers), 'clientCertificate'],
    ['credentials: [{ driver: store }]', unused('credentials', noUsers), 'clientCertificate'],
    [
      'implicitCertificatePolicies: [1.2.3]',
      unused(
        'implicitCertificatePolicies',
        'there are no implicitTrustAnchors whose certificates could have the policies',
      ),
    ],
  ])('refuses %s', async (lines, problem, authentication = 'either') => {
    expect(await problemsOf(withAlias(lines, authentication))).toEqual([
      expect.stringContaining(`: ${problem}`),
    ]);
  });

  it.each<readonly [lines: string, authentication?: string]>([
    ['revocation: { sources: [backend, crl], crlFiles: [vendor.pem] }'],
    ['revocation: { sources: [crl, ocsp], followCertificates: true }'],
    ['revocation: { sources: [ocsp], ocspResponders: { "http://a.example/": ca.pem } }'],
    ['revocation: { crlFiles: [], crlUrls: [], ocspResponders: {}, followCertificates: false }'],
    ['httpAuthentication: [digest-SHA-256]\n    compatibility: ejbca', 'clientCertificate'],
    ['explicitTrustAnchors: []', 'basic'],
    [`serverKeyGeneration: { ${encryption}, recipients: [a.pem] } }`, 'basic'],
    [`serverKeyGeneration: { ${encryption} } }`],
    ['policy: { renewExpiredDays: 0, changeSubjectName: false }', 'basic'],
    [`${authorities}\n    fullCmc: { signer: { certificate: a.pem, privateKey: file:a.key } }`, 'basic'],
  ])('takes %s', async (lines, authentication = 'either') => {
    expect(await problemsOf(withAlias(lines, authentication))).toEqual([]);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['::', '127.0.0.1', true],
    ['127.0.0.1', '::', true],
    ['0.0.0.0', '127.0.0.1', true],
    ['0.0.0.0', '::1', false],
    ['0:0:0:0:0:0:0:1', '::1', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['Localhost', 'localhost', true],
  ])('knows whether two listeners at %s and %s have one address', async (http, proxy, isOne) => {
    const listeners = `  http: { address: "${http}", port: 8085 }\n  proxy: { address: "${proxy}", port: 8085, clientCertificate: nginx }\nstore`;
    const problem = 'est-gateway.yaml:6: listeners.proxy.port: listeners.http has the same address and port';
    expect(await problemsOf(shortest.replace('store', listeners))).toEqual(isOne ? [problem] : []);
    expect(await problemsOf(shortest.replace('store', listeners.replace('8085', '8086')))).toEqual([]);
  });

  const inRaMode = 'in operationMode ra nameGeneration names the end entity';
  const inClientMode = 'in operationMode client the end entities are registered in EJBCA';
  const byCode = 'operationMode: client, authenticationModule: HttpBasicAuth';

  it.each<readonly [settings: string, problem: string | undefined, more?: string]>([
    ['extractUsernameComponent: CN', unused('ejbca.extractUsernameComponent', inRaMode)],
    ['extractDnPartPasswordComponent: CN', unused('ejbca.extractDnPartPasswordComponent', inRaMode)],
    [
      'nameGeneration: { scheme: RANDOM, parameters: CN }',
      unused('ejbca.nameGeneration.parameters', 'the scheme RANDOM makes a name without them'),
    ],
    [`${byCode}, nameGeneration: { prefix: a }`, unused('ejbca.nameGeneration', inClientMode)],
    [`${byCode}, requireClientCertificate: true`, unused('ejbca.requireClientCertificate', inClientMode)],
    [
      `${byCode}, extractDnPartPasswordComponent: CN`,
      unused('ejbca.extractDnPartPasswordComponent', 'it is for "authenticationModule: DnPartPwd"'),
    ],
    [
      'serverKeyGeneration: true',
      unused('credentials', 'without ejbca.requireUsernameAndPassword no user is asked for'),
      'credentials: [{ driver: store }]',
    ],
    [
      byCode,
      unused('httpAuthentication', 'in operationMode client EJBCA knows who enrols'),
      'httpAuthentication: [basic]',
    ],
    [
      byCode,
      unused('implicitTrustAnchors', 'without vendorCertificateMode a code alone enrols'),
      'implicitTrustAnchors: [a.pem]',
    ],
    [
      'requireClientCertificate: false, requireUsernameAndPassword: true',
      unused('implicitTrustAnchors', 'with "requireClientCertificate: false" users alone enrol'),
      'implicitTrustAnchors: [a.pem]',
    ],
    ['requireUsernameAndPassword: true', undefined, 'credentials: [{ driver: store }]'],
    ['nameGeneration: { parameters: UID, prefix: a }', undefined, 'implicitTrustAnchors: [a.pem]'],
    [`${byCode}, extractUsernameComponent: CN`, undefined],
  ])('knows what EJBCA makes of %s', async (settings, problem, more = 'strict: true') => {
    const backend = 'driver: ejbca, baseUrl: "https://a.example/ejbca", trustAnchor: a.pem';
    const text = shortest
      .replace('driver: mock', backend)
      .replace(
        '    authentication: basic\n',
        `    ${more}\n    ejbca: { certificateAuthority: CA, ${settings} }\n`,
      );
    const problems = (await problemsOf(text)).map((line) => line.replace(/^[^ ]+ /, ''));
    expect(problems).toEqual(problem === undefined ? [] : [problem]);
  });

  it('refuses cipher suites of TLS 1.2 where only TLS 1.3 is spoken', async () => {
    const withCiphers = (ciphers: string, version: string): string =>
      shortest.replace(
        /(\n +)(privateKey: file:.*)/,
        `$1$2$1ciphers: ${ciphers}$1minimumVersion: ${version}`,
      );
    expect(await problemsOf(withCiphers('ECDHE+AESGCM', 'TLSv1.3'))).toEqual([
      expect.stringContaining(
        'listeners.est.ciphers: it would not be used: it names suites of TLS 1.2 alone',
      ),
    ]);
    expect(await problemsOf(withCiphers('ECDHE+AESGCM', 'TLSv1.2'))).toEqual([]);
    expect(await problemsOf(withCiphers('TLS_AES_128_GCM_SHA256', 'TLSv1.3'))).toEqual([]);
  });

  it.each([
    ['{ device: { approval: all } }', []],
    ['{ device: {}, other: { approval: newNames } }', []],
    ['{ device: {} }', ['no profile has an approval for which a request could wait']],
  ])('knows whether a request can wait at a local CA with the profiles %s', async (profiles, reasons) => {
    const backend = `driver: local, certificate: a.pem, privateKey: "file:a.key", retryAfter: 7, profiles: ${profiles}`;
    expect(await problemsOf(shortest.replace('driver: mock', backend))).toEqual(
      reasons.map((reason) =>
        expect.stringContaining(`backends.test.retryAfter: it would not be used: ${reason}`),
      ),
    );
  });

  it('refuses additional CA certificates where cacerts is relayed', async () => {
    const backend = `driver: est, url: "https://a.example/.well-known/est", trustAnchor: a.pem, clientCertificate: { certificate: a.pem, privateKey: "file:a.key" }`;
    const withRelay = (relay: string): string =>
      withAlias('additionalCaCertificates: [a.pem]').replace('driver: mock', `${backend}, relay: ${relay}`);
    expect(await problemsOf(withRelay('[cacerts]'))).toEqual([
      expect.stringContaining('additionalCaCertificates: it would not be used: the backend relays cacerts'),
    ]);
    expect(await problemsOf(withRelay('[simpleenroll]'))).toEqual([]);
  });

  it('refuses to make keys where only the proxy knows how TLS protects them, and does not say it', async () => {
    const behind = (proxy: string): string =>
      withAlias('serverKeyGeneration: {}').replace(
        /  est:\n    certificate.*\n.*\n/,
        `  proxy: { socket: a.sock, clientCertificate: nginx${proxy} }\n`,
      );
    expect(await problemsOf(behind(''))).toEqual([
      expect.stringContaining('aliases.est.serverKeyGeneration: TLS ends at the proxy'),
    ]);
    expect(await problemsOf(behind(', cipherSuite: X-Cipher'))).toEqual([]);
  });

  it('refuses two registration authorities of one commonName', async () => {
    const names = 'names: { commonName: ["*"] }';
    const twice = `registrationAuthorities: { one: { commonName: ra, ${names} }, two: { commonName: ra, ${names} } }`;
    expect(await problemsOf(withAlias(twice))).toEqual([
      expect.stringContaining('registrationAuthorities.two.commonName: one has the same'),
    ]);
  });

  it.each(['/crl/test.crl', '/ca/test.cer'])(
    'refuses to pass %s through, which the gateway serves',
    async (path) => {
      const passThrough = (place: string): string =>
        `${shortest}passThrough:\n  paths:\n    ${place}: { kind: crl, upstream: "http://a.example/a.crl" }\n`;
      expect(await problemsOf(passThrough(path))).toEqual([
        expect.stringContaining('the gateway itself serves the CRL and the certificate of its CA there'),
      ]);
      expect(await problemsOf(passThrough(path.replace('test', 'other')))).toEqual([]);
    },
  );
});

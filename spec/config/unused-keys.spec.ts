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
    ['policy: { renewExpiredDays: 3 }', unused('policy.renewExpiredDays', noCertificates), 'basic'],
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
    ['policy: { renewExpiredDays: 0, changeSubjectName: false }', 'basic'],
    [`${authorities}\n    fullCmc: { signer: { certificate: a.pem, privateKey: file:a.key } }`, 'basic'],
  ])('takes %s', async (lines, authentication = 'either') => {
    expect(await problemsOf(withAlias(lines, authentication))).toEqual([]);
  });

  it('refuses two listeners of one address and port', async () => {
    const listeners = `  http: { address: 127.0.0.1, port: 8085 }\n  proxy: { address: 127.0.0.1, port: 8085, clientCertificate: nginx }\nstore`;
    expect(await problemsOf(shortest.replace('store', listeners))).toEqual([
      'est-gateway.yaml:6: listeners.proxy.port: listeners.http has the same address and port',
    ]);
    expect(
      await problemsOf(
        shortest.replace('store', listeners.replace('127.0.0.1, port: 8085 }', '127.0.0.2, port: 8085 }')),
      ),
    ).toEqual([]);
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

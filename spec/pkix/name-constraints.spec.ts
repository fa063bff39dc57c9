import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { objectionToNames } from '../../src/pkix/name-constraints.ts';
import { openssl } from '../support/openssl.ts';

const dates = '-days 30';

/** A CA by openssl with these nameConstraints; its key is left in the folder of no one, names are all we need. */
async function issuerWith(constraints: string): Promise<Certificate> {
  const [certificate] = certificatesFromPem(
    await openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=CA ${dates} -addext nameConstraints=critical,${constraints}`,
    ),
  );
  if (certificate === undefined) throw new Error('openssl printed no certificate');
  return certificate;
}

async function leafWith(subject: string, subjectAltName: string): Promise<Certificate> {
  const names = subjectAltName === '' ? '' : `-addext subjectAltName=${subjectAltName}`;
  const [certificate] = certificatesFromPem(
    await openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj ${subject} ${dates} ${names}`.trim(),
    ),
  );
  if (certificate === undefined) throw new Error('openssl printed no certificate');
  return certificate;
}

describe('T-13 nameConstraints (RFC 5280, section 4.2.1.10)', () => {
  it.each([
    ['permitted;DNS:example.org', 'DNS:a.example.org', true],
    ['permitted;DNS:example.org', 'DNS:EXAMPLE.ORG', true],
    ['permitted;DNS:example.org', 'DNS:badexample.org', false],
    ['permitted;DNS:example.org', 'DNS:a.example.org,DNS:example.net', false],
    ['permitted;DNS:example.org', 'IP:192.0.2.1', true],
    ['excluded;DNS:example.org', 'DNS:a.example.org', false],
    ['excluded;DNS:example.org', 'DNS:example.net', true],
    ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:192.0.2.7', true],
    ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:192.0.3.7', false],
    ['permitted;IP:192.0.2.0/255.255.255.0', 'IP:2001:db8::1', false],
    ['excluded;IP:0.0.0.0/0.0.0.0', 'IP:192.0.2.7', false],
    ['permitted;email:example.org', 'email:a@example.org', true],
    ['permitted;email:example.org', 'email:a@b.example.org', false],
    ['permitted;email:.example.org', 'email:a@b.example.org', true],
    ['permitted;email:a@example.org', 'email:a@EXAMPLE.org', true],
    ['permitted;email:a@example.org', 'email:b@example.org', false],
    ['permitted;URI:.example.org', 'URI:https://a.example.org/x', true],
    ['permitted;URI:.example.org', 'URI:https://example.org/x', false],
    ['permitted;URI:example.org', 'URI:urn:uuid:1', false],
    ['excluded;URI:example.org', 'URI:urn:uuid:1', false],
    ['excluded;RID:1.2.3', 'RID:1.2.4', false],
  ])('%s and %s: %s', async (constraints, names, isFine) => {
    const [issuer, leaf] = await Promise.all([issuerWith(constraints), leafWith('/CN=device', names)]);
    expect(objectionToNames(leaf, issuer) === undefined).toBe(isFine);
  });

  it('an emailAddress in the subject counts when there is none beside it', async () => {
    const issuer = await issuerWith('permitted;email:example.org');
    const subject = '/CN=device/emailAddress=a@example.net';
    expect(objectionToNames(await leafWith(subject, 'DNS:a'), issuer)).toMatch(/may not certify/);
  });

  describe('of a directoryName', () => {
    let issuer: Certificate;
    beforeAll(async () => {
      const configuration = [
        '[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=CA',
        '[ext]\nnameConstraints=critical,permitted;dirName:base\n[base]\nO=Example\n',
      ].join('\n');
      const [certificate] = certificatesFromPem(
        await openssl(
          'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -config ca.cnf',
          { 'ca.cnf': configuration },
        ),
      );
      if (certificate === undefined) throw new Error('openssl printed no certificate');
      issuer = certificate;
    });

    it.each([
      ['/O=Example/CN=device', true],
      ['/O=EXAMPLE/CN=device', true],
      ['/CN=device/O=Example', false],
      ['/O=Other/CN=device', false],
    ])('%s: %s', async (subject, isFine) => {
      expect(objectionToNames(await leafWith(subject, ''), issuer) === undefined).toBe(isFine);
    });
  });
});

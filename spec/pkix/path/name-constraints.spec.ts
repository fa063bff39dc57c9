import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem, type Certificate } from '../../../src/pkix/certificate.ts';
import { objectionToNames } from '../../../src/pkix/path/name-constraints.ts';
import { certificate as makeCertificate } from '../../support/certificate.ts';
import { extension, objectIdentifier, sequence, subjectAltName, tlv, utf8String } from '../../support/csr.ts';
import { growthOf, linearGrowth } from '../../support/growth.ts';
import { openssl } from '../../support/openssl.ts';

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

/** A GeneralName by its kind; what is in angle brackets is the value of an SmtpUTF8Mailbox. */
function nameOf(text: string): Buffer {
  const [kind, value] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
  if (kind === 'smtp') {
    const mailbox = tlv(0xa0, utf8String(value));
    return tlv(0xa0, objectIdentifier('1.3.6.1.5.5.7.8.9'), mailbox);
  }
  if (kind === 'IP') return tlv(0x87, Buffer.from(value, 'hex'));
  return tlv({ email: 0x81, DNS: 0x82, URI: 0x86 }[kind] ?? 0, Buffer.from(value));
}

async function judge(constraint: string, names: readonly Buffer[]): Promise<boolean> {
  const [which = '', base = ''] = constraint.split(';');
  const subtrees = tlv(which === 'permitted' ? 0xa0 : 0xa1, sequence(nameOf(base)));
  const [issuer, leaf] = await Promise.all([
    makeCertificate({ extensions: [extension('2.5.29.30', sequence(subtrees), true)] }),
    makeCertificate({ extensions: [subjectAltName(...names)] }),
  ]);
  return objectionToNames(leaf, issuer) === undefined;
}

describe('T-13 what nameConstraints hold for', () => {
  it.each([
    ['permitted;DNS:.example.org', 'DNS:example.org', false],
    ['permitted;DNS:.example.org', 'DNS:a.example.org', true],
    ['permitted;DNS:.example.org', 'DNS:b.a.example.org', true],
    ['excluded;DNS:.example.org', 'DNS:example.org', true],
    ['excluded;DNS:.example.org', 'DNS:a.example.org', false],
    ['permitted;DNS:', 'DNS:example.org', true],
    ['excluded;DNS:', 'DNS:example.org', false],
    ['permitted;DNS:example.org', 'DNS:a..example.org', false],
    ['excluded;DNS:example.org', 'DNS:example.org.', false],
    ['excluded;DNS:example.org', 'DNS:b c.example', false],
    ['permitted;DNS:example.org', 'DNS:*.example.org', true],
    ['permitted;DNS:a.example.org', 'DNS:*.example.org', false],
    ['excluded;DNS:a.example.org', 'DNS:*.example.org', false],
    ['excluded;DNS:.a.example.org', 'DNS:*.example.org', true],
    ['excluded;DNS:a.example.org', 'DNS:b.*.example.org', false],
    ['excluded;DNS:bad..org', 'DNS:example.net', false],
    ['permitted;email:example.org', 'smtp:é@example.org', true],
    ['permitted;email:example.org', 'smtp:é@example.net', false],
    ['excluded;email:.example.org', 'smtp:é@a.example.org', false],
    ['excluded;email:example.org', 'smtp:é@other.example', true],
    ['excluded;email:example.org', 'smtp:é@exämple.example', false],
    ['excluded;email:a@example.org', 'smtp:a@EXAMPLE.org', false],
    ['permitted;email:example.org', 'email:example.org', false],
    ['excluded;email:example.org', 'email:nothing', false],
    ['excluded;email:a@example.org', 'email:"a"@example.org', false],
    ['excluded;email:a@example.org', 'email:A@example.org', true],
    ['excluded;email:', 'email:a@example.org', false],
    ['permitted;email:', 'email:a@example.org', false],
    ['permitted;URI:192.0.2.1', 'URI:https://192.0.2.1/', false],
    ['excluded;URI:example.org', 'URI:https://192.0.2.1/', false],
    ['excluded;URI:example.org', 'URI:https://[2001:db8::1]/', false],
    ['excluded;URI:example.org', 'URI:https://0x7f.1/', false],
    ['excluded;URI:example.org', 'URI:https://2130706433/', false],
    ['excluded;URI:example.org', 'URI:mailto:a@example.net', false],
    ['excluded;URI:example.org', 'URI:https:///a', false],
    ['excluded;URI:example.org', 'URI:https://ex%61mple.org/', false],
    ['excluded;URI:example.org', 'URI:https://example.net\\@example.org/', false],
    ['permitted;URI:example.org', 'URI:https://example.org@example.net/', false],
    ['permitted;URI:example.org', 'URI:ldap://user:word@EXAMPLE.org:389/x', true],
    ['permitted;URI:example.org', 'URI:https://example.org?x', true],
    ['permitted;IP:c0000200ffffff00', 'IP:c0000207', true],
    ['permitted;IP:c0000200ff00ff00', 'IP:c0000207', false],
    ['excluded;IP:c0000200ff00ff00', 'IP:0a000001', false],
    ['excluded;IP:00000000000000000000000000000000ffffffff000000000000000000000000', 'IP:0a000001', true],
  ])('%s and %s: %s', async (constraint, name, isFine) => {
    expect(await judge(constraint, [nameOf(name)])).toBe(isFine);
  });
});

describe('T-13 S-09 nameConstraints take time that grows with names and subtrees, and not with their product', () => {
  const octets = (number: number): string => number.toString(16).padStart(8, '0');
  it.each<[string, (at: number) => string, (at: number) => string]>([
    ['dNSNames', (at) => `DNS:${at}.example`, (at) => `DNS:${at}.example.org`],
    ['mailboxes', (at) => `email:${at}@example.com`, (at) => `email:${at}.example.org`],
    ['URIs', (at) => `URI:https://${at}.example.com/`, (at) => `URI:.${at}.example.org`],
    ['addresses', (at) => `IP:${octets(at)}`, (at) => `IP:${octets(0xf000_0000 + at)}ffffffff`],
  ])('%s', async (_, nameAt, baseAt) => {
    const made = new Map<number, readonly [Certificate, Certificate]>();
    const texts = (size: number, textAt: (at: number) => string): readonly Buffer[] =>
      Array.from({ length: size }, (__, at) => nameOf(textAt(at)));
    for (const size of [500, 4000]) {
      const subtrees = tlv(0xa1, ...texts(size, baseAt).map((base) => sequence(base)));
      made.set(
        size,
        await Promise.all([
          makeCertificate({ extensions: [subjectAltName(...texts(size, nameAt))] }),
          makeCertificate({ extensions: [extension('2.5.29.30', sequence(subtrees), true)] }),
        ]),
      );
    }
    const growth = growthOf((size) => {
      const [leaf, issuer] = made.get(size) ?? [];
      if (leaf === undefined || issuer === undefined) throw new Error('no certificates of this size');
      expect(objectionToNames(leaf, issuer)).toBeUndefined();
      // Not the one that is known.
      return () => objectionToNames(leaf, { ...issuer });
    }, 500);
    expect(growth).toBeLessThan(linearGrowth);
  });
});

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

  it('an emailAddress in the subject counts', async () => {
    const issuer = await issuerWith('permitted;email:example.org');
    const subject = '/CN=device/emailAddress=a@example.net';
    expect(objectionToNames(await leafWith(subject, 'DNS:a'), issuer)).toMatch(/may not certify/);
    const beside = await leafWith(subject, 'email:a@example.org');
    expect(objectionToNames(beside, issuer)).toMatch(/may not certify/);
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

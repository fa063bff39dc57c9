import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { nameToString } from '../../src/pkix/names.ts';
import {
  attribute,
  bitString,
  certificationRequest,
  extension,
  extensionRequest,
  generalName,
  id,
  integer,
  keyPair,
  null_,
  objectIdentifier,
  octetString,
  opensslCsr,
  printableString,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import { accepted, receive, refused, sentenceAgainst } from '../support/refused-csr.ts';

const dns = (text: string): Buffer => generalName(2, text);

describe('readCertificationRequest: real requests (row E-04)', () => {
  it.each([
    ['RSA', 2048, ['-newkey', 'rsa:2048']],
    ['RSA', 3072, ['-newkey', 'rsa:3072', '-sha384']],
    ['RSA', 4096, ['-newkey', 'rsa:4096', '-sha512']],
    [
      'RSA',
      2048,
      ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'],
    ],
    ['P-256', 256, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', 384, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
    ['P-521', 521, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
    ['Ed25519', 256, ['-newkey', 'ed25519']],
  ] as const)('reads one of openssl: %s %i, %s', async (type, bits, args) => {
    const der = await opensslCsr(...args, '-subj', '/C=DE/O=Example/CN=device 1/serialNumber=42');
    const csr = await receive(der);
    expect(csr.der).toEqual(der);
    expect(csr.publicKey).toMatchObject({ type, bits });
    expect(nameToString(csr.subject)).toBe('serialNumber=42,CN=device 1,O=Example,C=DE');
    expect(csr.extensions).toEqual([]);
    expect(csr.subjectAltName).toBeUndefined();
  });

  it.each(['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const)('PQ-01 reads %s', async (kind) => {
    const csr = await accepted({ key: await keyPair(kind) });
    expect(csr.publicKey.type).toBe(kind);
  });

  it.each([
    ['keyEncipherment', bitString(Buffer.of(0xa0), 5)],
    ['dataEncipherment', bitString(Buffer.of(0x90), 4)],
    ['keyAgreement', bitString(Buffer.of(0x88), 3)],
    ['encipherOnly', bitString(Buffer.of(0x81))],
    ['decipherOnly', bitString(Buffer.of(0x80, 0x80), 7)],
  ])('PQ-02 refuses the keyUsage %s for ML-DSA alone', async (usage, bits) => {
    const extensions = [extension(id.keyUsage, bits, true)];
    expect(await refused({ key: await keyPair('ML-DSA-65'), extensions })).toContain(usage);
    expect((await accepted({ extensions })).keyUsage).toEqual(['digitalSignature', usage]);
  });

  it('reads what openssl puts into extensions and attributes', async () => {
    const csr = await receive(
      await opensslCsr(
        ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
        ...['-addext', 'subjectAltName=DNS:a.example.org,IP:192.0.2.1,email:a@example.org,URI:urn:uuid:1'],
        ...['-addext', 'keyUsage=critical,digitalSignature,keyAgreement'],
        ...['-addext', 'extendedKeyUsage=clientAuth,serverAuth'],
        ...['-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0'],
      ),
    );
    expect(csr.subjectAltName?.map((item) => [item.type, 'value' in item ? item.value : undefined])).toEqual([
      ['dNSName', 'a.example.org'],
      ['iPAddress', '192.0.2.1'],
      ['rfc822Name', 'a@example.org'],
      ['uniformResourceIdentifier', 'urn:uuid:1'],
    ]);
    expect(csr.keyUsage).toEqual(['digitalSignature', 'keyAgreement']);
    expect(csr.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
    expect(csr.basicConstraints).toEqual({ cA: true, pathLenConstraint: 0 });
    expect(csr.extensions.map(({ critical }) => critical)).toEqual([false, true, false, true]);
  });

  it('E-08 reads requests for every extension of RFC 5280', async () => {
    const csr = await receive(
      await opensslCsr(
        ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
        ...['-addext', 'subjectKeyIdentifier=hash'],
        ...['-addext', 'certificatePolicies=1.2.3.4'],
        ...['-addext', 'issuerAltName=DNS:ca.example.org'],
        ...['-addext', 'nameConstraints=critical,permitted;DNS:example.org'],
        ...['-addext', 'policyConstraints=requireExplicitPolicy:3'],
        ...['-addext', 'inhibitAnyPolicy=2'],
        ...['-addext', 'policyMappings=1.2.3.4:1.2.3.5'],
        ...['-addext', 'crlDistributionPoints=URI:http://example.org/crl'],
        ...['-addext', 'freshestCRL=URI:http://example.org/delta'],
        ...['-addext', 'authorityInfoAccess=OCSP;URI:http://example.org/'],
        ...['-addext', 'subjectInfoAccess=caRepository;URI:http://example.org/'],
        ...['-addext', 'tlsfeature=status_request'],
        ...['-addext', '2.5.29.9=DER:3000'],
        ...['-addext', '2.5.29.35=DER:30038001ff'],
      ),
    );
    expect(csr.extensions).toHaveLength(14);
  });
});

describe('readCertificationRequest: proof of possession', () => {
  it('E-06 verifies the signature over the received octets', async () => {
    const der = await certificationRequest({
      mutateInfo: (info) => Buffer.from(info.toString('latin1').replace('device', 'Device'), 'latin1'),
    });
    expect(nameToString((await receive(der)).subject)).toBe('CN=Device');
  });

  it.each(['RSA-2048', 'P-256', 'Ed25519', 'ML-DSA-44'] as const)(
    'V-11 refuses a flipped bit: %s',
    async (kind) => {
      const flip = (signature: Buffer): Buffer => {
        const last = signature.length - 1;
        return Buffer.concat([signature.subarray(0, last), Buffer.of(signature.readUInt8(last) ^ 1)]);
      };
      expect(await refused({ key: await keyPair(kind), mutateSignature: flip })).toContain('signature');
      expect(await refused({ key: await keyPair(kind), mutateSignature: () => Buffer.alloc(0) })).toContain(
        'signature',
      );
    },
  );

  it('V-12 refuses a signature of another key', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(await refused({ signWith: privateKey })).toContain('private key that belongs to its public key');
  });

  it('E-07 accepts a key that is asked for key agreement alone', async () => {
    const keyAgreement = extension(id.keyUsage, tlv(0x03, Buffer.of(3, 0x08)), true);
    expect((await accepted({ extensions: [keyAgreement] })).keyUsage).toEqual(['keyAgreement']);
  });
});

describe('readCertificationRequest: structure', () => {
  it('V-07 refuses a request that is cut off, at any octet', async () => {
    const der = await certificationRequest();
    for (let length = 0; length < der.length; length += 7) await sentenceAgainst(der.subarray(0, length));
    expect(await sentenceAgainst(der.subarray(0, -1))).toContain('not a valid PKCS#10 CSR in DER');
  });

  it('V-08 M-07 refuses octets after the end and two requests in a row', async () => {
    const der = await certificationRequest();
    expect(await sentenceAgainst(Buffer.concat([der, Buffer.of(0)]))).toContain('follow after the end');
    expect(await sentenceAgainst(Buffer.concat([der, der]))).toContain('follow after the end');
  });

  it('M-02 accepts an empty list of attributes', async () => {
    expect((await accepted({ attributes: [] })).extensions).toEqual([]);
  });

  it('V-09 tolerates a missing list of attributes', async () => {
    expect((await accepted({ attributes: 'missing' })).extensions).toEqual([]);
  });

  it.each([
    ['1', integer(1n)],
    ['2', integer(2n)],
    ['-1', tlv(0x02, Buffer.of(0xff))],
    ['a BOOLEAN', tlv(0x01, Buffer.of(0))],
  ])('V-10 M-01 refuses version %s', async (_, version) => {
    expect(await refused({ version })).toContain('version');
  });

  it('refuses further parts inside and outside', async () => {
    const der = await certificationRequest({ mutateInfo: (info) => sequence(info.subarray(3), null_) });
    await sentenceAgainst(der);
    const outer = sequence(der.subarray(4), null_);
    await sentenceAgainst(outer);
    expect(await refused({ attributes: [], mutateInfo: (info) => addPart(info) })).toContain('four parts');
  });

  it('V-25 accepts attributes that are not in the order of DER', async () => {
    const password = attribute(id.challengePassword, utf8String('secret'));
    const linking = attribute(id.estIdentityLinking, utf8String('x'));
    for (const attributes of [
      [password, linking],
      [linking, password],
    ]) {
      expect((await accepted({ attributes })).challengePassword).toBe('secret');
    }
  });

  it('V-25 M-04 refuses BER that is properly signed', async () => {
    expect(
      await refused({
        mutateInfo: (info) => Buffer.concat([Buffer.of(0x30, 0x80), info.subarray(3), Buffer.alloc(2)]),
      }),
    ).toContain('Indefinite lengths');
    const ber = extension(id.basicConstraints, sequence(tlv(0x01, Buffer.of(1))));
    expect(await refused({ extensions: [ber] })).toContain('BOOLEAN');
    const berCritical = sequence(
      objectIdentifier(id.keyUsage),
      tlv(0x01, Buffer.of(1)),
      octetString(tlv(0x03, Buffer.of(7, 0x80))),
    );
    expect(await refused({ extensions: [berCritical] })).toContain('BOOLEAN');
  });
});

/** Adds a NULL at the end of a SEQUENCE. */
function addPart(info: Buffer): Buffer {
  const header = info.readUInt8(1) < 0x80 ? 2 : 2 + (info.readUInt8(1) & 0x7f);
  return sequence(info.subarray(header), null_);
}

describe('readCertificationRequest: attributes (rows M-03, M-05, S-21)', () => {
  const san = subjectAltName(dns('a.example.org'));
  const otherSan = subjectAltName(dns('b.example.org'));

  it('V-14 M-05 refuses the same extension twice', async () => {
    expect(await refused({ extensions: [san, otherSan] })).toContain('same extension');
  });

  it('V-15 S-21 refuses two extensionRequest attributes', async () => {
    expect(await refused({ attributes: [extensionRequest(san), extensionRequest(otherSan)] })).toContain(
      'twice',
    );
  });

  it("V-15 S-21 refuses Microsoft's twin beside the attribute of PKCS#9, and reads it alone", async () => {
    const twin = attribute(id.microsoftExtensionRequest, sequence(otherSan));
    expect(await refused({ attributes: [extensionRequest(san), twin] })).toContain('requested twice');
    expect((await accepted({ attributes: [twin] })).subjectAltName).toMatchObject([
      { value: 'b.example.org' },
    ]);
  });

  it('V-16 M-03 refuses an extensionRequest without value and with two, and takes an empty one for none', async () => {
    expect(await refused({ attributes: [attribute(id.extensionRequest)] })).toContain('no value');
    const two = attribute(id.extensionRequest, sequence(san), sequence(otherSan));
    expect(await refused({ attributes: [two] })).toContain('more than one value');
    const empty = attribute(id.extensionRequest, sequence());
    expect(await accepted({ attributes: [empty] })).toMatchObject({ extensions: [] });
    expect(await refused({ attributes: [attribute(id.extensionRequest, set())] })).toContain('missing');
  });

  it('M-03 refuses any attribute twice, and one that is not well formed', async () => {
    const unknown = attribute('1.2.3.4', null_);
    expect((await accepted({ attributes: [unknown] })).extensions).toEqual([]);
    expect(await refused({ attributes: [unknown, unknown] })).toContain('twice');
    expect(await refused({ attributes: [sequence(objectIdentifier('1.2.3.4'))] })).toContain('attribute');
    expect(await refused({ attributes: [null_] })).toContain('attribute');
    expect(
      await refused({ attributes: [sequence(objectIdentifier('1.2.3.4'), set(null_), null_)] }),
    ).toContain('attribute');
  });

  it('S-09 refuses more than 128 extensions', async () => {
    const many = Array.from({ length: 129 }, (_, i) => extension(`1.2.3.${i}`, null_));
    expect((await accepted({ extensions: many.slice(1) })).extensions).toHaveLength(128);
    expect(await refused({ extensions: many })).toContain('128');
  });

  it('V-33 refuses an unknown critical extension and keeps one that is not critical', async () => {
    expect((await accepted({ extensions: [extension('1.2.3.4', null_)] })).extensions).toHaveLength(1);
    expect(await refused({ extensions: [extension('1.2.3.4', null_, true)] })).toContain('critical');
  });

  it.each([
    ['an extension without a value', sequence(objectIdentifier('1.2.3.4'))],
    [
      'an extension with four parts',
      sequence(objectIdentifier('1.2.3.4'), tlv(0x01, Buffer.of(0xff)), octetString(null_), null_),
    ],
    [
      'a criticality that is spelled out as FALSE',
      sequence(objectIdentifier('1.2.3.4'), tlv(0x01, Buffer.of(0)), octetString(null_)),
    ],
    ['an extension whose value is not DER', extension('1.2.3.4', Buffer.from('text'))],
    ['an empty subjectAltName', subjectAltName()],
    ['a keyUsage without a bit', extension(id.keyUsage, tlv(0x03, Buffer.of(0)))],
    ['a keyUsage with a bit that does not exist', extension(id.keyUsage, tlv(0x03, Buffer.of(6, 0, 0x40)))],
    ['an empty extendedKeyUsage', extension(id.extendedKeyUsage, sequence())],
    [
      'a negative pathLenConstraint',
      extension(id.basicConstraints, sequence(tlv(0x01, Buffer.of(0xff)), tlv(0x02, Buffer.of(0xff)))),
    ],
    [
      'basicConstraints with a third part',
      extension(id.basicConstraints, sequence(tlv(0x01, Buffer.of(0xff)), integer(0n), integer(0n))),
    ],
  ])('refuses %s', async (_, bad) => {
    expect(await refused({ extensions: [bad] })).toContain('not a valid PKCS#10 CSR');
  });
});

describe('readCertificationRequest: challenges (rows L-04, L-15)', () => {
  const text = 'qQqb+/8Ad3Q=';
  const wide = (width: 2 | 4): Buffer =>
    Buffer.concat(Array.from(text, (c) => Buffer.concat([Buffer.alloc(width - 1), Buffer.from(c)])));
  const stringTypes: readonly (readonly [string, Buffer])[] = [
    ['UTF8String', utf8String(text)],
    ['PrintableString', printableString(text)],
    ['IA5String', tlv(0x16, Buffer.from(text))],
    ['TeletexString', tlv(0x14, Buffer.from(text))],
    ['BMPString', tlv(0x1e, wide(2))],
    ['UniversalString', tlv(0x1c, wide(4))],
  ];

  it.each(stringTypes)('L-04 L-15 reads the attributes as %s', async (_, value) => {
    const csr = await accepted({
      attributes: [attribute(id.challengePassword, value), attribute(id.estIdentityLinking, value)],
    });
    expect(csr).toMatchObject({ challengePassword: text, estIdentityLinking: text });
  });

  it.each([
    ['challengePassword', id.challengePassword],
    ['otpChallenge', '1.2.840.113549.1.9.16.2.56'],
    ['revocationChallenge', '1.2.840.113549.1.9.16.2.57'],
    ['estIdentityLinking', id.estIdentityLinking],
  ])('V-28 L-15 refuses a %s of two values, of 256 characters, or of no text', async (attributeName, oid) => {
    const values = (...all: readonly Buffer[]): CertificationRequestParts => ({
      attributes: [attribute(oid, ...all)],
    });
    expect(await refused(values(utf8String('a'), utf8String('b')))).toContain(
      `${attributeName} has more than one`,
    );
    expect(await refused(values(utf8String('a'.repeat(256))))).toContain('at most 255');
    expect(await refused(values(octetString(Buffer.from('a'))))).toContain('not a string');
    expect((await accepted(values(utf8String('a'.repeat(255))))).der).toBeInstanceOf(Buffer);
  });
});

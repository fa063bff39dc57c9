import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  encodeCsrAttributes,
  extensionRequest,
  extensionRequestTemplate,
  keyAttribute,
  readCsrAttributes,
  templateAttribute,
  type AttrOrOid,
  type KeyTemplate,
} from '../../src/pkix/csr-attributes.ts';
import { DerError } from '../../src/pkix/der.ts';
import { keyUsage } from '../../src/pkix/extensions-write.ts';
import { oids } from '../../src/pkix/oids.ts';
import {
  attribute,
  bitString,
  extension,
  id,
  integer,
  name,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tlv,
  true_,
  utf8String,
} from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';
import { thrownBy } from '../support/thrown.ts';

const p384: KeyTemplate = { algorithm: oids.ecPublicKey, curve: oids.secp384r1, modulusBits: undefined };
const rsa = (modulusBits: number | undefined): KeyTemplate => ({
  algorithm: oids.rsaEncryption,
  curve: undefined,
  modulusBits,
});
const acpNode = tlv(0x16, Buffer.from('rfc8994+fd739fc23c3440112233445500000000+@acp.example.com'));
const acpName = sequence(tlv(0xa0, objectIdentifier('1.3.6.1.5.5.7.8.10'), tlv(0xa0, acpNode)));

/** From the examples of RFC 9908. */
const golden: readonly (readonly [meaning: string, base64: string, elements: readonly AttrOrOid[]])[] = [
  [
    'challengePassword, P-384, macAddress, ecdsaWithSHA384',
    'MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEWBggqhkjOPQQDAw==',
    [oids.challengePassword, keyAttribute(p384), oids.macAddress, oids.ecdsaWithSHA384],
  ],
  [
    'challengePassword, RSA of 4096 bits, sha256WithRSAEncryption',
    'MCkGCSqGSIb3DQEJBzARBgkqhkiG9w0BAQExBAICEAAGCSqGSIb3DQEBCw==',
    [oids.challengePassword, keyAttribute(rsa(4096)), oids.sha256WithRSAEncryption],
  ],
  [
    'challengePassword, P-384, serialNumber, ecdsaWithSHA384',
    'MC4GCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgNVBAUGCCqGSM49BAMD',
    [oids.challengePassword, keyAttribute(p384), oids.serialNumber, oids.ecdsaWithSHA384],
  ],
  [
    'the subjectAltName of an ACP node, critical',
    'MGgwZgYJKoZIhvcNAQkOMVkwVzBVBgNVHREBAf8ESzBJoEcGCCsGAQUFBwgKoDsWOXJmYzg5OTQrZmQ3MzlmYzIzYzM0NDAxMTIyMzM0NDU1MDAwMDAwMDArQGFjcC5leGFtcGxlLmNvbQ==',
    [extensionRequest([{ oid: oids.subjectAltName, critical: true, value: acpName }])],
  ],
];

describe('CsrAttrs (RFC 8951, appendix A; RFC 9908)', () => {
  it.each(golden)('Q-20 Q-21 writes and reads the example: %s', (_meaning, base64, elements) => {
    const der = Buffer.from(base64, 'base64');
    expect(encodeCsrAttributes(elements).toString('base64')).toBe(base64);
    expect(readCsrAttributes(der)).toEqual(elements);
  });

  it('Q-22 does not take the sample of RFC 7030, which RFC 9908 calls wrong', () => {
    const sample =
      'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==';
    expect(thrownBy(() => readCsrAttributes(Buffer.from(sample, 'base64')))).toBeInstanceOf(DerError);
  });

  it('Q-04 reads and writes an empty list', () => {
    expect(encodeCsrAttributes([]).toString('hex')).toBe('3000');
    expect(readCsrAttributes(Buffer.from('3000', 'hex'))).toEqual([]);
  });

  it('Q-23 says "any key of the kind" by an empty SET, and so says nothing else', () => {
    const der = encodeCsrAttributes([keyAttribute(rsa(undefined))]);
    expect(der.equals(sequence(sequence(objectIdentifier(oids.rsaEncryption), set())))).toBe(true);
    expect(readCsrAttributes(der)).toEqual([keyAttribute(rsa(undefined))]);
    const empty: AttrOrOid = { type: oids.challengePassword, values: [] };
    expect(thrownBy(() => encodeCsrAttributes([empty]))).toBeInstanceOf(DerError);
  });

  it('Q-23 asks for one kind of key at most', () => {
    const two = [keyAttribute(rsa(2048)), keyAttribute(p384)];
    expect(thrownBy(() => encodeCsrAttributes(two))).toBeInstanceOf(DerError);
  });

  const signing = keyUsage(['digitalSignature']);

  it('Q-21 Q-22 writes no second id-ExtensionReq, and no extension twice', () => {
    const request = extensionRequest([signing]);
    const twice = extensionRequest([signing, keyUsage(['keyAgreement'])]);
    expect(thrownBy(() => encodeCsrAttributes([request]))).toBeUndefined();
    expect(thrownBy(() => encodeCsrAttributes([request, request]))).toBeInstanceOf(DerError);
    expect(thrownBy(() => encodeCsrAttributes([twice]))).toBeInstanceOf(DerError);
  });

  it('Q-22 Q-24 writes id-ExtensionReq with one value, and no extension without a value in it', () => {
    const [request] = [extensionRequest([signing])];
    const blank = extensionRequestTemplate([{ ...signing, value: undefined }]);
    const values = [...request.values, ...request.values];
    expect(thrownBy(() => encodeCsrAttributes([{ ...request, values }]))).toBeInstanceOf(DerError);
    expect(thrownBy(() => encodeCsrAttributes([{ ...blank, type: request.type }]))).toBeInstanceOf(DerError);
  });

  it('reads nothing but CsrAttrs, and fails in one way only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
        const error = thrownBy(() => readCsrAttributes(Buffer.from(octets)));
        return error === undefined || error instanceof DerError;
      }),
    );
    for (const [, base64] of golden) {
      const der = Buffer.from(base64, 'base64');
      for (let end = 0; end < der.length; end += 1) {
        expect(thrownBy(() => readCsrAttributes(der.subarray(0, end)))).toBeInstanceOf(DerError);
      }
    }
  });
});

describe('the template of RFC 9908, section 3.4', () => {
  const open = { critical: false, value: undefined };
  const p256: KeyTemplate = { ...p384, curve: oids.secp256r1 };
  const unit = (text: string) => ({ type: oids.organizationalUnitName, value: utf8String(text) });
  const serverName = sequence(tlv(0x82, Buffer.from('www.myServer.com')), tlv(0x87));
  const agreement = keyUsage(['digitalSignature', 'keyAgreement']);

  it('Q-30 Q-31 Q-34 Q-35 writes the sample of the RFC', () => {
    const template = templateAttribute({
      subject: [{ type: oids.commonName, value: undefined }, unit('myDept'), unit('myGroup')],
      key: p256,
      attributes: [
        extensionRequestTemplate([
          { oid: oids.subjectAltName, critical: false, value: serverName },
          agreement,
          { oid: oids.extendedKeyUsage, ...open },
        ]),
      ],
    });
    const level = (...parts: readonly Buffer[]): Buffer => set(sequence(...parts));
    const ou = objectIdentifier(oids.organizationalUnitName);
    const expected = sequence(
      integer(0n),
      sequence(
        level(objectIdentifier(id.commonName)),
        level(ou, utf8String('myDept')),
        level(ou, utf8String('myGroup')),
      ),
      tlv(0xa0, sequence(objectIdentifier(oids.ecPublicKey), objectIdentifier(oids.secp256r1))),
      tlv(
        0xa1,
        attribute(
          '1.2.840.113549.1.9.16.2.62',
          sequence(
            extension(id.subjectAltName, serverName),
            sequence(objectIdentifier(id.keyUsage), true_, octetString(bitString(Buffer.of(0x88), 3))),
            sequence(objectIdentifier(id.extendedKeyUsage)),
          ),
        ),
      ),
    );
    const element = attribute('1.2.840.113549.1.9.16.2.61', expected);
    expect(encodeCsrAttributes([template]).toString('hex')).toBe(sequence(element).toString('hex'));
    expect(readCsrAttributes(sequence(element))).toEqual([template]);
  });

  const nothing = { subject: [], key: undefined, attributes: [] };

  it('Q-31 Q-32 leaves out what is not demanded, but not the list of attributes', () => {
    const [value] = templateAttribute(nothing).values;
    expect(value?.toString('hex')).toBe('3005020100a100');
  });

  it('Q-32 says the length of an RSA key by a placeholder, which openssl reads', async () => {
    const [value = Buffer.alloc(0)] = templateAttribute({ ...nothing, key: rsa(3072) }).values;
    const start = value.indexOf(sequence(objectIdentifier(oids.rsaEncryption), null_));
    const keyInfo = sequence(value.subarray(start, value.length - 2));
    const text = await openssl('pkey -pubin -inform DER -in key.der -noout -text', { 'key.der': keyInfo });
    expect(text).toContain('Public-Key: (3072 bit)');
    const [any] = templateAttribute({ ...nothing, key: rsa(undefined) }).values;
    const algorithm = sequence(objectIdentifier(oids.rsaEncryption), null_);
    expect(any?.equals(sequence(integer(0n), tlv(0xa0, algorithm), tlv(0xa1)))).toBe(true);
  });

  const refused = (template: Buffer): unknown =>
    thrownBy(() => readCsrAttributes(sequence(attribute('1.2.840.113549.1.9.16.2.61', template))));
  const full = attribute(
    id.extensionRequest,
    sequence(extension(id.keyUsage, bitString(Buffer.of(0x80), 7))),
  );
  const partial = attribute('1.2.840.113549.1.9.16.2.62', sequence(sequence(objectIdentifier(id.keyUsage))));
  const oneElement = attribute('1.2.840.113549.1.9.16.2.62', sequence(objectIdentifier(id.keyUsage)));

  it.each([
    ['Q-30 another version', sequence(integer(1n), tlv(0xa1))],
    ['Q-30 no version', sequence(tlv(0xa1))],
    ['Q-31 an attribute without a type', sequence(integer(0n), sequence(set(sequence())), tlv(0xa1))],
    ['Q-33 both ways to ask for extensions', sequence(integer(0n), tlv(0xa1, full, partial))],
    ['Q-33 the same way twice', sequence(integer(0n), tlv(0xa1, partial, partial))],
    ['Q-34 an ExtensionTemplate that no SEQUENCE holds', sequence(integer(0n), tlv(0xa1, oneElement))],
    ['no list of attributes', sequence(integer(0n))],
    ['something after the list', sequence(integer(0n), tlv(0xa1), tlv(0xa2))],
  ])('does not take %s', (_what, template) => {
    expect(
      refused(sequence(integer(0n), name([id.commonName, utf8String('x')]), tlv(0xa1, full))),
    ).toBeUndefined();
    expect(refused(template)).toBeInstanceOf(DerError);
  });

  it('Q-33 is not written with both ways to ask for extensions', () => {
    const attributes = [extensionRequest([agreement]), extensionRequestTemplate([{ ...agreement, ...open }])];
    const template = templateAttribute({ ...nothing, attributes });
    expect(thrownBy(() => encodeCsrAttributes([template]))).toBeInstanceOf(DerError);
  });
});

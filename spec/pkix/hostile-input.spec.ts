import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EstError } from '../../src/errors.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  id,
  keyPair,
  name,
  null_,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import { receive, sentenceAgainst } from '../support/refused-csr.ts';
import { milliseconds } from '../support/thrown.ts';

const dns = (text: string): Buffer => generalName(2, text);

describe('readCertificationRequest with hostile input (row S-09, vectors V-26, V-27)', () => {
  const bombs: readonly (readonly [string, () => CertificationRequestParts])[] = [
    [
      'an OBJECT IDENTIFIER of 64 KB',
      () => ({ subject: sequence(set(sequence(tlv(0x06, Buffer.alloc(65_535, 0x7f)), utf8String('a')))) }),
    ],
    ['a serialNumber of 1 MB', () => ({ subject: name(['2.5.4.5', utf8String('9'.repeat(1_000_000))]) })],
    [
      '100,000 SANs',
      () => ({
        extensions: [subjectAltName(Buffer.concat(Array.from({ length: 100_000 }, () => dns('a'))))],
      }),
    ],
    [
      '5,000 attributes',
      () => ({ attributes: Array.from({ length: 5000 }, (_, i) => attribute(`1.2.${i}`, null_)) }),
    ],
    ['a version of 1 MB', () => ({ version: tlv(0x02, Buffer.alloc(1_000_000, 1)) })],
    ['a dNSName of 1 MB', () => ({ extensions: [subjectAltName(dns('a-'.repeat(500_000)))] })],
    ['a URI of 1 MB', () => ({ extensions: [subjectAltName(generalName(6, `a:${'a'.repeat(1_000_000)}`))] })],
  ];

  it.each(bombs)('V-27 refuses %s within 50 ms', async (_, parts) => {
    const der = await certificationRequest(parts());
    await sentenceAgainst(der);
    expect(milliseconds(() => readCertificationRequest(der))).toBeLessThan(50);
  });

  it.each(['P-256', 'RSA-2048', 'Ed25519', 'ML-DSA-44'] as const)(
    'refuses any change of any octet with an EstError and nothing else: %s',
    async (kind) => {
      const der = await certificationRequest({
        key: await keyPair(kind),
        attributes: [attribute(id.challengePassword, utf8String('secret'))],
        extensions: [
          subjectAltName(dns('a.example.org'), generalName(7, Buffer.of(192, 0, 2, 1))),
          extension(id.keyUsage, tlv(0x03, Buffer.of(7, 0x80)), true),
        ],
      });
      await fc.assert(
        fc.asyncProperty(
          fc.nat(der.length - 1),
          fc.integer({ min: 1, max: 255 }),
          async (position, change) => {
            const mutated = Buffer.from(der);
            mutated.writeUInt8(mutated.readUInt8(position) ^ change, position);
            await expect(receive(mutated)).rejects.toBeInstanceOf(EstError);
          },
        ),
        { numRuns: 500 },
      );
    },
  );

  it('refuses inserted and deleted octets with an EstError and nothing else', async () => {
    const der = await certificationRequest({ extensions: [subjectAltName(dns('a.example.org'))] });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(der.length),
        fc.nat(4),
        fc.uint8Array({ maxLength: 4 }),
        async (position, deleted, inserted) => {
          fc.pre(!der.subarray(position, position + deleted).equals(inserted));
          const mutated = Buffer.concat([
            der.subarray(0, position),
            inserted,
            der.subarray(position + deleted),
          ]);
          fc.pre(!mutated.equals(der));
          await expect(receive(mutated)).rejects.toBeInstanceOf(EstError);
        },
      ),
      { numRuns: 500 },
    );
  });
});

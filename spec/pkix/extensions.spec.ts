import { describe, expect, it } from '@jest/globals';
import { DerError } from '../../src/pkix/der.ts';
import { keyUsages, readBasicConstraints, readKeyUsage } from '../../src/pkix/extensions.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import { bitString, integer, null_, opensslCsr, sequence, tlv, true_ } from '../support/csr.ts';

describe('readKeyUsage', () => {
  it.each(keyUsages)('reads %s as openssl writes it', async (usage) => {
    const csr = await opensslCsr('-newkey', 'ed25519', '-addext', `keyUsage=${usage}`);
    expect(readCertificationRequest(csr).keyUsage).toEqual([usage]);
  });

  it('reads all bits at once', () => {
    expect(readKeyUsage(bitString(Buffer.of(0xff, 0x80), 7))).toEqual(keyUsages);
  });

  it.each([
    ['no bit', bitString(Buffer.alloc(0))],
    ['zeros', bitString(Buffer.of(0, 0), 7)],
    ['a tenth bit', bitString(Buffer.of(0, 0x40), 6)],
    ['a megabyte', bitString(Buffer.alloc(1_000_000))],
    ['a number', integer(1n)],
  ])('refuses %s', (_, value) => {
    expect(() => readKeyUsage(value)).toThrow(DerError);
  });
});

describe('readBasicConstraints', () => {
  const false_ = tlv(0x01, Buffer.of(0));

  it.each([
    ['nothing', sequence(), { cA: false, pathLenConstraint: undefined }],
    ['FALSE spelled out', sequence(false_), { cA: false, pathLenConstraint: undefined }],
    ['TRUE', sequence(true_), { cA: true, pathLenConstraint: undefined }],
    ['TRUE and 3', sequence(true_, integer(3n)), { cA: true, pathLenConstraint: 3 }],
    ['TRUE and 256', sequence(true_, integer(256n)), { cA: true, pathLenConstraint: 256 }],
    ['a length alone', sequence(integer(0n)), { cA: false, pathLenConstraint: 0 }],
  ])('reads %s', (_, value, expected) => {
    expect(readBasicConstraints(value)).toEqual(expected);
  });

  it.each([
    ['another type', sequence(null_)],
    ['two lengths', sequence(true_, integer(1n), integer(1n))],
    ['a negative length', sequence(true_, tlv(0x02, Buffer.of(0x80)))],
    ['no SEQUENCE', true_],
  ])('refuses %s', (_, value) => {
    expect(() => readBasicConstraints(value)).toThrow(DerError);
  });
});

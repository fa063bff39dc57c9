import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DerError,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readObjectIdentifier,
  readTime,
} from '../../src/pkix/der.ts';
import { integer, objectIdentifier, octetString, sequence, tlv } from '../support/csr.ts';
import { milliseconds, thrownBy } from '../support/thrown.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('readDer', () => {
  it('gives slices of the received octets', () => {
    const input = sequence(integer(5n), sequence(octetString(Buffer.from('abc'))));
    const root = readDer(input);
    expect(root.bytes.buffer).toBe(input.buffer);
    expect(root.children.map(({ tag }) => tag)).toEqual([0x02, 0x30]);
    expect(root.children[1]?.children[0]?.content.toString()).toBe('abc');
    expect(root.children[1]?.bytes).toEqual(sequence(octetString(Buffer.from('abc'))));
  });

  it.each([
    ['V-25 an indefinite length', '30 80 02 01 05 00 00'],
    ['V-25 a non-minimal length below 128', '30 81 03 02 01 05'],
    ['V-25 a length with a leading zero octet', '04 82 00 80' + '00'.repeat(128)],
    ['V-25 a constructed OCTET STRING', '24 03 04 01 41'],
    ['V-25 a constructed UTF8String', '2c 03 0c 01 41'],
    ['a primitive SEQUENCE', '10 00'],
    ['V-07 a value that is cut off', '30 03 02 01'],
    ['V-07 a lone tag', '30'],
    ['V-07 a length that is cut off', '30 82 01'],
    ['V-08 octets after the end', '02 01 05 00'],
    ['a child that is longer than its parent', '30 03 02 02 05 05'],
    ['V-26 a claimed length of 4 GiB', '30 84 ff ff ff ff'],
    ['S-09 a length of five octets', '30 85 ff ff ff ff ff'],
    ['S-09 a high tag number', '3f 21 00'],
    ['an end-of-contents mark', '00 00'],
    ['nothing at all', ''],
  ])('refuses %s', (_, text) => {
    expect(() => readDer(hex(text))).toThrow(DerError);
  });

  it('V-26 refuses a depth bomb of 10,000 levels within 50 ms', () => {
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 300; depth += 1) nested = tlv(0x30, nested);
    const indefinite = Buffer.concat(Array.from({ length: 10_000 }, () => hex('30 80')));
    const claimed = Buffer.concat(
      Array.from({ length: 10_000 }, (_, i) =>
        hex(`30 83 ${(900_000 - i * 5).toString(16).padStart(6, '0')}`),
      ),
    );
    const padded = Buffer.concat([claimed, Buffer.alloc(900_005 - claimed.length)]);
    expect(() => readDer(nested)).toThrow('nested more than 32 levels');
    expect(() => readDer(indefinite)).toThrow(DerError);
    expect(milliseconds(() => readDer(indefinite))).toBeLessThan(50);
    expect(() => readDer(padded)).toThrow('nested more than 32 levels');
    expect(milliseconds(() => readDer(padded))).toBeLessThan(50);
  });

  it('S-09 reads 32 levels', () => {
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 32; depth += 1) nested = tlv(0x30, nested);
    expect(readDer(nested).tag).toBe(0x30);
  });

  it('V-27 refuses 100,000 values within 50 ms', () => {
    const names = sequence(Buffer.concat(Array.from({ length: 100_000 }, () => tlv(0x82, Buffer.from('a')))));
    expect(() => readDer(names)).toThrow('10,000 values');
    expect(milliseconds(() => readDer(names))).toBeLessThan(50);
  });

  it('throws DerError and nothing else, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
        expect(thrownBy(() => readDer(Buffer.from(octets))) ?? new DerError()).toBeInstanceOf(DerError);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readInteger', () => {
  it.each([
    ['00', 0n],
    ['7f', 127n],
    ['0080', 128n],
    ['80', -128n],
    ['ff', -1n],
    ['010001', 65537n],
  ])('reads %s', (content, value) => {
    expect(readInteger(readDer(tlv(0x02, hex(content))))).toBe(value);
  });

  it.each(['', '0000', '0001', 'ff80', 'ffff'])('refuses the contents "%s"', (content) => {
    expect(() => readInteger(readDer(tlv(0x02, hex(content))))).toThrow(DerError);
  });

  it('S-09 refuses an INTEGER of 1 MB within 50 ms', () => {
    const big = tlv(0x02, Buffer.alloc(1_000_000, 1));
    expect(() => readInteger(readDer(big))).toThrow('2100 octets');
    expect(milliseconds(() => readInteger(readDer(big)))).toBeLessThan(50);
  });
});

describe('readObjectIdentifier', () => {
  it.each(['0.9.2342.19200300.100.1.25', '1.2.840.113549.1.9.14', '2.5.4.3', '2.999.1'])(
    'reads %s',
    (oid) => {
      expect(readObjectIdentifier(readDer(objectIdentifier(oid)))).toBe(oid);
    },
  );

  it('reads an arc of 128 bits', () => {
    const content = hex('69 83 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff 7f');
    const arc = (1n << 128n) - 1n;
    expect(readObjectIdentifier(readDer(tlv(0x06, content)))).toBe(`2.25.${arc}`);
  });

  it.each([
    ['nothing', ''],
    ['an arc with leading zeros', '2a 80 01'],
    ['an arc that is cut off', '2a 86'],
  ])('refuses %s', (_, content) => {
    expect(() => readObjectIdentifier(readDer(tlv(0x06, hex(content))))).toThrow(DerError);
  });

  it('V-27 refuses one of 64 KB within 50 ms', () => {
    const big = tlv(0x06, Buffer.concat([Buffer.alloc(65_535, 0x81), Buffer.of(1)]));
    expect(() => readObjectIdentifier(readDer(big))).toThrow('too long');
    expect(milliseconds(() => readObjectIdentifier(readDer(big)))).toBeLessThan(50);
  });
});

describe('readObjectIdentifier of arcs of any length', () => {
  /** X.690, section 8.19: octet by octet. */
  function arcsOf(content: Buffer): readonly bigint[] {
    const arcs = [0n];
    for (const octet of content) {
      arcs.push(((arcs.pop() ?? 0n) << 7n) | BigInt(octet & 0x7f));
      if (octet < 0x80) arcs.push(0n);
    }
    const [first = 0n, ...others] = arcs.slice(0, -1);
    return first < 80n ? [first / 40n, first % 40n, ...others] : [2n, first - 80n, ...others];
  }

  it('S-09 reads every arc exactly, also beyond 2^53', () => {
    const arc = fc
      .tuple(
        fc.integer({ min: 0x81, max: 0xff }),
        fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 12 }),
      )
      .chain(([first, middle]) => fc.nat(0x7f).map((last) => [first, ...middle, last]));
    const single = fc.nat(0x7f).map((octet) => [octet]);
    fc.assert(
      fc.property(fc.array(fc.oneof(arc, single), { minLength: 1, maxLength: 4 }), (arcs) => {
        const content = Buffer.from(arcs.flat());
        expect(readObjectIdentifier(readDer(tlv(0x06, content)))).toBe(arcsOf(content).join('.'));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readBoolean', () => {
  it('reads FF and 00', () => {
    expect(readBoolean(readDer(hex('0101ff')))).toBe(true);
    expect(readBoolean(readDer(hex('010100')))).toBe(false);
  });

  it.each(['010101', '0100', '0102ffff'])('V-25 refuses %s', (text) => {
    expect(() => readBoolean(readDer(hex(text)))).toThrow(DerError);
  });
});

describe('readBitString', () => {
  it('reads octets and the count of unused bits', () => {
    expect(readBitString(readDer(hex('03 02 05 a0')))).toEqual({ unusedBits: 5, octets: hex('a0') });
    expect(readBitString(readDer(hex('03 01 00')))).toEqual({ unusedBits: 0, octets: hex('') });
  });

  it.each([
    ['unused bits that are not zero', '03 02 05 b0'],
    ['eight unused bits', '03 02 08 00'],
    ['unused bits of nothing', '03 01 01'],
    ['no count', '03 00'],
  ])('refuses %s', (_, text) => {
    expect(() => readBitString(readDer(hex(text)))).toThrow(DerError);
  });
});

describe('readTime (RFC 5280, section 4.1.2.5)', () => {
  const time = (tag: number, text: string): Date => readTime(readDer(tlv(tag, Buffer.from(text))));

  it.each([
    [0x17, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [0x17, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [0x18, '20500101000000Z', '2050-01-01T00:00:00.000Z'],
    [0x18, '99991231235959Z', '9999-12-31T23:59:59.000Z'],
  ])('reads tag %i, %s', (tag, text, iso) => {
    expect(time(tag, text).toISOString()).toBe(iso);
  });

  it.each([
    [0x17, '4912312359Z'],
    [0x17, '491231235959+0100'],
    [0x17, '490230000000Z'],
    [0x17, '20491231235959Z'],
    [0x18, '491231235959Z'],
    [0x18, '20500101000000.5Z'],
    [0x18, '20501301000000Z'],
    [0x18, '20500101246060Z'],
    [0x0c, '491231235959Z'],
  ])('refuses tag %i, %s', (tag, text) => {
    expect(() => time(tag, text)).toThrow(DerError);
  });
});

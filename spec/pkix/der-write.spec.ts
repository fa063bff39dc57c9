import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DerError, readDer, readInteger, readObjectIdentifier, readTime } from '../../src/pkix/der.ts';
import {
  bitString,
  boolean,
  embed,
  explicit,
  ia5String,
  implicit,
  integer,
  null_,
  objectIdentifier,
  octetString,
  printableString,
  sequence,
  serialInteger,
  set,
  setOf,
  time,
  toDer,
  utf8String,
  type Asn1,
} from '../../src/pkix/der-write.ts';

const run = promisify(execFile);

async function opensslAsn1parse(node: Asn1): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'der-'));
  try {
    await writeFile(join(folder, 'value.der'), toDer(node));
    const { stdout } = await run('openssl', [
      'asn1parse',
      '-inform',
      'DER',
      '-in',
      join(folder, 'value.der'),
    ]);
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const written = (node: Asn1): string => toDer(node).toString('hex');

describe('der-write', () => {
  it('writes what openssl reads', async () => {
    const text = await opensslAsn1parse(
      sequence(
        integer(1_000_000),
        serialInteger('ff00ff'),
        objectIdentifier('2.16.840.1.101.3.4.3.17'),
        boolean(true),
        null_(),
        utf8String('Zürich'),
        printableString('DE'),
        ia5String('a@example.org'),
        time(new Date('2049-12-31T23:59:59.900Z')),
        time(new Date('2050-01-01T00:00:00Z')),
        octetString(Buffer.from('00ff', 'hex')),
        explicit(3, set(integer(-1))),
      ),
    );
    const values = text.split('\n').map((line) => line.replace(/^.*?(prim|cons): /, '').replace(/\s+/g, ' '));
    expect(values).toEqual(
      expect.arrayContaining([
        'INTEGER :0F4240',
        'INTEGER :FF00FF',
        'OBJECT :2.16.840.1.101.3.4.3.17',
        'BOOLEAN :255',
        'NULL ',
        'UTF8STRING :Zürich',
        'PRINTABLESTRING :DE',
        'IA5STRING :a@example.org',
        'UTCTIME :491231235959Z',
        'GENERALIZEDTIME :20500101000000Z',
        'OCTET STRING [HEX DUMP]:00FF',
        'cont [ 3 ] ',
        'INTEGER :-01',
      ]),
    );
  });

  it('sorts the members of a SET OF by their encodings', () => {
    expect(written(setOf(integer(258), utf8String('a'), integer(3)))).toBe(
      '310a' + '020103' + '02020102' + '0c0161',
    );
  });

  it('puts implicit tags on primitive and constructed values', () => {
    expect(written(implicit(2, ia5String('\u0000A')))).toBe('82020041');
    expect(written(implicit(0, sequence(integer(5))))).toBe('a003020105');
    expect(written(implicit(0, embed(Buffer.from('3003020105', 'hex'))))).toBe('a003020105');
  });

  it('writes a BIT STRING with its count of unused bits', () => {
    expect(written(bitString(Buffer.of(0xa0), 5))).toBe('030205a0');
    expect(written(bitString(Buffer.alloc(0)))).toBe('030100');
  });

  it('embeds DER octet by octet', () => {
    const nodes = [
      integer(0),
      utf8String('x'),
      sequence(null_(), bitString(Buffer.of(0, 0))),
      ia5String('y'.repeat(300)),
    ];
    for (const der of [...nodes.map(toDer), Buffer.from('1e0400410042', 'hex')]) {
      expect(toDer(embed(der))).toEqual(der);
    }
    expect(() => embed(Buffer.from('0201', 'hex'))).toThrow(DerError);
  });

  it('writes INTEGERs, object identifiers and times that are read back', () => {
    fc.assert(
      fc.property(
        fc.bigInt(),
        fc.array(fc.nat(2 ** 31 - 1), { maxLength: 8 }),
        fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (number, arcs, date) => {
          const oid = ['1.2', ...arcs].join('.');
          expect(readInteger(readDer(toDer(integer(number))))).toBe(number);
          expect(readObjectIdentifier(readDer(toDer(objectIdentifier(oid))))).toBe(oid);
          expect(readTime(readDer(toDer(time(date)))).getTime()).toBe(
            Math.floor(date.getTime() / 1000) * 1000,
          );
        },
      ),
    );
  });
});

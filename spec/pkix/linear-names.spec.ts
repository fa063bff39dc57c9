import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readDer } from '../../src/pkix/der.ts';
import {
  comparableGeneralName,
  generalNamesEqual,
  readGeneralNames,
  type GeneralName,
} from '../../src/pkix/general-names.ts';
import {
  comparableText,
  namesEqual,
  readName,
  sameAttributes,
  type AttributeTypeAndValue,
  type Name,
} from '../../src/pkix/names.ts';
import { generalName, objectIdentifier, sequence, set, tlv, utf8String } from '../support/csr.ts';
import { growthOf, linearGrowth } from '../support/growth.ts';

type Attribute = readonly [type: string, value: string];

const nameOf = (rdns: readonly (readonly Attribute[])[]): Buffer =>
  sequence(
    ...rdns.map((rdn) =>
      set(...rdn.map(([type, value]) => sequence(objectIdentifier(type), utf8String(value)))),
    ),
  );

/** What RFC 5280, section 7.1 says, one pair after the other. */
function textsMatch(one: string, other: string): boolean {
  const folded = (text: string): string =>
    text.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' ');
  return folded(one) === folded(other);
}

function attributesMatch(one: AttributeTypeAndValue, other: AttributeTypeAndValue): boolean {
  return one.type === other.type && textsMatch(one.value, other.value);
}

/** Whether each has a partner of its own. */
function allMatch<Item>(
  ones: readonly Item[],
  others: readonly Item[],
  match: (one: Item, other: Item) => boolean,
): boolean {
  const left = [...others];
  for (const one of ones) {
    const at = left.findIndex((other) => match(one, other));
    if (at < 0) return false;
    left.splice(at, 1);
  }
  return left.length === 0;
}

function namesMatch(one: Name, other: Name): boolean {
  return (
    one.rdns.length === other.rdns.length &&
    one.rdns.every((rdn, at) => allMatch(rdn, other.rdns[at] ?? [], attributesMatch))
  );
}

function generalNameMatches(one: GeneralName, other: GeneralName): boolean {
  if (one.type === 'dNSName' && other.type === 'dNSName') {
    return one.value.toLowerCase() === other.value.toLowerCase();
  }
  if (one.type === 'directoryName' && other.type === 'directoryName') return namesMatch(one.name, other.name);
  return one.der.equals(other.der);
}

function generalNamesMatch(ones: readonly GeneralName[], others: readonly GeneralName[]): boolean {
  const areIn = (these: readonly GeneralName[], those: readonly GeneralName[]): boolean =>
    these.every((one) => those.some((other) => generalNameMatches(one, other)));
  return areIn(ones, others) && areIn(others, ones);
}

const value = fc.constantFrom(
  'a',
  'A',
  'b',
  ' a',
  'a  b',
  'a b',
  'a\u00a0B',
  '\u{FB01}',
  'fi',
  'É',
  'e\u0301',
  'ß',
  'a\tb',
  '=',
  '#61',
);
const attribute = fc.tuple(fc.constantFrom('2.5.4.3', '2.5.4.10', '2.5.4.11'), value);
const rdns = fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 3 });
const name = rdns.map((parts) => readName(readDer(nameOf(parts))));
const oneGeneralName = fc.oneof(
  fc.constantFrom('a.example', 'A.example', 'b.example').map((host) => generalName(2, host)),
  fc.constantFrom('a@example', 'A@example').map((mailbox) => generalName(1, mailbox)),
  fc.constantFrom('a', 'b').map((uri) => generalName(6, `urn:${uri}`)),
  rdns.map((parts) => tlv(0xa4, nameOf(parts))),
);
const generalNames = fc
  .array(oneGeneralName, { minLength: 1, maxLength: 4 })
  .map((names) => readGeneralNames(sequence(...names)));

describe('names are compared as before by texts that are made of each once', () => {
  it('two names', () => {
    fc.assert(
      fc.property(name, name, (one, other) => {
        expect(namesEqual(one, other)).toBe(namesMatch(one, other));
        const attributesOf = (of: Name): readonly AttributeTypeAndValue[] => of.rdns.flat();
        expect(sameAttributes(one, other)).toBe(
          allMatch(attributesOf(one), attributesOf(other), attributesMatch),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('two lists of general names', () => {
    fc.assert(
      fc.property(generalNames, generalNames, (ones, others) => {
        expect(generalNamesEqual(ones, others)).toBe(generalNamesMatch(ones, others));
        for (const one of ones) {
          for (const other of others) {
            expect(comparableGeneralName(one) === comparableGeneralName(other)).toBe(
              generalNameMatches(one, other),
            );
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('spaces of any kind', () => {
    const spaces = fc.constantFrom(' ', '\t', '\n', '\u00a0', '\u3000', '\u2028', 'a', 'É', '\u{FDFA}');
    fc.assert(
      fc.property(fc.array(spaces, { maxLength: 12 }), (characters) => {
        const text = characters.join('');
        const folded = text.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' ');
        expect(comparableText(text)).toBe(folded);
      }),
    );
  });
});

describe('what takes time that grows with the number of names, and not with its square', () => {
  const reversed = (names: readonly GeneralName[]): readonly GeneralName[] => names.toReversed();

  it.each([
    ['dNSNames', (index: number) => generalName(2, `host-${index}.example`)],
    ['directoryNames', (index: number) => tlv(0xa4, nameOf([[['2.5.4.3', `Gerät ${index}`]]]))],
    [
      'directoryNames of one part',
      (index: number) =>
        tlv(
          0xa4,
          nameOf([
            [
              ['2.5.4.3', `${index}`],
              ['2.5.4.10', 'É'],
            ],
          ]),
        ),
    ],
  ] as const)('S-09 comparing %s in another order', (_, make) => {
    const growth = growthOf((size) => {
      const names = readGeneralNames(sequence(...Array.from({ length: size }, (__, index) => make(index))));
      return () => generalNamesEqual(names, reversed(names));
    }, 125);
    expect(growth).toBeLessThan(linearGrowth);
  });

  it('S-09 comparing names of many attributes', () => {
    const growth = growthOf((size) => {
      // Larger than what `readName` takes.
      const attributes = Array.from({ length: size }, (_, index): AttributeTypeAndValue => {
        return { type: '2.5.4.10', value: `É ${index}`, isText: true };
      });
      const one: Name = { der: Buffer.of(1), rdns: [attributes] };
      const other: Name = { der: Buffer.of(2), rdns: [attributes.toReversed()] };
      return () => [namesEqual(one, other), sameAttributes(one, other)];
    }, 250);
    expect(growth).toBeLessThan(linearGrowth);
  });
});

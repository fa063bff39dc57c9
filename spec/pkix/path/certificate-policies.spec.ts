import { beforeAll, describe, expect, it } from '@jest/globals';
import { readCertificate, type Certificate } from '../../../src/pkix/certificate.ts';
import { objectionToPolicies } from '../../../src/pkix/path/certificate-policies.ts';
import { caConstraints, certificateDer, keyUsage, named } from '../../support/certificate.ts';
import {
  extension,
  generateKeyPair,
  integer,
  objectIdentifier,
  sequence,
  tlv,
  type KeyPair,
} from '../../support/csr.ts';
import { growthOf, linearGrowth } from '../../support/growth.ts';

const anyPolicy = '2.5.29.32.0';
const policies = (...oids: readonly string[]): Buffer =>
  extension('2.5.29.32', sequence(...oids.map((oid) => sequence(objectIdentifier(oid)))));
const requireExplicit = (skip: number): Buffer =>
  extension('2.5.29.36', sequence(tlv(0x80, Buffer.of(skip))), true);
const inhibitMapping = (skip: number): Buffer =>
  extension('2.5.29.36', sequence(tlv(0x80, Buffer.of(0)), tlv(0x81, Buffer.of(skip))), true);
const inhibitAny = (skip: number): Buffer => extension('2.5.29.54', integer(BigInt(skip)), true);
/** Each second policy is what the one before it is mapped to. */
const mapped = (...pairs: readonly string[]): Buffer => {
  const mappings = pairs.flatMap((from, at) =>
    at % 2 === 0 ? [sequence(objectIdentifier(from), objectIdentifier(pairs[at + 1] ?? ''))] : [],
  );
  return extension('2.5.29.33', sequence(...mappings), true);
};

let keys: readonly [KeyPair, KeyPair, KeyPair, KeyPair];
beforeAll(async () => {
  const pair = async (): Promise<KeyPair> => await generateKeyPair('P-256');
  keys = [await pair(), await pair(), await pair(), await pair()];
});

const ca = [caConstraints(), keyUsage(2, 0x04)];

/** Root, two CAs and a leaf with these extensions; the leaf first. */
async function chainWith(
  upper: readonly Buffer[],
  lower: readonly Buffer[],
  leaf: readonly Buffer[],
): Promise<readonly Certificate[]> {
  const [root, first, second, device] = keys;
  const ders = [
    { subject: named('leaf'), issuer: named('lower'), key: device, issuerKey: second, extensions: leaf },
    {
      subject: named('lower'),
      issuer: named('upper'),
      key: second,
      issuerKey: first,
      extensions: [...ca, ...lower],
    },
    {
      subject: named('upper'),
      issuer: named('root'),
      key: first,
      issuerKey: root,
      extensions: [...ca, ...upper],
    },
    { subject: named('root'), key: root, extensions: ca },
  ].map(certificateDer);
  return (await Promise.all(ders)).map((der) => readCertificate(der));
}

describe('T-13 certificate policies (RFC 5280, section 6.1)', () => {
  it.each<[string, Buffer[], Buffer[], Buffer[], boolean]>([
    ['nothing is demanded', [], [], [], true],
    ['nothing is demanded, whatever the policies', [policies('1.2.3')], [policies('1.2.4')], [], true],
    [
      'explicit, all under one policy',
      [policies('1.2.3'), requireExplicit(0)],
      [policies('1.2.3')],
      [policies('1.2.3')],
      true,
    ],
    ['explicit, the leaf without', [policies('1.2.3'), requireExplicit(0)], [policies('1.2.3')], [], false],
    [
      'explicit, the leaf under another',
      [policies('1.2.3'), requireExplicit(0)],
      [policies('1.2.3')],
      [policies('1.2.4')],
      false,
    ],
    ['explicit, a CA without', [policies('1.2.3'), requireExplicit(0)], [], [policies('1.2.3')], false],
    ['explicit below a certificate too many', [requireExplicit(5)], [], [], true],
    ['explicit by the last CA', [], [requireExplicit(0)], [], false],
    [
      'anyPolicy of a CA',
      [policies(anyPolicy), requireExplicit(0)],
      [policies(anyPolicy)],
      [policies('1.2.3')],
      true,
    ],
    [
      'anyPolicy that is inhibited',
      [policies(anyPolicy), requireExplicit(0), inhibitAny(0)],
      [policies(anyPolicy)],
      [policies('1.2.3')],
      false,
    ],
    [
      'a mapping',
      [policies('1.2.3'), requireExplicit(0)],
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.4')],
      true,
    ],
    [
      'a mapping, the leaf under the old name',
      [policies('1.2.3'), requireExplicit(0)],
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.3')],
      false,
    ],
    [
      'a mapping that is inhibited',
      [policies('1.2.3'), inhibitMapping(0)],
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.4')],
      false,
    ],
  ])('%s', async (_what, upper, lower, leaf, isFine) => {
    const chain = await chainWith(upper, lower, leaf);
    expect(objectionToPolicies(chain) === undefined).toBe(isFine);
  });

  it.each<[string, Buffer[], Buffer[], Buffer[], string[], boolean]>([
    ['under it', [policies('1.2.3')], [policies('1.2.3')], [policies('1.2.3')], ['1.2.3'], true],
    ['under another', [policies('1.2.3')], [policies('1.2.3')], [policies('1.2.3')], ['1.2.4'], false],
    [
      'that anyPolicy was mapped to from another',
      [policies(anyPolicy), mapped('1.2.3', '1.2.2')],
      [policies('1.2.2')],
      [policies('1.2.2')],
      ['1.2.2'],
      false,
    ],
    [
      'that anyPolicy was mapped from',
      [policies(anyPolicy), mapped('1.2.3', '1.2.2')],
      [policies('1.2.2')],
      [policies('1.2.2')],
      ['1.2.3'],
      true,
    ],
    [
      'by the name that the topmost CA gives it',
      [policies('1.2.3')],
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.4')],
      ['1.2.3'],
      true,
    ],
    [
      'by the name that only the CA below gives it',
      [policies('1.2.3')],
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.4')],
      ['1.2.4'],
      false,
    ],
    [
      'that two policies are mapped to',
      [policies('1.2.3', '1.2.5'), mapped('1.2.3', '1.2.4')],
      [policies('1.2.4', '1.2.5'), mapped('1.2.5', '1.2.4')],
      [policies('1.2.4')],
      ['1.2.5'],
      true,
    ],
    [
      'that is kept beside a mapping',
      [policies('1.2.3')],
      [mapped('1.2.3', '1.2.3', '1.2.3', '1.2.4'), policies('1.2.3')],
      [policies('1.2.3')],
      ['1.2.3'],
      true,
    ],
    [
      'by anyPolicy below a mapping',
      [policies('1.2.3'), mapped('1.2.3', '1.2.4')],
      [policies(anyPolicy)],
      [policies('1.2.4')],
      ['1.2.3'],
      true,
    ],
    [
      'by anyPolicy alone',
      [policies(anyPolicy)],
      [policies(anyPolicy)],
      [policies(anyPolicy)],
      ['1.2.3'],
      true,
    ],
  ])(
    'a policy is required, and the path valid %s: RFC 9618',
    async (_what, upper, lower, leaf, required, isFine) => {
      const chain = await chainWith(upper, lower, leaf);
      expect(objectionToPolicies(chain, required) === undefined).toBe(isFine);
    },
  );

  it.each([
    ['to', '1.2.3', anyPolicy],
    ['from', anyPolicy, '1.2.3'],
  ])('anyPolicy must not be mapped %s', async (_, from, to) => {
    const any = [policies(anyPolicy)];
    const chain = await chainWith([...any, mapped(from, to)], any, any);
    expect(objectionToPolicies(chain)).toMatch(/maps anyPolicy/);
  });

  it('S-09 policies that are mapped to each other again and again take time that grows with their number', async () => {
    const all = (size: number): readonly string[] => Array.from({ length: size }, (_, at) => `1.2.${at}`);
    const level = (size: number): readonly Buffer[] => [
      policies(...all(size)),
      mapped(...all(size).flatMap((policy, at) => [policy, `1.2.${(at + 1) % size}`])),
    ];
    const chains = new Map<number, readonly Certificate[]>();
    for (const size of [60, 480])
      chains.set(size, await chainWith(level(size), level(size), [policies('1.2.1')]));
    const growth = growthOf((size) => () => objectionToPolicies(chains.get(size) ?? [], ['1.2.999']), 60);
    expect(growth).toBeLessThan(linearGrowth);
  });
});

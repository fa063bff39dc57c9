import { extension, integer, objectIdentifier, sequence, tlv } from '../support/csr.ts';
import type { Random } from './random.ts';

/** What a certificate says of policies. */
export interface Policies {
  /** Undefined: it has no certificatePolicies. */
  readonly policies: readonly string[] | undefined;
  /** From which policy to which. */
  readonly mappings: readonly (readonly [string, string])[];
  /** Fields of policyConstraints, by their tags. */
  readonly constraints: readonly (readonly [number, number])[];
  readonly inhibitAnyPolicy: number | undefined;
}

const anyPolicy = '2.5.29.32.0';
const policyOids = [anyPolicy, '1.2.3.1', '1.2.3.2', '1.2.3.3'] as const;

/** What a CA says of policies, or an end entity, which maps none. */
export function makePolicies(random: Random, isCa: boolean): Policies {
  const listed = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(policyOids)))];
  const mapping = (): readonly [string, string] => {
    const pair = [random.pick(policyOids), random.pick(policyOids)] as const;
    return pair.includes(anyPolicy) && random.chance(80) ? mapping() : pair;
  };
  const skip = (tag: number): readonly (readonly [number, number])[] =>
    random.chance(40) ? [[tag, random.pick([0, 0, 1, 2])]] : [];
  return {
    policies: random.chance(90) ? listed : undefined,
    mappings: isCa && random.chance(45) ? Array.from({ length: 1 + random.below(2) }, mapping) : [],
    constraints: random.chance(50) ? [...skip(0x80), ...skip(0x81)] : [],
    inhibitAnyPolicy: random.chance(25) ? random.below(3) : undefined,
  };
}

/** As extensions of a certificate; none for undefined. */
export function policyExtensions(said: Policies | undefined): readonly Buffer[] {
  if (said === undefined) return [];
  const { policies, mappings, constraints, inhibitAnyPolicy } = said;
  const listed = (policies ?? []).map((oid) => sequence(objectIdentifier(oid)));
  const mapped = mappings.map((pair) => sequence(...pair.map((oid) => objectIdentifier(oid))));
  const fields = constraints.map(([tag, count]) => tlv(tag, Buffer.of(count)));
  return [
    ...(listed.length > 0 ? [extension('2.5.29.32', sequence(...listed))] : []),
    ...(mapped.length > 0 ? [extension('2.5.29.33', sequence(...mapped), true)] : []),
    ...(fields.length > 0 ? [extension('2.5.29.36', sequence(...fields), true)] : []),
    ...(inhibitAnyPolicy === undefined
      ? []
      : [extension('2.5.29.54', integer(BigInt(inhibitAnyPolicy)), true)]),
  ];
}

/** Words for what OpenSSL and Go see in another way, of a path from the topmost CA below the trust anchor on. */
export function policyFeatures(path: readonly Policies[]): ReadonlySet<string> {
  const features = new Set<string>();
  for (const [at, { policies, mappings }] of path.entries()) {
    const below = path[at + 1]?.policies ?? [];
    if (mappings.some((pair) => pair.includes(anyPolicy))) {
      features.add('anyPolicy mapped');
      if (policies === undefined) features.add('anyPolicy mapped without policies');
    }
    for (const [from, to] of mappings) {
      // The CA has the policy by anyPolicy alone.
      if (policies?.includes(anyPolicy) !== true || policies.includes(from)) continue;
      if (isAnyInhibited(path, at)) features.add('mapped by an inhibited anyPolicy');
      const isOnce = mappings.filter(([other]) => other === from).length === 1;
      if (isOnce && below.includes(anyPolicy) && !below.includes(to))
        features.add('mapped by anyPolicy, and anyPolicy below');
    }
  }
  return features;
}

/** RFC 5280, section 6.1.4, steps h and j; no certificate of these paths is self-issued. */
function isAnyInhibited(path: readonly Policies[], at: number): boolean {
  return path
    .slice(0, at)
    .some(({ inhibitAnyPolicy = Infinity }, above) => inhibitAnyPolicy <= at - above - 1);
}

import type { Certificate } from '../certificate.ts';
import {
  contextTag,
  DerError,
  readDer,
  readInteger,
  readObjectIdentifier,
  tags,
  withTag,
  type DerNode,
} from '../der.ts';
import { namesEqual } from '../names.ts';
import { oids } from '../oids.ts';

/** A node of the valid_policy_graph of RFC 9618. */
interface PolicyNode {
  readonly policy: string;
  /** Policies of the certificate below that are this one. */
  readonly expected: readonly string[];
  /** Those of the certificate above that expect it; the topmost node has none. */
  readonly parents: readonly PolicyNode[];
}

/** The nodes of one certificate, by their policies. A path is valid under no policy when it is empty. */
type Level = ReadonlyMap<string, PolicyNode>;

const top: PolicyNode = { policy: oids.anyPolicy, expected: [oids.anyPolicy], parents: [] };

/**
 * Certificate policies along a path by the algorithm of RFC 9618, which replaces that of RFC 5280, section 6.1: undefined, or
 * why the path is not valid. Without `required` any policy will do, and they matter only when a CA demands explicit ones;
 * else the path must be valid under one of them. `path` begins with the end entity and ends with the trust anchor, whose own
 * policies do not count. Throws DerError.
 */
export function objectionToPolicies(
  path: readonly Certificate[],
  required: readonly string[] = [],
): string | undefined {
  const fromTop = path.slice(0, -1).toReversed();
  let level: Level = new Map([[top.policy, top]]);
  let explicitPolicy = required.length === 0 ? fromTop.length + 1 : 0;
  let policyMapping = fromTop.length + 1;
  let inhibitAnyPolicy = fromTop.length + 1;

  for (const [at, certificate] of fromTop.entries()) {
    const isLast = at === fromTop.length - 1;
    const isSelfIssued = namesEqual(certificate.issuer, certificate.subject);
    const mayBeAny = inhibitAnyPolicy > 0 || (isSelfIssued && !isLast);
    level = levelOf(policiesOf(certificate), level, mayBeAny);
    if (explicitPolicy === 0 && level.size === 0) return refusal;
    if (isLast) {
      const isExplicit = skipCerts(certificate, oids.policyConstraints, 0) === 0;
      if (explicitPolicy > 1 && !isExplicit) return undefined;
      return isValidUnder(level, required) ? undefined : refusal;
    }
    const mappings = mappingsOf(certificate);
    if ([...mappings].some(([from, to]) => [from, ...to].includes(oids.anyPolicy))) return mapsAnyPolicy;
    level = policyMapping > 0 ? withMappings(level, mappings) : without(level, [...mappings.keys()]);
    if (!isSelfIssued) {
      explicitPolicy = Math.max(0, explicitPolicy - 1);
      policyMapping = Math.max(0, policyMapping - 1);
      inhibitAnyPolicy = Math.max(0, inhibitAnyPolicy - 1);
    }
    explicitPolicy = Math.min(explicitPolicy, skipCerts(certificate, oids.policyConstraints, 0));
    policyMapping = Math.min(policyMapping, skipCerts(certificate, oids.policyConstraints, 1));
    inhibitAnyPolicy = Math.min(inhibitAnyPolicy, skipCerts(certificate, oids.inhibitAnyPolicy, undefined));
  }
  return undefined;
}

const refusal = 'its path lacks the certificate policies that are demanded';
const mapsAnyPolicy = 'a CA in its path maps anyPolicy, which must not be mapped';

/** RFC 9618, section 5.3, steps d and e. */
function levelOf(policies: ReadonlySet<string>, above: Level, mayBeAny: boolean): Level {
  const level = new Map<string, PolicyNode>();
  const expecting = parentsByExpected(above);
  const any = above.get(oids.anyPolicy);
  for (const policy of policies) {
    const parents = expecting.get(policy) ?? (any === undefined ? [] : [any]);
    if (policy !== oids.anyPolicy && parents.length > 0)
      level.set(policy, { policy, expected: [policy], parents });
  }
  if (!policies.has(oids.anyPolicy) || !mayBeAny) return level;
  for (const [policy, parents] of expecting) {
    if (!level.has(policy)) level.set(policy, { policy, expected: [policy], parents });
  }
  return level;
}

function parentsByExpected(level: Level): ReadonlyMap<string, readonly PolicyNode[]> {
  const parents = new Map<string, PolicyNode[]>();
  for (const node of level.values()) {
    for (const policy of node.expected) {
      const ofPolicy = parents.get(policy);
      if (ofPolicy === undefined) parents.set(policy, [node]);
      else ofPolicy.push(node);
    }
  }
  return parents;
}

/** What a CA calls by another name below it (RFC 9618, section 5.4, step b1). */
function withMappings(level: Level, mappings: ReadonlyMap<string, ReadonlySet<string>>): Level {
  const mapped = new Map(level);
  const any = level.get(oids.anyPolicy);
  for (const [policy, to] of mappings) {
    const parents = (level.get(policy) ?? any)?.parents;
    if (parents !== undefined) mapped.set(policy, { policy, expected: [...to], parents });
  }
  return mapped;
}

/** What is mapped where nothing may be mapped any more is dropped. */
function without(level: Level, dropped: readonly string[]): Level {
  const kept = new Map(level);
  for (const policy of dropped) kept.delete(policy);
  return kept;
}

/** Whether the path is valid under one of the required policies, by the names that the topmost CAs give them. */
function isValidUnder(level: Level, required: readonly string[]): boolean {
  if (required.length === 0 || required.includes(oids.anyPolicy) || level.has(oids.anyPolicy))
    return level.size > 0;
  const nodes = new Set(level.values());
  // The set grows meanwhile.
  for (const { policy, parents } of nodes) {
    for (const parent of parents) {
      if (parent.policy !== oids.anyPolicy) nodes.add(parent);
      else if (required.includes(policy)) return true;
    }
  }
  return false;
}

/** Empty: the certificate has no certificatePolicies. */
function policiesOf(certificate: Certificate): ReadonlySet<string> {
  const { children = [] } = extensionOf(certificate, oids.certificatePolicies) ?? {};
  return new Set(children.flatMap(({ children: [id] }) => (id ? [readObjectIdentifier(id)] : [])));
}

/** By the policy that is mapped, what it is called below. */
function mappingsOf(certificate: Certificate): ReadonlyMap<string, ReadonlySet<string>> {
  const mappings = new Map<string, Set<string>>();
  for (const { children } of extensionOf(certificate, oids.policyMappings)?.children ?? []) {
    const [from, to] = children;
    if (from === undefined || to === undefined) throw new DerError('A policy mapping is malformed.');
    const policy = readObjectIdentifier(from);
    mappings.set(policy, (mappings.get(policy) ?? new Set()).add(readObjectIdentifier(to)));
  }
  return mappings;
}

/** How many certificates below are spared: field `n` of the extension, or the extension itself. */
function skipCerts(certificate: Certificate, oid: string, n: number | undefined): number {
  const extension = extensionOf(certificate, oid);
  if (extension === undefined) return Infinity;
  const field =
    n === undefined ? extension : extension.children.find(({ tag }) => tag === contextTag(n, 'primitive'));
  const count = field === undefined ? Infinity : Number(readInteger(withTag(field, tags.integer)));
  if (count < 0) throw new DerError('A number of certificates is negative.');
  return count;
}

function extensionOf({ extensions }: Certificate, oid: string): DerNode | undefined {
  const extension = extensions.find((candidate) => candidate.oid === oid);
  return extension && readDer(extension.value);
}

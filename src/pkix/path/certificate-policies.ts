import type { Certificate } from '../certificate.ts';
import {
  contextTag,
  readDer,
  readInteger,
  readObjectIdentifier,
  tags,
  withTag,
  type DerNode,
} from '../der.ts';
import { namesEqual } from '../names.ts';
import { oids } from '../oids.ts';

/** The policies under which a path is valid; `any` as long as nothing narrows them. */
type Policies = 'any' | ReadonlySet<string>;

/**
 * Certificate policies along a path (RFC 5280, section 6.1): undefined, or why the path is not valid. Without `required`
 * any policy will do, and they matter only when a CA demands explicit ones; else the path must be valid under one of them. `path` begins with the end entity and
 * ends with the trust anchor, whose own policies do not count.
 */
export function objectionToPolicies(
  path: readonly Certificate[],
  required: readonly string[] = [],
): string | undefined {
  const fromTop = path.slice(0, -1).toReversed();
  let policies: Policies = required.length === 0 ? 'any' : new Set(required);
  let explicitPolicy = required.length === 0 ? fromTop.length + 1 : 0;
  let policyMapping = fromTop.length + 1;
  let inhibitAnyPolicy = fromTop.length + 1;

  for (const [at, certificate] of fromTop.entries()) {
    const isLast = at === fromTop.length - 1;
    const isSelfIssued = namesEqual(certificate.issuer, certificate.subject);
    const mayBeAny = inhibitAnyPolicy > 0 || (isSelfIssued && !isLast);
    policies = narrow(policies, policiesOf(certificate), mayBeAny);
    if (explicitPolicy === 0 && isEmpty(policies)) return refusal;
    if (!isLast) policies = mapPolicies(policies, certificate, policyMapping > 0);
    if (!isSelfIssued) {
      explicitPolicy = Math.max(0, explicitPolicy - 1);
      policyMapping = Math.max(0, policyMapping - 1);
      inhibitAnyPolicy = Math.max(0, inhibitAnyPolicy - 1);
    }
    explicitPolicy = Math.min(explicitPolicy, skipCerts(certificate, oids.policyConstraints, 0));
    policyMapping = Math.min(policyMapping, skipCerts(certificate, oids.policyConstraints, 1));
    inhibitAnyPolicy = Math.min(inhibitAnyPolicy, skipCerts(certificate, oids.inhibitAnyPolicy, undefined));
  }
  return explicitPolicy === 0 && isEmpty(policies) ? refusal : undefined;
}

const refusal = 'its path lacks the certificate policies that are demanded';

function isEmpty(policies: Policies): boolean {
  return policies !== 'any' && policies.size === 0;
}

/** Undefined: the certificate has no certificatePolicies. */
function policiesOf(certificate: Certificate): ReadonlySet<string> | undefined {
  const sequence = extensionOf(certificate, oids.certificatePolicies);
  return (
    sequence &&
    new Set(sequence.children.flatMap(({ children: [id] }) => (id ? [readObjectIdentifier(id)] : [])))
  );
}

function narrow(policies: Policies, own: ReadonlySet<string> | undefined, mayBeAny: boolean): Policies {
  if (own === undefined) return new Set();
  if (mayBeAny && own.has(oids.anyPolicy)) return policies;
  const named = new Set([...own].filter((policy) => policy !== oids.anyPolicy));
  return policies === 'any' ? named : new Set([...named].filter((policy) => policies.has(policy)));
}

/** What a CA calls by another name below it; what may not be mapped any more is dropped. */
function mapPolicies(policies: Policies, certificate: Certificate, mayMap: boolean): Policies {
  const sequence = extensionOf(certificate, oids.policyMappings);
  if (sequence === undefined || policies === 'any') return policies;
  const mappings = sequence.children.flatMap(({ children: [from, to] }) =>
    from && to ? [[readObjectIdentifier(from), readObjectIdentifier(to)] as const] : [],
  );
  const kept = [...policies].filter((policy) => !mappings.some(([from]) => from === policy));
  const mapped = mappings.filter(([from]) => policies.has(from)).map(([, to]) => to);
  return new Set(mayMap ? [...kept, ...mapped] : kept);
}

/** How many certificates below are spared: field `n` of the extension, or the extension itself. */
function skipCerts(certificate: Certificate, oid: string, n: number | undefined): number {
  const extension = extensionOf(certificate, oid);
  if (extension === undefined) return Infinity;
  if (n === undefined) return Number(readInteger(extension));
  const field = extension.children.find(({ tag }) => tag === contextTag(n, 'primitive'));
  return field === undefined ? Infinity : Number(readInteger(withTag(field, tags.integer)));
}

function extensionOf({ extensions }: Certificate, oid: string): DerNode | undefined {
  const extension = extensions.find((candidate) => candidate.oid === oid);
  return extension && readDer(extension.value);
}

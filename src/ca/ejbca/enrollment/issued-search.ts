import type { Certificate } from '../../../pkix/certificate.ts';
import { changesOf, forbiddenChanges, type NameChange } from '../../../pkix/name-changes.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { FoundCertificate } from '../calls.ts';
import { sameForEjbca } from './end-entity-turns.ts';
import type { SearchOutcome } from './exactly-once.ts';

/** Where a search looks, and what says that it sees all there is. */
export interface SearchSteps {
  /** The certificates of the user name, as EJBCA compares, whose rows have changed since then; undefined: all of them. */
  find(updatedSince: Date | undefined): Promise<readonly FoundCertificate[]>;
  /** Whether EJBCA would show a certificate of this end entity, though it shows none. */
  isSighted(): Promise<boolean>;
}

/** What is looked for. */
export interface SoughtCertificate {
  readonly username: string;
  readonly request: EnrollmentRequest;
  /** Whether the names of the request count; a registered end entity has its own. */
  readonly withNames: boolean;
  /** Serial numbers, lower-case hex, of certificates that were there before the first attempt. */
  readonly known: ReadonlySet<string>;
  /** When the first attempt began. */
  readonly since: Date;
}

/** Milliseconds by which the clock of EJBCA may be behind the gateway's, or that of another gateway. */
const clockSkew = 300_000;

/** Whether an attempt at the request has got a certificate. Nothing found means nothing where EJBCA may hide it. */
export async function searchIssued(
  steps: SearchSteps,
  sought: SoughtCertificate,
): Promise<SearchOutcome<Buffer>> {
  const since = new Date(sought.since.getTime() - clockSkew);
  const first = outcomeIn(await steps.find(since), sought);
  if (first.state !== 'unknown') return first;
  const isSighted = (await steps.find(undefined)).some(isOf(sought.username)) || (await steps.isSighted());
  if (!isSighted) return first;
  // What was not seen before, for a moment without a database, is seen now.
  const second = outcomeIn(await steps.find(since), sought);
  return second.state === 'unknown' ? { state: 'absent' } : second;
}

function outcomeIn(found: readonly FoundCertificate[], sought: SoughtCertificate): SearchOutcome<Buffer> {
  const own = found.filter(isOf(sought.username));
  const { request, known, withNames } = sought;
  const changes = withNames ? [...additions, ...request.allowedChanges] : undefined;
  const fitting = own.findLast((one) => isFor(one, { request, known, changes }));
  if (fitting !== undefined) return { state: 'found', certificate: fitting.certificate.der };
  return { state: own.length > 0 ? 'absent' : 'unknown' };
}

/** EJBCA's comparison takes wildcards. */
function isOf(username: string): (found: FoundCertificate) => boolean {
  const wanted = sameForEjbca(username);
  return (found) => sameForEjbca(found.username) === wanted;
}

/** What makes a certificate that of a request. */
interface Wanted {
  readonly request: EnrollmentRequest;
  /** Serial numbers, lower-case hex, of others. */
  readonly known: ReadonlySet<string>;
  /** How the names may differ from those of the request; undefined: they do not count. */
  readonly changes: readonly NameChange[] | undefined;
}

/** Whether it is the certificate of a request, and not revoked. */
export function isFor(
  { certificate, isRevoked }: FoundCertificate,
  { request, known, changes }: Wanted,
): boolean {
  return (
    !isRevoked &&
    !known.has(certificate.serialNumber) &&
    certificate.spki.equals(request.csr.publicKey.spki) &&
    (changes === undefined || hasNames(certificate, request, changes))
  );
}

/** Beside what the CA may change: what it adds all the same is found, and refused by who compares it. */
const additions: readonly NameChange[] = ['addedAttributes', 'reorderedSubject', 'addedSubjectAltNames'];

function hasNames(
  issued: Certificate,
  { subject, subjectAltName }: EnrollmentRequest,
  allowed: readonly NameChange[],
): boolean {
  const names = { subject: issued.subject, subjectAltName: issued.subjectAltName ?? [] };
  return forbiddenChanges(changesOf({ subject, subjectAltName }, names), allowed).length === 0;
}

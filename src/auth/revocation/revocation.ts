import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import type { Revocation } from '../../pkix/crl-read.ts';
import { nameToString } from '../../pkix/names.ts';
import { compromises } from '../../store/store.ts';
import type { RevocationQuestion, RevocationSource, Verdict } from './source.ts';

/** How an alias finds out which certificates are revoked. */
export interface RevocationOptions {
  /** Asked about every certificate, whether or not it is among the sources: the CA alone knows what it issued. */
  readonly backend: RevocationSource;
  /** In the order in which they are asked; the first that knows decides. */
  readonly sources: readonly RevocationSource[];
  /** What becomes of a certificate about which a source should know, and none does. */
  readonly onFailure: 'hard' | 'soft';
  /** What becomes of a certificate of which no source speaks. */
  readonly withoutSource: 'accept' | 'refuse';
  readonly compromisedKeys: CompromisedKeys;
  readonly log: Log;
}

/** Keys that were compromised, whatever certificates there are of them. */
export interface CompromisedKeys {
  has(certificate: Certificate): Promise<boolean>;
  /** The certificate was revoked for a compromise of its key. */
  add(certificate: Certificate, now: Date): Promise<void>;
}

/** The moment of a question, and the certificates of CAs that the configuration or the backend names. */
type RevocationContext = Pick<RevocationQuestion, 'configured' | 'now' | 'signal'>;

/**
 * Why a validated path (the end entity first, the trust anchor last) does not count, said of the end entity: `it is
 * revoked`; undefined when it does. Throws `revocation_status_unavailable` where it may count later.
 */
export type RevocationCheck = (
  path: readonly Certificate[],
  context: RevocationContext,
) => Promise<string | undefined>;

/** What is said of a certificate that its CA does not know. */
export const neverIssued = 'is not among the certificates that this CA has issued';

/** What is said of a certificate whose key another certificate was revoked for. */
export const compromisedKey = 'has a key that has been compromised';

/** Seconds after which sources may answer again. */
const retryAfter = 30;

/**
 * Checks every certificate below the trust anchor, at each request anew. A key of an end entity that was compromised is
 * refused in every certificate, and is remembered as soon as a source says so of one.
 */
export function createRevocationCheck(options: RevocationOptions): RevocationCheck {
  return async function objectionToPath(path, context) {
    for (const [at, certificate] of path.slice(0, -1).entries()) {
      const [issuer = certificate, trustAnchor = certificate] = [path[at + 1], path.at(-1)];
      const verdict = await verdictOn({ certificate, issuer, trustAnchor, ...context }, options);
      if (at === 0) await learn(verdict, certificate, context.now, options);
      const objection = objectionTo(verdict, certificate, options);
      if (objection !== undefined) {
        return `${at === 0 ? 'it' : 'the certificate of a CA above it'} ${objection}`;
      }
    }
    const [endEntity] = path;
    const isCompromised = endEntity !== undefined && (await options.compromisedKeys.has(endEntity));
    return isCompromised ? `it ${compromisedKey}` : undefined;
  };
}

/** What is to be done with a certificate that an earlier, equal request has got. */
export type Standing =
  /** Nothing is known against it. */
  | 'good'
  /** It is revoked, expired or of another CA: the request is a new one. */
  | 'gone'
  /** Its holder is not to have another one. */
  | 'withdrawn';

/** The standing of a certificate of the alias's own CA, whose issuer is this. Throws `revocation_status_unavailable`. */
export type StandingOf = (
  certificate: Certificate,
  issuer: Certificate,
  context: RevocationContext,
) => Promise<Standing>;

/** Reasons that speak of the holder: a privilege was taken, or is suspended (RFC 5280, section 5.3.1). */
const withdrawing: readonly string[] = ['privilegeWithdrawn', 'certificateHold'];

/** Asks as `createRevocationCheck`, but nobody has to vouch for a certificate that was issued to who asks. */
export function createStanding(options: RevocationOptions): StandingOf {
  return async function standingOf(certificate, issuer, context) {
    const verdict = await verdictOn({ certificate, issuer, trustAnchor: issuer, ...context }, options);
    await learn(verdict, certificate, context.now, options);
    switch (verdict.status) {
      case 'revoked':
        note(options.log, certificate, verdict.revocation);
        return withdrawing.includes(verdict.revocation?.reason ?? '') ? 'withdrawn' : 'gone';
      case 'neverIssued':
        return 'gone';
      case 'undetermined':
        if (options.onFailure === 'hard') throw unavailable(verdict.reasons.join(' '));
        break;
      case 'good':
      case 'unknown':
      case 'uncovered':
        break;
    }
    return (await options.compromisedKeys.has(certificate)) ? 'gone' : 'good';
  };
}

/**
 * What the CA says against a certificate counts, whatever other sources say: a CRL and a responder call good what is not
 * revoked, although it may never have been issued (RFC 6960, section 2.2). For that reason none of them stands in for a CA
 * that does not answer, either.
 */
async function verdictOn(
  question: RevocationQuestion,
  { backend, sources }: RevocationOptions,
): Promise<Verdict> {
  const recorded = await backend.status(question);
  if (recorded.status === 'revoked' || recorded.status === 'neverIssued') return recorded;
  const heard = { ...backend, status: async () => await Promise.resolve(recorded) };
  const verdict = await askInOrder(
    sources.map((source) => (source === backend ? heard : source)),
    question,
  );
  const isAccepted = verdict.status === 'good' || verdict.status === 'uncovered';
  return recorded.status === 'undetermined' && isAccepted ? recorded : verdict;
}

/** The first verdict that is one; else the first of those who should know, with the reasons of all that failed. */
async function askInOrder(
  sources: readonly RevocationSource[],
  question: RevocationQuestion,
): Promise<Verdict> {
  let left: Verdict = { status: 'uncovered' };
  for (const source of sources) {
    const verdict = aboutExpired(source, question, await source.status(question));
    if (verdict.status === 'good' || verdict.status === 'revoked') return verdict;
    left = together(left, verdict);
  }
  return left;
}

function together(one: Verdict, next: Verdict): Verdict {
  if (one.status === 'undetermined' && next.status === 'undetermined') {
    return { ...one, reasons: [...one.reasons, ...next.reasons] };
  }
  return one.status === 'uncovered' ? next : one;
}

/** CRLs and responders may forget what has expired (RFC 5280, section 3.3), so that not to be revoked says nothing then. */
function aboutExpired(
  { name }: RevocationSource,
  { certificate, now }: RevocationQuestion,
  verdict: Verdict,
): Verdict {
  const isForgotten = name !== 'backend' && certificate.notAfter < now && verdict.status === 'good';
  if (!isForgotten) return verdict;
  return {
    status: 'unknown',
    reason: 'has expired, so that it need not be listed any more if it was revoked',
  };
}

function objectionTo(
  verdict: Verdict,
  certificate: Certificate,
  { onFailure, withoutSource, log }: RevocationOptions,
): string | undefined {
  switch (verdict.status) {
    case 'good':
      return undefined;
    case 'revoked':
      note(log, certificate, verdict.revocation);
      return 'is revoked';
    case 'neverIssued':
      alarm(log, certificate);
      return neverIssued;
    case 'uncovered':
      return withoutSource === 'accept' ? undefined : 'cannot be checked for revocation here';
    case 'unknown':
      if (onFailure === 'hard') return verdict.reason;
      warn(log, certificate, verdict.reason);
      return undefined;
    case 'undetermined':
      if (onFailure === 'hard') throw unavailable(verdict.reasons.join(' '));
      warn(log, certificate, verdict.reasons.join(' '));
      return undefined;
  }
}

/** The client that shows the certificate has its key, so the CA's word about the certificate counts for the key. */
async function learn(
  verdict: Verdict,
  certificate: Certificate,
  now: Date,
  { compromisedKeys }: RevocationOptions,
): Promise<void> {
  const reason = verdict.status === 'revoked' ? verdict.revocation?.reason : undefined;
  const isCompromised = compromises.some((compromise) => compromise === reason);
  if (isCompromised && !(await compromisedKeys.has(certificate))) await compromisedKeys.add(certificate, now);
}

/** When and why it was revoked, if a source has said it. */
function note(log: Log, { serialNumber, issuer }: Certificate, revocation: Revocation | undefined): void {
  if (revocation === undefined) return;
  const { reason, since } = revocation;
  log.info('A certificate is revoked.', {
    serialNumber,
    issuer: nameToString(issuer),
    reason,
    since: since.toISOString(),
  });
}

/** Either the key of the CA is in the wrong hands, or the configuration promises more of its record than is true. */
function alarm(log: Log, { subject, serialNumber, issuer }: Certificate): void {
  log.error('A certificate is refused that its CA has signed and never issued.', {
    serialNumber,
    subject: nameToString(subject),
    issuer: nameToString(issuer),
    advice:
      'Find out who uses the key of the CA. If it has issued certificates that its record does not have, set record: incomplete at the backend.',
  });
}

function warn(log: Log, { serialNumber, issuer }: Certificate, reason: string): void {
  log.warn('A certificate is accepted although nobody knows whether it is revoked.', {
    serialNumber,
    issuer: nameToString(issuer),
    reason,
  });
}

function unavailable(reason: string): EstError {
  return new EstError('revocation_status_unavailable', `Revocation: ${reason}`, { retryAfter });
}

import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { nameToString } from '../../pkix/names.ts';
import type { RevocationQuestion, RevocationSource, Verdict } from './source.ts';

/** How an alias finds out which certificates are revoked. */
export interface RevocationOptions {
  /** In the order in which they are asked; the first that knows decides. */
  readonly sources: readonly RevocationSource[];
  /** What becomes of a certificate about which a source should know, and none does. */
  readonly onFailure: 'hard' | 'soft';
  /** What becomes of a certificate of which no source speaks. */
  readonly withoutSource: 'accept' | 'refuse';
  readonly log: Log;
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

/** Seconds after which sources may answer again. */
const retryAfter = 30;

/** Checks every certificate below the trust anchor, at each request anew. */
export function createRevocationCheck(options: RevocationOptions): RevocationCheck {
  return async function objectionToPath(path, context) {
    for (const [at, certificate] of path.slice(0, -1).entries()) {
      const issuer = path[at + 1] ?? certificate;
      const verdict = await askInOrder(options.sources, { certificate, issuer, ...context });
      const objection = objectionTo(verdict, certificate, options);
      if (objection !== undefined) {
        return `${at === 0 ? 'it' : 'the certificate of a CA above it'} ${objection}`;
      }
    }
    return undefined;
  };
}

/** The first verdict that is one; else the first failure. */
async function askInOrder(
  sources: readonly RevocationSource[],
  question: RevocationQuestion,
): Promise<Verdict> {
  let left: Verdict = { status: 'uncovered' };
  for (const source of sources) {
    const verdict = aboutExpired(source, question, await source.status(question));
    if (verdict.status === 'good' || verdict.status === 'revoked') return verdict;
    if (left.status === 'uncovered') left = verdict;
  }
  return left;
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
      return 'is revoked';
    case 'uncovered':
      return withoutSource === 'accept' ? undefined : 'cannot be checked for revocation here';
    case 'unknown':
      if (onFailure === 'hard') return verdict.reason;
      warn(log, certificate, verdict.reason);
      return undefined;
    case 'failed':
      if (onFailure === 'hard') throw unavailable(verdict.reason);
      warn(log, certificate, verdict.reason);
      return undefined;
  }
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

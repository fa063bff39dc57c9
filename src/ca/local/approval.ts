import { EstError } from '../../errors.ts';
import { generalNamesEqual, generalNameText } from '../../pkix/general-names.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import type { NewHeldRequest } from '../../store/store.ts';
import type { CertificationAuthorityServices, EnrollmentRequest, EnrollmentResult } from '../ca.ts';
import type { Profile } from './profile.ts';

/** The answer to a request that waits; undefined: it may be issued now. Throws `rejected_by_ca` when it was denied. */
export type AskForApproval = (
  request: EnrollmentRequest,
  profile: Profile,
) => Promise<EnrollmentResult | undefined>;

/**
 * Lets requests wait for a person. What was approved is issued only when its client asks again, since then
 * everything is checked anew: who asks, whether it was revoked, and what the alias grants.
 */
export function createApproval(
  retryAfter: number,
  ca: string,
  { name: backend, heldRequests, pendingExpiry, log }: CertificationAuthorityServices,
): AskForApproval {
  return async function askForApproval(request, profile) {
    if (!needsApproval(request, profile)) return undefined;
    if (request.operation === 'serverkeygen') throw cannotWait();
    // Nobody is asked about what the profile refuses.
    profile.extensionsFor(request.csr.publicKey.type, request);
    const now = new Date();
    const askedSince = new Date(now.getTime() - pendingExpiry * 1000);
    const held = await heldRequests.hold(toHeldRequest(ca, request), now, askedSince);
    const { reference, decision, heldAt, subject, identity } = held;
    const isNew = heldAt.getTime() === now.getTime();
    if (isNew) {
      const { requestId, alias } = request;
      log.info('A request waits for approval.', { requestId, backend, reference, alias, identity, subject });
    }
    if (decision === undefined) return { status: 'pending', reference, retryAfter };
    if (decision.state === 'approved') return undefined;
    throw new EstError('rejected_by_ca', `The request was denied: ${decision.reason}`);
  };
}

/** The next request would be for another key. */
function cannotWait(): EstError {
  return new EstError(
    'rejected_by_ca',
    'The certificate profile wants approval, and a key that is made here cannot wait; use simpleenroll with a key of your own.',
  );
}

function needsApproval(request: EnrollmentRequest, { approval }: Profile): boolean {
  return approval === 'all' || (approval === 'newNames' && !keepsNames(request));
}

/** A renewal, unless it asks for new names by ChangeSubjectName. */
function keepsNames({ renewed, subject, subjectAltName }: EnrollmentRequest): boolean {
  return (
    renewed !== undefined &&
    namesEqual(renewed.subject, subject) &&
    generalNamesEqual(renewed.subjectAltName ?? [], subjectAltName)
  );
}

function toHeldRequest(ca: string, request: EnrollmentRequest): NewHeldRequest {
  const { idempotencyKey, alias, operation, identity, subject, subjectAltName, csr } = request;
  return {
    ca,
    idempotencyKey,
    alias,
    operation,
    identity: identity.description,
    subject: nameToString(subject),
    subjectAltName: subjectAltName.map(generalNameText),
    keyType: csr.publicKey.type,
    publicKey: csr.publicKey.sha256,
  };
}

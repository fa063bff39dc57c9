import { randomBytes } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import type { EnrollmentRequest } from '../ca.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import type { EjbcaCalls, EnrollmentAnswer } from './calls.ts';
import { usernameIn } from './client-mode.ts';
import { wrongEnrollmentCode } from './refusal.ts';
import { isSubject, isSubjectAltName } from './registered-names.ts';
import { newEndEntity, type RegisteredEndEntity, type WebService } from './web-service.ts';

/** What vendor mode works with. */
export interface VendorModeParts {
  readonly calls: EjbcaCalls;
  readonly webService: WebService;
  readonly settings: EjbcaAliasSettings;
  /** The vendor CAs themselves, without those above them. */
  readonly vendorCas: readonly Certificate[];
}

/**
 * Enrolment by a vendor's device certificate in place of an enrolment code, as EJBCA Enterprise does it: the vendor
 * certificate names the registered end entity, which must be NEW. EJBCA Community issues to a registered end entity
 * by its code alone, so that the gateway gives it one that nobody else knows, and uses it at once.
 */
export interface VendorMode {
  /** The end entity that the client's certificate names. Throws `bad_certification_request` for others than vendors'. */
  usernameOf(request: EnrollmentRequest): Promise<string>;
  /** Throws `bad_certification_request` in EJBCA's own words when the end entity is not there, not NEW, or named otherwise. */
  enroll(request: EnrollmentRequest, signal: AbortSignal): Promise<EnrollmentAnswer>;
}

/** Enrolments of one end entity come one after the other: the code of one would spoil that of the other. */
export function createVendorMode(parts: VendorModeParts): VendorMode {
  const underWay = new Map<string, Promise<unknown>>();

  async function alone<Value>(username: string, job: () => Promise<Value>): Promise<Value> {
    const before = underWay.get(username) ?? Promise.resolve();
    const own = before.then(job, job);
    underWay.set(username, own);
    try {
      return await own;
    } finally {
      if (underWay.get(username) === own) underWay.delete(username);
    }
  }

  async function usernameOf({ identity }: EnrollmentRequest): Promise<string> {
    const { certificate, trustAnchor } = identity.certificate ?? {};
    if (
      certificate === undefined ||
      trustAnchor !== 'implicit' ||
      !(await isOfVendor(certificate, parts.vendorCas))
    ) {
      throw refusal(wrongEnrollmentCode);
    }
    return usernameIn(certificate.subject, parts.settings);
  }

  return {
    usernameOf,
    async enroll(request, signal) {
      const username = await usernameOf(request);
      return await alone(username, async () => await enrollRegistered(parts, username, request, signal));
    },
  };
}

async function enrollRegistered(
  { calls, webService, settings: { certificateAuthority } }: VendorModeParts,
  username: string,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { requestId, csr } = request;
  refuseOtherSubject(request);
  const endEntity = await webService.findEndEntity(username, requestId, signal);
  if (endEntity?.status !== newEndEntity || endEntity.caName !== certificateAuthority) {
    throw refusal(wrongEnrollmentCode);
  }
  refuseOtherNames(request, endEntity);
  const code = randomBytes(24).toString('base64url');
  await webService.setEnrollmentCode(endEntity, code, requestId, signal);
  return await calls.certificateRequest(
    { requestId, csr: csr.der, username, code, certificateAuthority },
    signal,
  );
}

/** A vendor CA itself has signed the certificate, not another CA under the same root. */
async function isOfVendor(certificate: Certificate, vendorCas: readonly Certificate[]): Promise<boolean> {
  for (const vendorCa of vendorCas) {
    const isNamed = namesEqual(certificate.issuer, vendorCa.subject);
    if (isNamed && (await isSignedBy(certificate, vendorCa))) return true;
  }
  return false;
}

function refuseOtherSubject({ csr, identity }: EnrollmentRequest): void {
  const shown = identity.certificate?.certificate.subject;
  if (shown !== undefined && namesEqual(shown, csr.subject)) return;
  throw refusal("Can't enroll using different subject than requesting certificate.");
}

/** What ChangeSubjectName holds, else the CSR's subject, must be what the end entity is registered with. */
function refuseOtherNames(
  { csr }: EnrollmentRequest,
  { subjectDN, subjectAltName: registeredAlt = '' }: RegisteredEndEntity,
): void {
  const { subject, subjectAltName } = csr.changeSubjectName ?? { subject: csr.subject, subjectAltName: [] };
  const isRegistered =
    (nameToString(subject) === '' || isSubject(subject, subjectDN)) &&
    (subjectAltName.length === 0 || isSubjectAltName(subjectAltName, registeredAlt));
  if (isRegistered) return;
  throw refusal(
    csr.changeSubjectName === undefined
      ? 'Request DN must match end entity DN.'
      : 'ChangeSubjectName must hold the names with which the end entity is registered at the CA.',
  );
}

function refusal(sentence: string): EstError {
  return new EstError('bad_certification_request', sentence, { cmcFailure: 'badIdentity' });
}

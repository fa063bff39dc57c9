import { EstError } from '../../../errors.ts';
import type { Certificate } from '../../../pkix/certificate.ts';
import { generalNamesEqual } from '../../../pkix/general-names.ts';
import { namesEqual } from '../../../pkix/names.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { RecordOption } from '../../record.ts';
import type { EjbcaAliasSettings } from '../alias-settings.ts';
import type { Profiles } from '../calls.ts';
import { generateUsername } from '../name-generation.ts';
import type { VendorMode } from '../vendor-mode.ts';
import { newEndEntity, type RegisteredEndEntity } from '../web-service.ts';
import { subjectAltNameText, subjectText } from './end-entity-names.ts';
import { findSurely, type EnrollmentParts } from './enrollment-parts.ts';
import type { Target } from './registered-enrollment.ts';

/** What end entities are found with. */
export interface TargetParts extends Pick<EnrollmentParts, 'calls' | 'settings' | 'dn'> {
  readonly record: RecordOption;
  /** Undefined: switched off. */
  readonly vendorMode: VendorMode | undefined;
}

/** The end entity of a request, and how it may get its certificate. */
export interface EndEntityOfRequest {
  readonly target: Target;
  /** For one step; undefined: only one that is registered gets the certificate. */
  readonly profiles: (() => Promise<Profiles>) | undefined;
}

/** Finds it. Throws `EstError` where there is none, or none may be changed. */
export async function targetOf(
  parts: TargetParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { vendorMode, settings } = parts;
  if (vendorMode !== undefined && request.renewed === undefined) {
    return { target: await vendorMode.targetOf(request), profiles: undefined };
  }
  refuseOtherNames(request);
  return settings.operationMode === 'ra'
    ? await targetInRaMode(parts, request, signal)
    : await targetOfRenewal(parts, request, signal);
}

/** EJBCA takes the names from the CSR, so that it can certify no others. */
function refuseOtherNames({ csr, subject, subjectAltName }: EnrollmentRequest): void {
  if (namesEqual(csr.subject, subject) && generalNamesEqual(csr.subjectAltName ?? [], subjectAltName)) return;
  throw new EstError('rejected_by_ca', 'The CA certifies only the names that stand in the CSR itself.');
}

/** The one that has the certificate which is renewed; else one whose name is made as the alias says. */
async function targetInRaMode(
  parts: TargetParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { settings } = parts;
  const { renewed, csr, idempotencyKey } = request;
  const holder = renewed && (await holderOf(parts, renewed, signal));
  const username = holder ?? generateUsername(settings.nameGeneration, csr.subject, idempotencyKey);
  return {
    target: {
      username,
      withNames: true,
      onlyWhenNew: false,
      toRegister: (existing) => ({ ...existing, username, ...fieldsOf(settings, request, settings) }),
    },
    profiles: async () => await Promise.resolve(settings),
  };
}

/** The one that has the certificate which is renewed, with the profiles that it has. */
async function targetOfRenewal(
  parts: TargetParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { calls, settings } = parts;
  const { renewed } = request;
  const username = renewed && (await holderOf(parts, renewed, signal));
  if (renewed === undefined || username === undefined) throw unknownCertificate();
  return {
    target: {
      username,
      withNames: true,
      onlyWhenNew: false,
      toRegister(existing) {
        if (existing?.status === newEndEntity) throw codeWaits();
        const { certificateProfileName = settings.certificateProfile } = existing ?? {};
        const { endEntityProfileName = settings.endEntityProfile } = existing ?? {};
        const profiles = {
          certificateProfile: certificateProfileName,
          endEntityProfile: endEntityProfileName,
        };
        return { ...existing, username, ...fieldsOf(settings, request, profiles) };
      },
    },
    profiles: async () => (await calls.profilesOf(renewed, signal)) ?? settings,
  };
}

/** With the names of the request, for a key of the client's own. */
function fieldsOf(
  { certificateAuthority }: EjbcaAliasSettings,
  { subject, subjectAltName }: EnrollmentRequest,
  { certificateProfile, endEntityProfile }: Profiles,
): Omit<RegisteredEndEntity, 'username' | 'status'> {
  return {
    caName: certificateAuthority,
    certificateProfileName: certificateProfile,
    endEntityProfileName: endEntityProfile,
    subjectDN: subjectText(subject),
    subjectAltName: subjectAltNameText(subjectAltName) ?? '',
    tokenType: 'USERGENERATED',
  };
}

/**
 * The user name of the end entity to which EJBCA issued the certificate; undefined: EJBCA does not say, and keeps no complete
 * record. Throws `rejected_by_ca` when EJBCA issued another certificate under this serial number.
 */
async function holderOf(
  parts: TargetParts,
  { serialNumber, sha256, issuer }: Certificate,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await findSurely(
    parts,
    async () => await parts.calls.findCertificates(serialNumber, undefined, signal),
    ({ length }) => length === 0,
    signal,
  );
  const holder = found.find(({ certificate }) => certificate.sha256 === sha256);
  if (holder !== undefined) return holder.username;
  const isOfOther = found.some(
    ({ certificate: other }) => other.serialNumber === serialNumber && namesEqual(other.issuer, issuer),
  );
  if (isOfOther) throw unknownCertificate();
  if (parts.record === 'complete') throw holderNotShown();
  return undefined;
}

function unknownCertificate(): EstError {
  return new EstError('rejected_by_ca', 'The CA does not know the certificate that is to be renewed.');
}

/** Seconds after which EJBCA may show what it must have. */
const retryWhenHidden = 30;

function holderNotShown(): EstError {
  return new EstError(
    'ca_unavailable',
    'EJBCA does not show to whom it has issued the certificate that is to be renewed.',
    { retryAfter: retryWhenHidden },
  );
}

/** Another registration would take the place of its code. */
function codeWaits(): EstError {
  return new EstError(
    'rejected_by_ca',
    'The end entity waits at the CA for an enrolment by its code; enrol with the code in place of a renewal.',
  );
}

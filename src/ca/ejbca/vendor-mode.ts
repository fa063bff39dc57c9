import { EstError } from '../../errors.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import type { EnrollmentRequest } from '../ca.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import { usernameIn } from './client-mode.ts';
import type { Target } from './enrollment/registered-enrollment.ts';
import { wrongEnrollmentCode } from './refusal.ts';
import { isSubject, isSubjectAltName } from './registered-names.ts';
import { newEndEntity, type RegisteredEndEntity } from './web-service.ts';

/** What vendor mode works with. */
export interface VendorModeParts {
  readonly settings: EjbcaAliasSettings;
  readonly vendorCas: readonly Certificate[];
}

/**
 * Enrolment by a vendor's device certificate in place of an enrolment code, as EJBCA Enterprise does it: the vendor
 * certificate names the registered end entity, which must be NEW. EJBCA Community issues to a registered end entity
 * by its code alone, so that the gateway gives it one that nobody else knows, and uses it at once.
 */
export interface VendorMode {
  /**
   * The end entity that the client's certificate names. Throws `bad_certification_request` in EJBCA's own words for others than
   * vendors', and when the end entity is not there, not NEW, or named otherwise.
   */
  targetOf(request: EnrollmentRequest): Promise<Target>;
}

/** Of the CAs of one alias. */
export function createVendorMode({ settings, vendorCas }: VendorModeParts): VendorMode {
  async function usernameOf({ identity }: EnrollmentRequest): Promise<string> {
    const { certificate, trustAnchor } = identity.certificate ?? {};
    if (
      certificate === undefined ||
      trustAnchor !== 'implicit' ||
      !(await isOfVendor(certificate, vendorCas))
    ) {
      throw refusal(wrongEnrollmentCode);
    }
    return usernameIn(certificate.subject, settings);
  }

  return {
    async targetOf(request) {
      const username = await usernameOf(request);
      refuseOtherSubject(request);
      return {
        username,
        withNames: false,
        onlyWhenNew: true,
        toRegister(endEntity) {
          if (endEntity?.status !== newEndEntity || endEntity.caName !== settings.certificateAuthority) {
            throw refusal(wrongEnrollmentCode);
          }
          refuseOtherNames(request, endEntity);
          return endEntity;
        },
      };
    },
  };
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

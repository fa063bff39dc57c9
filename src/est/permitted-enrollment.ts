import type { EnrollmentRequest } from '../ca/ca.ts';
import type { ClientIdentity, UserIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';

/** A request that passed every check that needs no state, and may go to the CA if its key and its quota allow it. */
export interface PermittedEnrollment {
  readonly operation: EnrollmentRequest['operation'];
  readonly identity: ClientIdentity;
  /** The certificate that is renewed; undefined: a first one is asked for. */
  readonly renewed?: Certificate | undefined;
  /** Whose code the CSR held as otpChallenge. */
  readonly otpUser?: UserIdentity | undefined;
  readonly csr: CertificationRequest;
  readonly names: CertifiedNames;
  /** For a CA that speaks CMC itself: the message around the CSR, DER. */
  readonly fullPkiRequest?: Buffer | undefined;
}

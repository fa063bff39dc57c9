import type { EnrollmentRequest } from '../ca/ca.ts';
import type { ClientIdentity, UserIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import type { PublicKey } from '../pkix/keys.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import { verifyProofOfPossession, type CertificationRequest } from '../pkix/pkcs10.ts';
import type { NewEnrollment } from '../store/store.ts';
import type { Check } from './check.ts';

/** Who asks for what, as far as it could be read. Nothing of it has been granted. */
export interface AskedEnrollment<Csr extends RequestedCertificate = RequestedCertificate> {
  readonly operation: EnrollmentRequest['operation'];
  readonly identity: ClientIdentity;
  /** The certificate that is renewed; undefined: a first one is asked for. */
  readonly renewed?: Certificate | undefined;
  readonly csr: Csr;
  /** As `namesToCertify` gives them. */
  readonly names: CertifiedNames;
  /** Verify what the client has signed, which takes computing. */
  readonly signatures: readonly Check[];
  /** Ask for the status of certificates besides the one that the client shows. */
  readonly certificates: readonly CertificateCheck[];
  /** For a CA that speaks CMC itself: the message around the CSR, DER. */
  readonly fullPkiRequest?: Buffer | undefined;
}

/** A question about a certificate that the request relies on. */
export interface CertificateCheck extends Check {
  readonly certificate: Certificate;
}

/** A request of which the code in the CSR, too, was checked. */
export interface ProvedEnrollment<
  Csr extends RequestedCertificate = RequestedCertificate,
> extends AskedEnrollment<Csr> {
  /** Whose code the CSR held as otpChallenge. */
  readonly otpUser: UserIdentity | undefined;
}

/** A request whose record the journal was asked about. */
export interface ComparedEnrollment<
  Csr extends RequestedCertificate = RequestedCertificate,
> extends ProvedEnrollment<Csr> {
  /** What the journal gets to know of it. */
  readonly record: NewEnrollment;
  /**
   * An earlier one was the same: it costs neither a use of a code nor quota, and is not asked what its own answer has
   * changed. Found out only where that matters.
   */
  readonly isRepeat: boolean;
}

/** Whether a registration authority renews a certificate that is not its own. */
export function renewsOfOther({ identity, renewed }: AskedEnrollment): boolean {
  return renewed !== undefined && renewed.sha256 !== identity.certificate?.certificate.sha256;
}

/** The client has the key in its certificate of this CA, perhaps under other names than before. */
export function isKeyShown(
  { identity: { certificate: shown } }: AskedEnrollment,
  { spki }: Pick<PublicKey, 'spki'>,
): boolean {
  return shown?.trustAnchor === 'explicit' && shown.certificate.spki.equals(spki);
}

/** Whether the client has the private key: the signature of the CSR. */
export function proofOfPossession(csr: CertificationRequest): Check {
  return {
    rule: 'fixed: the signature of the CSR',
    check: async () => {
      await verifyProofOfPossession(csr);
    },
  };
}

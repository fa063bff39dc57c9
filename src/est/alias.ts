import type { Authentication } from '../auth/index.ts';
import type { OtpVerifier } from '../auth/otp-challenge.ts';
import type { OwnCertificateCheck } from '../auth/own-certificate.ts';
import type { TrustAnchors } from '../auth/trust-anchors.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { Policy } from '../policy/policy.ts';
import type { Blocklist } from '../pkix/weak-keys.ts';
import type { MessageSigner } from '../pkix/signed-data.ts';
import type { CaCertificates } from './ca-certificates.ts';

/** A named EST configuration, ready to serve `/.well-known/est/<name>/<operation>`. */
export interface Alias {
  readonly name: string;
  readonly ca: CertificationAuthority;
  readonly caCertificates: CaCertificates;
  /** Vendors and third parties whose certificates the alias accepts for a first enrolment. */
  readonly implicitTrustAnchors: TrustAnchors;
  /** The certificate profile to ask the CA for. */
  readonly profile: string | undefined;
  readonly authenticate: Authentication;
  readonly verifyOtp: OtpVerifier;
  readonly policy: Policy;
  /** Keys whose private halves are public knowledge. */
  readonly knownKeys: Blocklist;
  /** Full CMC; undefined: switched off. */
  readonly fullCmc: FullCmc | undefined;
  /** Accept nothing but base64 of DER. */
  readonly strict: boolean;
  /** Line form of base64 in replies; `auto` decides by the request. */
  readonly wrap: 'auto' | '64' | 'none';
}

/** What an alias needs to serve fullcmc. */
export interface FullCmc {
  /** Signs the answers. */
  readonly signer: MessageSigner;
  /** Whether the CA speaks CMC itself and gets the requests as they came. */
  readonly passThrough: boolean;
  /** Whether a certificate with which somebody signed is one of the alias's own CA, and good. */
  readonly checkSigner: OwnCertificateCheck;
}

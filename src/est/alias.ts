import type { ClaimGuard } from '../auth/claim.ts';
import type { Authentication } from '../auth/index.ts';
import type { OtpVerifier } from '../auth/otp-challenge.ts';
import type { OwnCertificateCheck } from '../auth/own-certificate.ts';
import type { GivenCertificateStanding } from '../auth/given-certificate.ts';
import type { RecordedCertificateCheck } from '../auth/recorded-certificate.ts';
import type { RegistrationAuthorities } from '../auth/registration-authority.ts';
import type { TrustAnchors } from '../auth/trust-anchors.ts';
import type { UserAuthentication } from '../auth/user.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { NameChange } from '../pkix/name-changes.ts';
import type { EnrollmentCodes } from '../identity.ts';
import type { Policy } from '../policy/policy.ts';
import type { PolicyWebhook } from '../policy/webhook.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { MadeFor } from '../store/store.ts';
import type { GeneratedKeyKind } from '../pkix/private-keys.ts';
import type { Blocklist } from '../pkix/weak-keys.ts';
import type { MessageSigner } from '../pkix/signed-data.ts';
import type { CaCertificates } from './ca-certificates.ts';
import type { Compatibility } from './compatibility.ts';
import type { KeyEncryptionKey } from './key-encryption-keys.ts';

/** A named EST configuration, ready to serve `/.well-known/est/<name>/<operation>`. */
export interface Alias {
  /** By which the store knows what belongs to it. */
  readonly id: string;
  readonly name: string;
  readonly ca: CertificationAuthority;
  readonly caCertificates: CaCertificates;
  /** Vendors and third parties whose certificates the alias accepts for a first enrolment. */
  readonly implicitTrustAnchors: TrustAnchors;
  /** How the CA may change the names that were approved; undefined: as is its nature. */
  readonly issuedNames: readonly NameChange[] | undefined;
  /** The certificate profile to ask the CA for. */
  readonly profile: string | undefined;
  readonly authenticate: Authentication;
  /** For simplereenroll: as `authenticate`, but a certificate of the alias's CA may have expired some time ago. */
  readonly authenticateRenewal: Authentication;
  /** That the CA checks itself; undefined: clients are authenticated here. */
  readonly enrollmentCodes: EnrollmentCodes | undefined;
  /** For who claims to have such a code. */
  readonly guardClaim: ClaimGuard;
  /** The header field of a 401. */
  readonly challenge: UserAuthentication['challenge'];
  readonly verifyOtp: OtpVerifier;
  /** For certificates that the alias's CA has issued to others than the client. Throws `refused_by_policy`. */
  readonly refuseRevoked: RecordedCertificateCheck;
  /** Of a certificate that an earlier, equal request has got. Throws `revocation_status_unavailable`. */
  readonly standingOf: GivenCertificateStanding;
  /** What its records are made for. */
  readonly madeFor: MadeFor;
  /** Who answers for a record that was made for something else; undefined: the configuration does not have it any more. */
  readonly issuerAsMade: (how: string) => Promise<Issuer | undefined>;
  readonly policy: Policy;
  /** Undefined: nobody else is asked. */
  readonly askPolicyWebhook: PolicyWebhook | undefined;
  /** Keys whose private halves are public knowledge. */
  readonly knownKeys: Blocklist;
  /** Full CMC; undefined: switched off. */
  readonly fullCmc: FullCmc | undefined;
  /** Undefined: serverkeygen is switched off. */
  readonly serverKeyGeneration: ServerKeyGeneration | undefined;
  readonly compatibility: Compatibility;
  /** Accept nothing but base64 of DER. */
  readonly strict: boolean;
  /** Line form of base64 in replies; `auto` decides by the request. */
  readonly wrap: 'auto' | '64' | 'none';
}

/** What of an alias belongs to its CA. */
export type Issuer = Pick<Alias, 'ca' | 'caCertificates' | 'profile' | 'standingOf'>;

/** What an alias needs to serve fullcmc. */
export interface FullCmc {
  /** Signs the answers. */
  readonly signer: MessageSigner;
  /** Whether the CA speaks CMC itself and gets the requests as they came. */
  readonly passThrough: boolean;
  /** Whether a certificate with which somebody signed is one of the alias's own CA, and good. */
  readonly checkSigner: OwnCertificateCheck;
  /** What such a signer may do for others. */
  readonly registrationAuthorityOf: RegistrationAuthorities;
}

/** What an alias needs to make keys for clients. */
export interface ServerKeyGeneration {
  /** The first is made unless the CSR holds a key of another kind that stands here. */
  readonly keys: readonly [GeneratedKeyKind, ...GeneratedKeyKind[]];
  /** Whether a certificate of the alias's CA, shown alone, is renewed with a new key. */
  readonly renewals: boolean;
  /** Undefined: keys are protected by TLS alone. */
  readonly encryption: KeyEncryption | undefined;
}

/** What it takes to encrypt a key for its client. */
export interface KeyEncryption {
  /** Whether every key must be encrypted. */
  readonly required: boolean;
  /** Of the party that makes the keys (RFC 7030, section 4.4.2). */
  readonly signer: MessageSigner;
  /** Shared with clients, by key identifier in hex. */
  readonly keyEncryptionKeys: ReadonlyMap<string, KeyEncryptionKey>;
  /** Of clients, besides the one that the client shows in TLS. */
  readonly recipients: readonly Certificate[];
}

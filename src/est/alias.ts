import type { Authentication } from '../auth/index.ts';
import type { TrustAnchors } from '../auth/trust-anchors.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { Policy } from '../policy/policy.ts';
import type { Blocklist } from '../pkix/weak-keys.ts';
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
  readonly policy: Policy;
  /** Keys whose private halves are public knowledge. */
  readonly knownKeys: Blocklist;
  /** Accept nothing but base64 of DER. */
  readonly strict: boolean;
  /** Line form of base64 in replies; `auto` decides by the request. */
  readonly wrap: 'auto' | '64' | 'none';
}

/** What an EJBCA keeps: CAs, profiles, end entities, certificates, approvals. In memory, gone at the end. */
import type { Authority } from './authority.ts';
import type { AlternativeNameKind } from './alternative-names.ts';

/** Statuses of end entities with EJBCA's numbers. */
export const endEntityStatuses = {
  NEW: 10,
  FAILED: 11,
  INITIALIZED: 20,
  INPROCESS: 30,
  GENERATED: 40,
  REVOKED: 50,
  HISTORICAL: 60,
  KEYRECOVERY: 70,
} as const;
type EndEntityStatus = keyof typeof endEntityStatuses;

/** Revocation reasons with EJBCA's numbers. */
export const revocationReasons = {
  NOT_REVOKED: -1,
  UNSPECIFIED: 0,
  KEY_COMPROMISE: 1,
  CA_COMPROMISE: 2,
  AFFILIATION_CHANGED: 3,
  SUPERSEDED: 4,
  CESSATION_OF_OPERATION: 5,
  CERTIFICATE_HOLD: 6,
  REMOVE_FROM_CRL: 8,
  PRIVILEGES_WITHDRAWN: 9,
  AA_COMPROMISE: 10,
} as const;
export type RevocationReason = keyof typeof revocationReasons;

/** How the key of an end entity comes about. */
type TokenType = 'USERGENERATED' | 'P12' | 'JKS' | 'PEM' | 'BCFKS';

/** Who may get which certificate. */
export interface EndEntity {
  readonly username: string;
  /** The enrolment code. */
  readonly password: string;
  /** In EJBCA's order and writing. */
  readonly subjectDn: string;
  /** In EJBCA's writing; empty: none. */
  readonly subjectAltName: string;
  readonly email: string;
  readonly status: EndEntityStatus;
  readonly token: TokenType;
  readonly certificationAuthority: string;
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
  readonly accountBindingId: string | undefined;
  /** The CSR of an enrolment in the RA web that waited for approval, PEM. */
  readonly certificateRequest?: string;
}

/** What certificates are like. */
export interface CertificateProfile {
  readonly name: string;
  readonly id: number;
  readonly validityDays: number;
  /** Dotted object identifiers; empty: no such extension. */
  readonly extendedKeyUsage: readonly string[];
  readonly keyAlgorithms: readonly ('RSA' | 'ECDSA' | 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87')[];
  /** Of RSA keys. */
  readonly bitLengths: readonly number[];
  readonly curves: readonly string[];
  /** Names of CAs; undefined: any. */
  readonly certificationAuthorities: readonly string[] | undefined;
  readonly allowValidityOverride: boolean;
  readonly requiresApproval: boolean;
}

/** What an end entity may be like. */
export interface EndEntityProfile {
  readonly name: string;
  readonly id: number;
  /** EJBCA's symbols, each as often as it may occur; undefined: anything. */
  readonly subject: readonly string[] | undefined;
  /** Each as often as it may occur; undefined: anything. */
  readonly alternativeNames: readonly AlternativeNameKind[] | undefined;
  /** Names; undefined: any. */
  readonly certificateProfiles: readonly string[] | undefined;
  /** Names; undefined: any. */
  readonly certificationAuthorities: readonly string[] | undefined;
}

/** A CA and what it does. */
export interface CertificationAuthority {
  readonly name: string;
  /** In EJBCA's writing. */
  readonly dn: string;
  readonly issuerDn: string;
  readonly id: number;
  readonly authority: Authority;
  /** From its own certificate to the root. */
  readonly chain: readonly Buffer[];
  readonly order: 'ldap' | 'x500';
  status: 'active' | 'offline' | 'token offline';
  requiresApproval: boolean;
  /** Two end entities never share a key. */
  readonly enforceUniquePublicKeys: boolean;
  /** Two end entities never share a subject. */
  readonly enforceUniqueDistinguishedName: boolean;
  crl: { readonly number: number; readonly der: Buffer } | undefined;
}

/** A certificate that a CA has issued. */
export interface IssuedCertificate {
  readonly der: Buffer;
  /** Upper-case hex without leading zeros, as EJBCA writes it. */
  readonly serialNumber: string;
  readonly issuerDn: string;
  readonly subjectDn: string;
  readonly subjectAltName: string;
  readonly username: string;
  readonly certificationAuthority: string;
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
  readonly accountBindingId: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly issuedAt: Date;
  /** Hex of the SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyHash: string;
  revocation: { readonly reason: RevocationReason; readonly at: Date } | undefined;
}

/** What waits for the approval of an administrator. */
export interface ApprovalRequest {
  readonly id: number;
  state: 'waiting' | 'approved' | 'rejected' | 'expired' | 'failed';
  /** What happens on approval. */
  readonly execute: () => void | Promise<void>;
  /** The end entity that it is about. */
  readonly username: string;
}

/** All of it. */
export interface Database {
  readonly certificationAuthorities: Map<string, CertificationAuthority>;
  readonly certificateProfiles: Map<string, CertificateProfile>;
  readonly endEntityProfiles: Map<string, EndEntityProfile>;
  readonly endEntities: Map<string, EndEntity>;
  readonly certificates: IssuedCertificate[];
  readonly approvalRequests: Map<number, ApprovalRequest>;
}

/** An EJBCA as it is after its installation: the fixed profiles, no CA. */
export function createDatabase(): Database {
  return {
    certificationAuthorities: new Map(),
    certificateProfiles: new Map([['ENDUSER', certificateProfile({ name: 'ENDUSER', id: 1 })]]),
    endEntityProfiles: new Map([['EMPTY', endEntityProfile({ name: 'EMPTY', id: 1 })]]),
    endEntities: new Map(),
    certificates: [],
    approvalRequests: new Map(),
  };
}

/** A certificate profile with the defaults of ENDUSER. */
export function certificateProfile(
  changes: Partial<CertificateProfile> & Pick<CertificateProfile, 'name' | 'id'>,
): CertificateProfile {
  return {
    validityDays: 730,
    extendedKeyUsage: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.4'],
    keyAlgorithms: ['RSA', 'ECDSA', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
    bitLengths: [2048, 3072, 4096, 8192],
    curves: ['P-256', 'P-384', 'P-521'],
    certificationAuthorities: undefined,
    allowValidityOverride: false,
    requiresApproval: false,
    ...changes,
  };
}

/** An end entity profile that allows everything, less the changes. */
export function endEntityProfile(
  changes: Partial<EndEntityProfile> & Pick<EndEntityProfile, 'name' | 'id'>,
): EndEntityProfile {
  return {
    subject: undefined,
    alternativeNames: undefined,
    certificateProfiles: undefined,
    certificationAuthorities: undefined,
    ...changes,
  };
}

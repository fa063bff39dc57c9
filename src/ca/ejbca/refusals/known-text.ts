import type { EstErrorCode } from '../../../errors.ts';

/** What a caller can act on, whatever the text was. */
export type RefusalOutcome =
  /** The end entity is GENERATED: its certificate has been issued. */
  | 'alreadyIssued'
  /** The end entity has another password. */
  | 'wrongPassword'
  /** There is no such end entity. */
  | 'unknownEndEntity'
  /** The end entity is REVOKED. */
  | 'revoked'
  /** The end entity has a status in which nothing is issued. */
  | 'wrongStatus'
  /** Key or subject belong to another end entity. */
  | 'conflict'
  /** Another request for the same end entity was faster, or EJBCA failed: once it is the race, twice the failure. */
  | 'lostRace'
  /** An administrator has to approve the registration first. */
  | 'waitsForApproval'
  /** The same registration waits already, asked for by this request or by another one. */
  | 'approvalExists'
  /** The end entity profile makes the passwords of end entities itself. */
  | 'makesPasswords';

/** Whose outage an answer shows: that of EJBCA as a whole, or of one CA of it. */
export type Outage = 'ejbca' | 'ca';

/** A kind of refusal. */
export interface Meaning {
  readonly code: EstErrorCode;
  readonly outcome?: RefusalOutcome;
  readonly outage?: Outage;
  /** Read by the device's operator where `code` is a 4xx, else by the gateway's alone. */
  readonly sentence: string;
  /** What the operator of EJBCA or of the gateway changes; a name in braces is what EJBCA said in its place. */
  readonly advice: string;
  /** Where in EJBCA's pages it is changed. */
  readonly page?: string;
}

/** A refusal of EJBCA by its text, and what it means. */
export interface KnownText extends Meaning {
  /**
   * As EJBCA has them in its REST answers and SOAP faults, whatever status they come with: pkcs10enroll makes nearly all of
   * them 400. A name in braces stands for what differs from answer to answer.
   */
  readonly texts: readonly string[];
  /** Of SOAP faults that mean this whatever their text. */
  readonly exceptions?: readonly string[];
  /** The one call that means this by the text; undefined: every call. */
  readonly call?: string;
}

/** The pages of EJBCA by their names in its menu. */
export const pages = {
  approvals: 'Supervision Functions, Approve Actions',
  certificateProfiles: 'CA Functions, Certificate Profiles',
  certificationAuthorities: 'CA Functions, Certification Authorities',
  activation: 'CA Functions, CA Activation',
  cryptoTokens: 'CA Functions, Crypto Tokens',
  endEntities: 'RA Functions, Search End Entities',
  endEntityProfiles: 'RA Functions, End Entity Profiles',
  oauthProviders: 'System Configuration, Trusted OAuth Providers',
  protocols: 'System Configuration, Protocol Configuration',
  roles: 'System Functions, Roles and Access Rules',
} as const;

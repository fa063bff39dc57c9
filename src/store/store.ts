import type { SchemaObject } from 'ajv';

/**
 * The state that must outlive the process: the journal of enrolments, the users, and the certificates,
 * revocations and held requests of CA backends that issue by themselves. Several gateways may share one store. Every method is
 * atomic and durable when its promise resolves, unless it is told otherwise, and may run many times at once; dates have a
 * precision of milliseconds. Failures of the database are thrown as they come. When a change could not be made durable
 * though it was written, all later ones fail, until the store is opened again.
 */
export interface StateStore {
  readonly enrollments: EnrollmentJournal;
  readonly aliases: AliasRegistry;
  readonly users: UserRegistry;
  readonly certificates: CertificateRegistry;
  readonly heldRequests: HeldRequestRegistry;
  readonly attempts: AttemptRegistry;
  readonly answers: AnswerRegistry;
  /** 32 random octets, made when first asked for by this name: the same for all that use the store, for ever. */
  secret(name: string): Promise<Buffer>;
  /** Closes the database; nothing may be called afterwards. */
  close(): Promise<void>;
}

/**
 * What the promise of a change waits for. `durable`: nothing takes the change back. `written`: all who use the store see the
 * change, but a loss of power may take it back, together with all that was written after it: changes become durable in the
 * order in which they were written. So a later one that is durable makes it durable too.
 */
export type Until = 'written' | 'durable';

/** What the journal knows of an enrolment before the CA is asked. */
export interface NewEnrollment {
  /**
   * SHA-256, hex, over what makes two requests the same: identity, alias, operation, key, names, extensions. One whose
   * key is yet to be made is the same as no other.
   */
  readonly fingerprint: string;
  readonly requestId: string;
  readonly alias: string;
  readonly operation: string;
  /** `ClientIdentity.key`; of a user with the identifier of its alias before it, such as `est/user:NAME`. */
  readonly identity: string;
  /** RFC 4514 string of the subject to certify. */
  readonly subject: string;
  /** SHA-256 of the subjectPublicKeyInfo, hex; undefined: the key is made when this is recorded. */
  readonly publicKey: string | undefined;
  /** The client has shown a certificate of the CA with this key, so that it is its own, whoever has it besides. */
  readonly isKeyShown: boolean;
  /** The ids of the users of the store whose codes were shown. */
  readonly users: readonly string[];
  /**
   * The one of them whose limits this enrolment must keep, and of whose `remainingUses` it takes one; undefined: none has any.
   */
  readonly countedUser: string | undefined;
  /** The certificates by which it is asked for: that of the client, and those of others that it relies on. */
  readonly certificates: readonly ShownCertificate[];
  /** What the CA is asked with besides the request. */
  readonly madeFor: MadeFor;
  /** Who asks, by a text that is the same for all records that fill one quota. */
  readonly client: string;
  /** The name of the registration authority that asks; left out: none does. */
  readonly registrationAuthority?: string;
  /** Empty: there is none. */
  readonly quotas: readonly Quota[];
}

/** By whom and how a CA is asked, apart from the request. */
export interface MadeFor {
  /** SHA-256, hex: the same only while the CA would issue the same certificate to the same request. */
  readonly terms: string;
  /** What it takes to ask the same CA in the same way again, in the writing of who composes it. */
  readonly how: string;
}

/** How many new records a client, or a registration authority for all of its clients, may have at an alias within a period. */
export interface Quota {
  readonly of: 'client' | 'registrationAuthority';
  /** What the records that are counted together have there. */
  readonly key: string;
  readonly most: number;
  /** The period begins here. */
  readonly since: Date;
  /** As that of `RepeatWindow`. */
  readonly pendingSince: Date;
}

/** A certificate by which a client asks. */
export interface ShownCertificate {
  /** Lower-case hex without leading zero octets. */
  readonly serialNumber: string;
  /** DER. */
  readonly certificate: Buffer;
  /** SHA-256 of the subjectPublicKeyInfo, hex. */
  readonly publicKey: string;
}

/** What `EnrollmentJournal.open` finds or does. */
export type OpenedEnrollment =
  /**
   * Recorded (again): ask the CA, then call `issued`, `pending`, `refused` or `failed` with this. `attemptedSince` is when it
   * was recorded first, if this is again; `madeFor` is what the record was made for then.
   */
  | (RecordAttempt & Earlier & { readonly state: 'opened'; readonly attemptedSince?: Date })
  /** The same request was answered within the window, at this time: give this certificate (DER) again, if it is still good. */
  | (Earlier & { readonly state: 'issued'; readonly certificate: Buffer; readonly answeredAt: Date })
  /** The CA issued another certificate to the same request than was approved, within the window: refuse it with this EstErrorCode. */
  | (Earlier & { readonly state: 'rejected'; readonly code: string; readonly answeredAt: Date })
  /** The same request waits at the CA: ask it by this reference. */
  | (RecordAttempt & Earlier & { readonly state: 'pending'; readonly reference: string })
  /** The same request is being handled at this moment, here or by another gateway. */
  | { readonly state: 'in_progress'; readonly id: string }
  /** A user was removed since its code was shown. */
  | { readonly state: 'code_removed' }
  /** A certificate that was shown was revoked by a CA of the store, or its key was compromised. */
  | { readonly state: 'certificate_revoked' }
  /** The key was compromised, is an operator's, or another identity has it under another subject, or has asked for it. */
  | { readonly state: 'key_refused'; readonly why: 'compromised' | 'operator' | 'other' }
  /** The counted user has no use left. */
  | { readonly state: 'exhausted' }
  /** The time of the counted user's code is over. */
  | { readonly state: 'expired' }
  /** This quota is used up until the oldest record that counts, of this time, is past the period. */
  | { readonly state: 'quota_reached'; readonly quota: Quota; readonly oldest: Date }
  /** As many requests as may wait for the CA do so, of this identity or of all at the alias. */
  | { readonly state: 'too_many_pending'; readonly of: 'identity' | 'alias' };

/** What is known of an earlier record. */
interface Earlier {
  /** Left out: a new record, or one of a release that did not keep it. */
  readonly madeFor?: MadeFor;
}

/** One of the times that the CA is asked for a record: each time that it is opened is another. */
export interface RecordAttempt {
  readonly id: string;
  /** From 1 on. */
  readonly attempt: number;
}

/** What `EnrollmentJournal.issued` has done with a certificate. */
export type IssuedOutcome =
  | { readonly state: 'recorded' }
  /**
   * The record was closed before: it has another certificate (DER), or none. This one is kept in a record of its own, and is
   * not to be given.
   */
  | { readonly state: 'surplus'; readonly recorded: Buffer | undefined };

/** How many requests may wait for the CA at once, at one alias. */
export interface PendingLimits {
  readonly perIdentity: number;
  readonly perAlias: number;
}

/** A certificate as the journal keeps it. */
export interface IssuedCertificate {
  /** DER. */
  readonly certificate: Buffer;
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly notAfter: Date;
  /** SHA-256 of the subjectPublicKeyInfo, hex. */
  readonly publicKey: string;
  /** `identifierOfNames` of `pkix/names-identifier.ts`. */
  readonly names: string;
}

/** A certificate that was found by its names. */
export interface CertificateUnderNames {
  /** Of its record. */
  readonly id: string;
  readonly notAfter: Date;
  /** DER. */
  readonly certificate: Buffer;
}

/** How `EnrollmentJournal.open` looks back. */
export interface RepeatWindow {
  /** The time of the request. */
  readonly now: Date;
  /** An answer at least this recent is given again. */
  readonly issuedSince: Date;
  /**
   * When whoever opens a record now has surely stopped asking the CA. It is stored with the record: one that is open for longer was
   * left by a crash, and is opened again.
   */
  readonly underWayUntil: Date;
  /** A pending request that nobody has asked for since then has lapsed: it is opened again, and counts no more. */
  readonly pendingSince: Date;
}

/** One row of the journal, for people and for checks. */
export interface JournalEntry {
  readonly id: string;
  readonly requestId: string;
  readonly alias: string;
  readonly operation: string;
  readonly identity: string;
  readonly subject: string;
  readonly state: 'open' | 'pending' | 'issued' | 'surplus' | 'rejected' | 'refused' | 'failed';
  readonly serialNumber: string | undefined;
  readonly openedAt: Date;
}

/** To whom a key was certified. */
export interface KeyHolder {
  /** `ClientIdentity.key`; of a user with the identifier of its alias before it, such as `est/user:NAME`. */
  readonly identity: string;
  /** RFC 4514 string. */
  readonly subject: string;
}

/**
 * Every enrolment: recorded before the CA is asked, closed with the outcome, so that every certificate that
 * was ever issued is known. There is at most one unfinished record (`open`, `pending`, or `failed`) for a
 * fingerprint. An outcome belongs to its attempt: what comes of an earlier one, after the record was opened again, changes
 * nothing, but for a certificate.
 */
export interface EnrollmentJournal {
  /**
   * Refuses what the users, certificates and keys of the store do not allow at this moment.
   *
   * Finds an earlier enrolment with the same fingerprint, else records a new one and takes one use of the
   * counted user, if its code has not expired, all in one transaction. A failed record, a lapsed pending or an abandoned open
   * one is opened again under its id; it takes a use only where it has none, since it has given it back. Of several calls at once
   * for one fingerprint exactly one gets `opened`; of several for a user with N uses left, N. A use that a lapsed request has
   * is given back when it is wanted.
   *
   * With quotas, no more records are made within the period of each than it allows, also by several calls at once; refused and
   * lapsed ones, and those that have given back their use, do not count.
   *
   * With `limits`, nothing is opened, new or again, while as many requests are pending; those that the CA is being
   * asked about are not counted.
   *
   * `until` (left out: `durable`) is for `opened` alone; every other answer is durable.
   */
  open(
    enrollment: NewEnrollment,
    window: RepeatWindow,
    limits?: PendingLimits,
    until?: Until,
  ): Promise<OpenedEnrollment>;

  /**
   * Whether `open` would find an earlier enrolment with this fingerprint now, so that it would take neither a use of a code
   * nor quota. Nothing is recorded.
   */
  isRepeat(fingerprint: string, window: RepeatWindow): Promise<boolean>;

  /**
   * `exhausted` or `expired` where `open` would answer so to a new enrolment with this counted user; undefined: the code is
   * good. Nothing is recorded.
   */
  spentCode(countedUser: string, window: RepeatWindow): Promise<'exhausted' | 'expired' | undefined>;

  /**
   * The time of the oldest record that counts where `open` would answer `quota_reached` to a new enrolment; undefined:
   * there is room for one more. Nothing is recorded.
   */
  reachedQuota(alias: string, quota: Quota): Promise<Date | undefined>;

  /** By which record a certificate was issued: its alias and client; undefined: by none that is known. */
  issuedTo(
    certificate: Pick<IssuedCertificate, 'certificate' | 'notAfter' | 'publicKey'>,
  ): Promise<Pick<NewEnrollment, 'alias' | 'client'> | undefined>;

  /**
   * The CA issued: closes the record, whichever attempt it was. Afterwards `open` answers `issued` within the window. Of a record
   * that is closed already, the certificate stays; another one is never forgotten, but is surplus.
   */
  issued(id: string, certificate: IssuedCertificate, now: Date): Promise<IssuedOutcome>;

  /**
   * The CA accepted the request for later, or says so again: `open` answers `pending` from now on. A record that
   * was closed meanwhile stays closed.
   */
  pending(of: RecordAttempt, reference: string, now: Date): Promise<void>;

  /** The request was refused for good: closes the record and gives a taken use back. `code` is an EstErrorCode. */
  refused(of: RecordAttempt, code: string, now: Date): Promise<void>;

  /**
   * The CA issued what nobody may have: closes the record, which is not opened again within the window, and gives a taken
   * use back. `code` is an EstErrorCode.
   */
  rejected(of: RecordAttempt, code: string, now: Date): Promise<void>;

  /**
   * Nobody knows whether the CA issued: the record stays unfinished and keeps its use and quota, for the repeat. A pending
   * record stays pending.
   */
  failed(of: RecordAttempt, code: string, now: Date): Promise<void>;

  /**
   * As `failed`, but it is known that this attempt got no certificate: unless an earlier one may have got one, the record gives
   * back its use and quota until it is opened again.
   */
  nothingIssued(of: RecordAttempt, code: string, now: Date): Promise<void>;

  /**
   * Whether a certificate with this key (SHA-256 of the subjectPublicKeyInfo, hex) that has not expired was issued to
   * another identity under another subject; a device that only came by another way, or has another name now, is none.
   */
  isKeyOfOther(publicKey: string, than: KeyHolder, now: Date): Promise<boolean>;

  /**
   * The certificates that were issued at an alias under these names (`IssuedCertificate.names`) and expire at `since` or later,
   * the one that lasts longest first; at most 100, which begin after the last one of the answer before.
   */
  issuedUnder(
    alias: string,
    names: string,
    since: Date,
    after?: CertificateUnderNames,
  ): Promise<readonly CertificateUnderNames[]>;

  /** The certificates (DER) that were issued, surplus ones too, in the order of their records, which begin after `id`; at most `limit`. */
  issuedAfter(
    id: string,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly certificate: Buffer }[]>;

  /**
   * Lets no request find a record any more, so that the next one is new. What was issued stays. A record that waits is closed,
   * and gives its use back; one whose outcome is unknown keeps it. `in_progress`, and nothing is changed, while the CA is asked.
   */
  forget(id: string, now: Date): Promise<'forgotten' | 'unknown' | 'in_progress'>;

  /** The newest records first, at most `limit`. */
  list(limit: number): Promise<readonly JournalEntry[]>;
}

/** An alias that no configuration has any more, though something belongs to it. */
export interface LeftAlias {
  readonly id: string;
  /** Its last name. */
  readonly name: string;
  /** How many users it has. */
  readonly users: number;
  /** How many requests of it wait for their CA. */
  readonly waiting: number;
}

/** What became of a renaming. */
export type RenamedAlias =
  /** With the number of users that could use Digest and cannot any more, since its hashes hold the old name. */
  | { readonly state: 'renamed'; readonly withoutDigest: number }
  /** There was never an alias of the old name. */
  | { readonly state: 'unknown' }
  /** Both aliases have users of these names; nothing was changed. */
  | { readonly state: 'doubled'; readonly users: readonly string[] };

/**
 * The aliases, each with an identifier to which users, codes and records of the journal belong: `alias` of those is the
 * identifier. It is stored when an alias is first used. An alias that gets another name in a configuration is a new one there,
 * and an alias that takes the name of an earlier one is not that one. `configuration` tells the files of several gateways apart
 * that share the store: what one of them has not may be what another has.
 */
export interface AliasRegistry {
  /** The identifier of the alias that a configuration has under this name; a new one, if no configuration has such an alias. */
  identify(name: string, configuration: string): Promise<string>;
  /**
   * The identifier of the last alias of this name that no configuration has any more and to which something belongs, else of the
   * one that has the name, else of the last one that had it; undefined: there was none.
   */
  find(name: string): Promise<string | undefined>;
  /** Notes that a configuration has no other aliases than these any more. */
  keepOnly(names: readonly string[], configuration: string, now: Date): Promise<void>;
  /** Gives the alias that `find` finds another name, with all that belongs to it; what has come under that name joins it. */
  rename(from: string, to: string, now: Date): Promise<RenamedAlias>;
  /**
   * Those to which something belongs though no configuration has them any more, by name; this configuration has no others than
   * these names.
   */
  left(names: readonly string[], configuration: string): Promise<readonly LeftAlias[]>;
  /** All that ever were, with their last names. */
  list(): Promise<readonly { readonly id: string; readonly name: string }[]>;
}

/** An algorithm of HTTP Digest (RFC 7616, section 3.3). */
export type DigestAlgorithm = 'SHA-256' | 'MD5';

/** H(A1) of RFC 7616, section 3.4.2, lower-case hex, for each algorithm that the user can use. */
export type DigestSecrets = Readonly<Partial<Record<DigestAlgorithm, string>>>;

/** A user of HTTP authentication at one alias. */
export interface User {
  /** Of this user for ever: one that is removed and added anew is another. */
  readonly id: string;
  /** Its identifier. */
  readonly alias: string;
  readonly name: string;
  /** The code as `hashUserCode` of `auth/store-users.ts` gives it, never in clear. */
  readonly codeHash: string;
  /** Left out: the user cannot use Digest. */
  readonly digestSecrets?: DigestSecrets;
  /** Certificates that the user may still get; undefined: as many as it likes until it is removed. */
  readonly remainingUses: number | undefined;
  /** When the code stops to be good for new requests; left out: when the user is removed. */
  readonly expiresAt?: Date;
  readonly createdAt: Date;
}

/** The users. Names are unique within an alias and compared exactly. */
export interface UserRegistry {
  /** False when a user of this name exists at the alias; it stays as it is. */
  add(user: Omit<User, 'id'>): Promise<boolean>;
  /** False when there is none. */
  remove(alias: string, name: string): Promise<boolean>;
  /** Undefined when there is none. */
  find(alias: string, name: string): Promise<User | undefined>;
  /**
   * Puts another hash of the same code in place of the one that is expected there. False, and nothing is changed, where
   * the user has another one by now or is gone.
   */
  replaceCodeHash(alias: string, name: string, expected: string, codeHash: string): Promise<boolean>;
  /** Whether the alias has a user whose code hash does not begin with this text. */
  hasOtherCodeHash(alias: string, prefix: string): Promise<boolean>;
  /** All, by alias and name. */
  list(): Promise<readonly User[]>;
}

/** CRLReason of RFC 5280, section 5.3.1, as far as an end-entity certificate can have it. */
export const revocationReasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'aACompromise',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** A certificate of a CA backend that issues by itself. */
export interface RegisteredCertificate {
  /** `identifierOfCa`. */
  readonly ca: string;
  /** Lower-case hex without leading zero octets. */
  readonly serialNumber: string;
  /** By which a repeat of the same enrolment is recognised; unique within a CA. */
  readonly idempotencyKey: string;
  /** RFC 4514 string. */
  readonly subject: string;
  /** SHA-256 of the subjectPublicKeyInfo, hex. */
  readonly publicKey: string;
  /** What an operator had it issued for; left out: a client asked for it. */
  readonly operatorRole?: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER. */
  readonly certificate: Buffer;
  readonly revocation: Revocation | undefined;
}

/** An entry of a CRL. */
export interface RevokedCertificate {
  /** Lower-case hex without leading zero octets. */
  readonly serialNumber: string;
  readonly revocation: Revocation;
}

/** When and why a certificate was revoked. */
export interface Revocation {
  readonly at: Date;
  /** On hold is what was so when the CA came here; no certificate is put on hold here. */
  readonly reason: RevocationReason | 'certificateHold';
}

/** The reasons that speak of the key, and not of its holder. */
export const compromises = [
  'keyCompromise',
  'cACompromise',
  'aACompromise',
] as const satisfies readonly RevocationReason[];

/** A CA that a backend had at some time, and what is to be known of its record where no backend has it any more. */
export interface KnownCa {
  /** `identifierOfCa`. */
  readonly ca: string;
  /** RFC 4514 string. */
  readonly subject: string;
  /** Whether the record holds every certificate that the CA's key has signed. */
  readonly record: 'complete' | 'incomplete';
}

/** A CRL that all may give who share the store. */
export interface KeptCrl {
  readonly number: number;
  /** DER. */
  readonly crl: Buffer;
  /** The same for every CRL that says the same, but for dates and number. */
  readonly contents: string;
  /** From then on another one is made. */
  readonly refreshAt: Date;
}

/** What a CA looks for in what earlier releases wrote. */
export interface EarlierState {
  /** `identifierOfCa`. */
  readonly ca: string;
  /** The name of its backend. */
  readonly backend: string;
  /** Whether the CA signed a certificate, DER. */
  readonly isOfCa: (certificate: Buffer) => Promise<boolean>;
}

/**
 * Certificates and revocations of CAs whose keys the gateway has or had. They belong to the CA: names of backends do not matter,
 * nor how many share it.
 */
export interface CertificateRegistry {
  /** Notes a CA, in place of what was known of it. */
  know(ca: KnownCa): Promise<void>;
  /** The CAs that were ever noted, by their subjects. */
  knownCas(): Promise<readonly KnownCa[]>;
  /** Whether a CA has certificates that have not expired. */
  hasInForce(ca: string, now: Date): Promise<boolean>;
  /** The names of backends, as earlier releases wrote them, of which no CA has adopted some certificates in force. */
  unadopted(now: Date): Promise<readonly string[]>;
  /** Undefined: none was noted under this identifier. */
  knownCa(ca: string): Promise<KnownCa | undefined>;
  /**
   * Gives a CA what earlier releases recorded under the names of backends, and what waits for a decision there: certificates
   * that it signed, and what belongs to them. What no CA has adopted answers no question. Needed once for each CA.
   */
  adopt(state: EarlierState): Promise<void>;
  /**
   * Records a certificate before anyone gets it. Rejects when the serial number or the idempotency key exists at the
   * CA. `until` (left out: `durable`) is `written` where the journal's record makes it durable.
   */
  add(certificate: Omit<RegisteredCertificate, 'revocation'>, until?: Until): Promise<void>;
  /**
   * Records a certificate that the CA issued elsewhere: `imported` by its operator, or `shown` by a client, which vouches for
   * nothing but lets it be revoked. `another`: the CA has another one of this serial number, and nothing was changed. A
   * revocation stays.
   */
  import(
    certificate: Omit<RegisteredCertificate, 'revocation' | 'idempotencyKey' | 'operatorRole'>,
    origin: 'imported' | 'shown',
  ): Promise<'recorded' | 'another'>;
  /**
   * Carries on the last CRL that the CA published elsewhere: its entries are revoked from then on, also those whose certificates
   * nobody has here, and the next number is higher.
   */
  importRevocations(ca: string, revoked: readonly RevokedCertificate[], crlNumber: number): Promise<void>;
  /**
   * The status of a certificate, DER. `shown`: it was recorded as that alone. `unknown` when the CA never issued one of this serial number; `another` when it
   * issued another one under it, unless that is revoked.
   */
  status(
    ca: string,
    serialNumber: string,
    certificate: Buffer,
  ): Promise<'good' | 'revoked' | 'shown' | 'unknown' | 'another'>;
  /** Why and when a certificate was revoked; undefined: it was not. */
  revocationOf(ca: string, serialNumber: string): Promise<Revocation | undefined>;
  /** Undefined when no certificate was issued under this key. */
  findByIdempotencyKey(ca: string, idempotencyKey: string): Promise<RegisteredCertificate | undefined>;
  /** Newest first. */
  list(ca: string): Promise<readonly RegisteredCertificate[]>;
  /**
   * `unknown` when the CA never issued it; `already` when it was revoked before, which stays as it is. But a compromise
   * takes the place of a reason that is none, and any reason that of a hold, and the time stays: `raised`.
   */
  revoke(
    ca: string,
    serialNumber: string,
    reason: RevocationReason,
    at: Date,
  ): Promise<'revoked' | 'raised' | 'already' | 'unknown'>;
  /** The revoked certificates that are on the CRL: all whose notAfter is later than `notExpiredAt`. */
  revoked(ca: string, notExpiredAt: Date): Promise<readonly RevokedCertificate[]>;
  /**
   * Why a client may not have a key (SHA-256 of the subjectPublicKeyInfo, hex), by the certificates of all backends:
   * `compromised` as `isCompromised`; `operator`, when a certificate that has not expired was issued for an operator.
   */
  reservationOf(publicKey: string, now: Date): Promise<'compromised' | 'operator' | undefined>;
  /**
   * Whether a key was ever known to be compromised: a certificate with it was revoked for that at any backend, or
   * `noteCompromise` was told so.
   */
  isCompromised(publicKey: string): Promise<boolean>;
  /** Keeps in mind for ever that a key was compromised, of which others have told. */
  noteCompromise(publicKey: string, now: Date): Promise<void>;
  /** A number that grows with every call (RFC 5280, section 5.2.3); the first is 1. */
  nextCrlNumber(ca: string): Promise<number>;
  /** The CRL of the CA that was kept with the highest number; undefined: none was. */
  keptCrl(ca: string): Promise<KeptCrl | undefined>;
  /** Keeps a CRL in place of one with a lower number. */
  keepCrl(ca: string, crl: KeptCrl): Promise<void>;
}

/** A request that a CA backend keeps until a person has decided. */
export interface NewHeldRequest {
  /** `identifierOfCa`. */
  readonly ca: string;
  /** By which a repeat is recognised; unique within a CA. */
  readonly idempotencyKey: string;
  readonly alias: string;
  readonly operation: string;
  /** Who asks, for people. */
  readonly identity: string;
  /** RFC 4514 string. */
  readonly subject: string;
  /** The names, each with its type, for people. */
  readonly subjectAltName: readonly string[];
  /** Such as `P-256`. */
  readonly keyType: string;
  /** SHA-256 of the subjectPublicKeyInfo, hex. */
  readonly publicKey: string;
}

/** What a person has decided about a held request. */
export type Decision =
  | { readonly state: 'approved' }
  /** The reason is told to the client. */
  | { readonly state: 'denied'; readonly reason: string };

/** A held request and what became of it. */
export interface HeldRequest extends NewHeldRequest {
  /** By which people name it: hexadecimal digits, unique within a CA. */
  readonly reference: string;
  readonly heldAt: Date;
  readonly decision: Decision | undefined;
}

/**
 * Requests that wait for a person's decision at CA backends that issue by themselves. One that its client has not
 * asked for since `askedSince` has lapsed, decided or not: it is treated as if it had never been.
 */
export interface HeldRequestRegistry {
  /** Keeps a request, or finds it again by CA and idempotency key; notes that its client has asked now. */
  hold(request: NewHeldRequest, now: Date, askedSince: Date): Promise<HeldRequest>;
  /** Those without a decision, the oldest first. */
  undecided(ca: string, askedSince: Date): Promise<readonly HeldRequest[]>;
  /** Decides once and for all; `already` when it was decided before, which stays as it is. */
  decide(
    ca: string,
    reference: string,
    decision: Decision,
    askedSince: Date,
  ): Promise<'decided' | 'already' | 'unknown'>;
}

/** What is sent to a CA elsewhere with an attempt at an enrolment. */
export interface NewAttempt {
  /** Of the end entity at the CA. */
  readonly username: string;
  /** By which the end entity gets one certificate: a secret, of this attempt alone. */
  readonly password: string;
  /** What was there before the first attempt, in the backend's own writing. */
  readonly before: string;
}

/** The latest attempt of a record of the journal. */
export interface Attempt extends NewAttempt {
  /** From 1 on. */
  readonly number: number;
  readonly startedAt: Date;
}

/** An end entity at a CA elsewhere. */
export interface EndEntityKey {
  /** The backend's name in the configuration. */
  readonly backend: string;
  /** In the one form of all names that the CA takes for the same. */
  readonly username: string;
}

/**
 * What CA backends that register end entities at a CA elsewhere must know when an answer is lost. `record` is the id of
 * the journal's record.
 */
export interface AttemptRegistry {
  /** Begins the first or the next attempt of a record: the latest takes the place of the one before, but for `before`. */
  begin(record: string, attempt: NewAttempt, now: Date): Promise<Attempt>;
  /** Undefined: there was none, or its outcome is known. */
  latest(record: string): Promise<Attempt | undefined>;
  /** The outcome is known: forgets the attempts, whose passwords are of no more use. */
  end(record: string): Promise<void>;
  /** Forgets the attempts of records that have not been repeated since a time, and the end entities that were kept until then. */
  forget(before: Date): Promise<void>;
  /**
   * Keeps an end entity for one record until a time, or until `vacate`; again, for a record that has it. False: another
   * record has it.
   */
  occupy(endEntity: EndEntityKey, record: string, now: Date, until: Date): Promise<boolean>;
  /** Does nothing where another record has it. */
  vacate(endEntity: EndEntityKey, record: string): Promise<void>;
  /**
   * The serial numbers of all certificates with this key (SHA-256 of the subjectPublicKeyInfo, hex) that the journal had
   * before a time.
   */
  serialNumbersOf(publicKey: string, before: Date): Promise<readonly string[]>;
}

/** What CAs elsewhere last said of themselves, so that a gateway can start while they are down. */
export interface AnswerRegistry {
  /** In place of the earlier answer to this question. */
  keep(question: string, answer: readonly Buffer[]): Promise<void>;
  /** Undefined: none is kept. */
  last(question: string): Promise<readonly Buffer[] | undefined>;
}

/** A kind of store: one object in the table of `store/index.ts`. */
export interface StateStoreDriver<Options = unknown> {
  /** The value of `driver` in the configuration. */
  readonly name: string;
  /** JSON Schema of the options beside `driver`; formats `file` and `secret` as in `ca/ca.ts`. */
  readonly optionsSchema: SchemaObject;
  /**
   * Opens the database, creating it and bringing its schema up to date as needed. A reload opens it again while it is still
   * open, in the same process.
   */
  open(options: Options): Promise<StateStore>;
}

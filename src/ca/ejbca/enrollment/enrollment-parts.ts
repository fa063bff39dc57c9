import { randomBytes } from 'node:crypto';
import { EstError, isOutage } from '../../../errors.ts';
import type { Log } from '../../../ops/log.ts';
import type { Attempt, AttemptRegistry } from '../../../store/store.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { EjbcaAliasSettings } from '../alias-settings.ts';
import type { EjbcaCalls } from '../calls.ts';
import type { RegisteredEndEntity, WebService } from '../web-service.ts';
import type { EndEntityTurns } from './end-entity-turns.ts';
import { searchIssued } from './issued-search.ts';
import type { SearchOutcome } from './exactly-once.ts';

/** What an alias enrols with. */
export interface EnrollmentParts {
  readonly calls: EjbcaCalls;
  readonly webService: WebService;
  readonly settings: EjbcaAliasSettings;
  /** Of the CA, in EJBCA's writing. */
  readonly dn: string;
  readonly attempts: AttemptRegistry;
  readonly turns: EndEntityTurns;
  /** Seconds after which EJBCA ends a transaction that has not come to its end. */
  readonly transactionTimeout: number;
  /** Seconds after which a registration that nobody decides about has lapsed. */
  readonly pendingExpiry: number;
  /** The backend's name, for the log. */
  readonly backend: string;
  readonly log: Log;
}

/** By which an end entity gets one certificate; nobody but the gateway and EJBCA knows it. */
export function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

/** What was there before the first attempt of a record; the journal keeps it as JSON. */
export interface Before<EndEntity> {
  /** As EJBCA gave it; undefined: there was none. */
  readonly endEntity?: EndEntity;
  /** Of its certificates with the key of the request, lower-case hex. */
  readonly serialNumbers: readonly string[];
}

/** Every certificate has one of 64 bits or more. */
const serialNumberOfNone = '01';

/**
 * What EJBCA finds, for which nothing is an answer, too: without its database it finds nothing and says nothing of it for some
 * seconds, but cannot tell the status of a certificate either. Throws `ca_unavailable` then.
 */
export async function findSurely<Found>(
  { calls, dn }: Pick<EnrollmentParts, 'calls' | 'dn'>,
  find: () => Promise<Found>,
  isNothing: (found: Found) => boolean,
  signal: AbortSignal,
): Promise<Found> {
  const found = await find();
  if (!isNothing(found)) return found;
  await calls.certificateStatus(dn, serialNumberOfNone, signal);
  return await find();
}

/** The end entity of this name; undefined: surely, there is none. */
export async function findEndEntity(
  parts: Pick<EnrollmentParts, 'calls' | 'dn' | 'webService'>,
  username: string,
  requestId: string,
  signal: AbortSignal,
): Promise<RegisteredEndEntity | undefined> {
  return await findSurely(
    parts,
    async () => await parts.webService.findEndEntity(username, requestId, signal),
    (found) => found === undefined,
    signal,
  );
}

/** Looks for the certificate that an earlier attempt at the request may have got. */
export async function searchForRequest(
  parts: EnrollmentParts,
  sought: {
    readonly username: string;
    readonly withNames: boolean;
    readonly request: EnrollmentRequest;
    /** Of the first attempt. */
    readonly since: Date;
    readonly serialNumbers?: readonly string[];
  },
  signal: AbortSignal,
): Promise<SearchOutcome<Buffer>> {
  const { calls, attempts } = parts;
  const { username, request, since, serialNumbers = [] } = sought;
  const inJournal = await attempts.serialNumbersOf(request.csr.publicKey.sha256, since);
  const renewed = request.renewed === undefined ? [] : [request.renewed.serialNumber];
  const known = new Set([...inJournal, ...renewed, ...serialNumbers]);
  return await searchIssued(
    {
      find: async (updatedSince) => await calls.findCertificates(username, updatedSince, signal),
      isSighted: async () => await isSighted(parts, username, request.requestId, signal),
    },
    { ...sought, known },
  );
}

/** Whether EJBCA would show a certificate of this end entity. What it hides, it hides for the sake of the profiles. */
async function isSighted(
  { calls, webService, settings }: EnrollmentParts,
  username: string,
  requestId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const endEntity = await unlessRefused(webService.findEndEntity(username, requestId, signal));
  const { certificateProfileName: certificateProfile = settings.certificateProfile } = endEntity ?? {};
  const { endEntityProfileName: endEntityProfile = settings.endEntityProfile } = endEntity ?? {};
  const { certificateAuthority } = settings;
  const shown = { certificateAuthority, certificateProfile, endEntityProfile };
  if (await calls.showsCertificatesOf(shown, signal)) return true;
  // The end entity shows that the database works.
  if (endEntity === undefined || (await calls.hidesCertificatesOf(certificateProfile, signal))) return false;
  const profiles = await unlessRefused(webService.authorizedEndEntityProfiles(signal));
  return profiles?.some(({ name }) => name === endEntityProfile) === true;
}

/** Without the web service EJBCA does not say. */
async function unlessRefused<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  return await answer.catch((error: unknown) => {
    if (isOutage(error)) throw error;
    return undefined;
  });
}

/** What was there before the first attempt, as the latest one has it. */
export function beforeOf<EndEntity>({ before }: Attempt): Before<EndEntity> {
  return JSON.parse(before) as Before<EndEntity>;
}

/** Seconds for which EJBCA may still be busy with an attempt; 0: it cannot be. */
export function mayBeUnderWay(
  { transactionTimeout }: Pick<EnrollmentParts, 'transactionTimeout'>,
  { startedAt }: Attempt,
): number {
  return Math.max(0, Math.ceil(transactionTimeout - (Date.now() - startedAt.getTime()) / 1000));
}

/** Whoever asks now might get a second certificate; `wait` in seconds. */
export function inDoubt(wait: number): EstError {
  return new EstError('ca_unavailable', 'EJBCA may still be issuing for an earlier attempt.', {
    retryAfter: wait,
  });
}

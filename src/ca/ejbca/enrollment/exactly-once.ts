import { EstError } from '../../../errors.ts';

/**
 * One certificate for one request, whatever gets lost. EJBCA gives an end entity one certificate for each registration: the
 * row version of the end entity lets one of several requests through, and makes it GENERATED. Each attempt registers the end
 * entity with a password of its own; once that is acknowledged, no request of an earlier attempt can succeed any more, so
 * that a search says for good whether one has. Then, and only then, the certificate is asked for.
 */

/** What a request for the certificate of a registered end entity comes to, if it is not refused. */
export type RequestOutcome<Certificate> =
  | { readonly state: 'issued'; readonly certificate: Certificate }
  /** Somebody's request was issued: the end entity is GENERATED. */
  | { readonly state: 'alreadyIssued' }
  /** The end entity was registered once more, or deleted, in between. */
  | { readonly state: 'registeredAnew' }
  /** Another request was faster, or EJBCA failed. */
  | { readonly state: 'lostRace' }
  /** Somebody has revoked the end entity. */
  | { readonly state: 'revoked' };

/** What a search for the certificate of this request comes to. */
export type SearchOutcome<Certificate> =
  | { readonly state: 'found'; readonly certificate: Certificate }
  /** Surely, there is none. */
  | { readonly state: 'absent' }
  /** Nothing was found, and nothing says that all would have been. */
  | { readonly state: 'unknown' };

/** What becomes of a registration; a refusal is thrown. */
type Registration =
  | { readonly state: 'registered' }
  /** `requestId`: of EJBCA's request for approval, where it says so. */
  | { readonly state: 'waiting'; readonly requestId: number | undefined };

/** What becomes of a request; a refusal is thrown. */
export type Issuing<Certificate> =
  | { readonly status: 'issued'; readonly certificate: Certificate }
  | { readonly status: 'waiting'; readonly requestId: number | undefined };

/** One try at a certificate. */
interface NumberedAttempt {
  /** From 1 on, over all gateways that share the store. */
  readonly number: number;
  readonly password: string;
}

/** What the protocol does to the end entity of one record. Failures are thrown as `EstError`. */
export interface EndEntitySteps<Certificate> {
  /** Begins an attempt with a password of its own, durable before it resolves. */
  begin(): Promise<NumberedAttempt>;
  /** Whether no later attempt has begun. */
  isLatest(attempt: NumberedAttempt): Promise<boolean>;
  /** Makes the end entity NEW with the password, or has a person decide about it first. */
  register(password: string): Promise<Registration>;
  /** Whether the request of an earlier call may still be under way in EJBCA, though nobody hears of it. */
  readonly isEarlierUnderWay: boolean;
  search(): Promise<SearchOutcome<Certificate>>;
  request(password: string): Promise<RequestOutcome<Certificate>>;
  /** Makes the end entity GENERATED, since its certificate was found though it is NEW. */
  finish(): Promise<void>;
  /** Puts back what was there before, since the request was refused. */
  undo(): Promise<void>;
}

/** Where an attempt stands. */
type State<Certificate> =
  | { readonly at: 'beginning'; readonly spoiled: readonly Spoiling[] }
  /** EJBCA has acknowledged the registration. */
  | {
      readonly at: 'registered';
      readonly attempt: NumberedAttempt;
      readonly spoiled: readonly Spoiling[];
    }
  /** Nothing was issued before, nor will be. */
  | {
      readonly at: 'clear';
      readonly attempt: NumberedAttempt;
      readonly spoiled: readonly Spoiling[];
      readonly races: number;
    }
  /** Somebody has changed the end entity since it was registered. */
  | { readonly at: 'spoiled'; readonly spoiled: readonly Spoiling[] }
  | { readonly at: 'end'; readonly issuing: Issuing<Certificate> };

/** What somebody else did to the end entity of an attempt. */
type Spoiling = 'alreadyIssued' | 'registeredAnew';

/** Attempts for one call of the gateway; who repeats gets more. */
const mostAttempts = 3;

/** Seconds until whoever changes the end entity may be done. */
const retryAfterSpoiling = 10;

/** The end entity profile makes passwords, or somebody registers the end entity again and again. */
export class PasswordNotKept extends EstError {
  constructor() {
    super('ca_unavailable', 'EJBCA does not keep the password with which the end entity was registered.', {
      cause: new Error(
        'EJBCA acknowledged each registration and then had another password: the end entity profile makes passwords (clear "Auto-generated" in it), or somebody else registers the end entity.',
      ),
      retryAfter: retryAfterSpoiling,
    });
  }
}

/**
 * The certificate of a request. `isRepeat`: an earlier attempt at it may have got one. Throws `EstError`: below 500 the
 * request is refused and nothing was issued; else nobody knows, and the next call with `isRepeat` finds out.
 */
export async function issueOnce<Certificate>(
  steps: EndEntitySteps<Certificate>,
  isRepeat: boolean,
): Promise<Issuing<Certificate>> {
  let state: State<Certificate> = { at: 'beginning', spoiled: [] };
  while (state.at !== 'end') state = await next(steps, isRepeat, state);
  return state.issuing;
}

function issued<Certificate>(certificate: Certificate): State<Certificate> {
  return { at: 'end', issuing: { status: 'issued', certificate } };
}

async function next<Certificate>(
  steps: EndEntitySteps<Certificate>,
  isRepeat: boolean,
  state: Exclude<State<Certificate>, { readonly at: 'end' }>,
): Promise<State<Certificate>> {
  const { spoiled } = state;
  switch (state.at) {
    case 'beginning': {
      const attempt = await steps.begin();
      try {
        const registration = await steps.register(attempt.password);
        if (registration.state === 'registered') return { at: 'registered', attempt, spoiled };
        const earlier = isRepeat || attempt.number > 1 ? await steps.search() : undefined;
        if (earlier?.state === 'found') return issued(earlier.certificate);
        return { at: 'end', issuing: { status: 'waiting', requestId: registration.requestId } };
      } catch (error) {
        return await afterRefusedRegistration(steps, isRepeat || attempt.number > 1, error);
      }
    }
    case 'registered': {
      const { attempt } = state;
      const isFirst = !isRepeat && attempt.number === 1 && (await steps.isLatest(attempt));
      if (isFirst) return { at: 'clear', attempt, spoiled, races: 0 };
      const result = await steps.search();
      if (result.state === 'unknown') throw searchFailed();
      if (result.state === 'absent') return { at: 'clear', attempt, spoiled, races: 0 };
      await steps.finish();
      return issued(result.certificate);
    }
    case 'clear':
      return await afterRequest(steps, state);
    case 'spoiled': {
      // What was found needs no registration; what was not is searched for again behind the next one.
      const result = await steps.search();
      if (result.state === 'found') return issued(result.certificate);
      if (spoiled.length < mostAttempts) return { at: 'beginning', spoiled };
      throw spoiled.every((why) => why === 'registeredAnew') ? new PasswordNotKept() : endEntityInUse();
    }
  }
}

/** Nothing stops an earlier request then; but what it has got is known once it must have ended. */
async function afterRefusedRegistration<Certificate>(
  steps: EndEntitySteps<Certificate>,
  mayHaveIssued: boolean,
  error: unknown,
): Promise<State<Certificate>> {
  if (!mayHaveIssued || !isRefusal(error)) throw error;
  const result = await steps.search();
  if (result.state === 'found') return issued(result.certificate);
  if (result.state === 'unknown' || steps.isEarlierUnderWay) throw searchFailed();
  await steps.undo();
  throw error;
}

async function afterRequest<Certificate>(
  steps: EndEntitySteps<Certificate>,
  state: Extract<State<Certificate>, { readonly at: 'clear' }>,
): Promise<State<Certificate>> {
  const { attempt, spoiled, races } = state;
  const outcome = await requestOrUndo(steps, attempt);
  switch (outcome.state) {
    case 'issued':
      return issued(outcome.certificate);
    case 'alreadyIssued':
    case 'registeredAnew':
      return { at: 'spoiled', spoiled: [...spoiled, outcome.state] };
    case 'revoked':
      throw endEntityRevoked();
    case 'lostRace':
      if (races > 0) throw ejbcaFails();
      return { ...state, races: races + 1 };
  }
}

/** A refusal leaves the end entity registered for nobody. */
async function requestOrUndo<Certificate>(
  steps: EndEntitySteps<Certificate>,
  { password }: NumberedAttempt,
): Promise<RequestOutcome<Certificate>> {
  try {
    return await steps.request(password);
  } catch (error) {
    if (isRefusal(error)) await steps.undo();
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof EstError && error.status < 500;
}

/** What was issued cannot be known now. */
export function searchFailed(): EstError {
  return new EstError('ca_unavailable', 'EJBCA does not show whether it has issued the certificate.', {
    cause: new Error(
      'A search found nothing, and nothing that must be there: the role of the gateway lacks a CA of the end entity profile, or the database of EJBCA fails.',
    ),
    retryAfter: 30,
  });
}

/** Whoever has revoked an end entity does not want it to get certificates; it is left as it is. */
export function endEntityRevoked(): EstError {
  return new EstError('rejected_by_ca', 'The end entity is revoked at the CA; ask its operator.');
}

function endEntityInUse(): EstError {
  return new EstError('ca_unavailable', 'Somebody else changes the end entity in EJBCA at this moment.', {
    retryAfter: retryAfterSpoiling,
  });
}

function ejbcaFails(): EstError {
  return new EstError('ca_unavailable', 'EJBCA fails to issue.', {
    cause: new Error('EJBCA answered twice in a row that it failed.'),
    retryAfter: retryAfterSpoiling,
  });
}

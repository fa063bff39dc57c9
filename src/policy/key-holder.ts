import { EstError } from '../errors.ts';
import { nameToString } from '../pkix/names.ts';
import type { PublicKey } from '../pkix/keys.ts';
import type { Blocklist } from '../pkix/weak-keys.ts';
import type { EnrollmentJournal, OpenedEnrollment } from '../store/store.ts';
import { isKeyShown, type AskedEnrollment } from './asked-enrollment.ts';
import type { Check } from './check.ts';
import { holderAt } from './enrollment-record.ts';

/**
 * Why no client may have a key (SHA-256 of the subjectPublicKeyInfo, hex): it is a CA's, one of the gateway or of who
 * works for it, or it was compromised. Undefined: nothing is known against it.
 */
export type KeyReservations = (
  publicKey: string,
  now: Date,
) => Promise<'ca' | 'operator' | 'compromised' | undefined>;

/** What decides whose a key is. */
export interface KeyHolderServices {
  readonly journal: EnrollmentJournal;
  readonly reservationOf: KeyReservations;
  readonly receivedAt: Date;
  readonly alias: {
    readonly id: string;
    /** Keys whose private halves are public knowledge. */
    readonly knownKeys: Blocklist;
  };
}

/** The rules that ask about the keys of CAs, the gateway and its operators; nobody but those can say which they are. */
export const keyRules = {
  ofCa: 'fixed: no key of a CA',
  ofOperator: 'fixed: no key of the gateway or of who works for it',
} as const;

type KeyRefusal = Extract<OpenedEnrollment, { readonly state: 'key_refused' }>['why'];

const rulesOfStore: Readonly<Record<KeyRefusal, string>> = {
  compromised: 'fixed: no compromised key',
  operator: keyRules.ofOperator,
  other: 'fixed: no key of another identity',
};

const compromised = 'has been compromised';
const ofOther = 'belongs to somebody else';

/**
 * Whose is the key that is to be certified? Each check refuses (`refused_by_policy`) a key that was compromised or that anybody knows,
 * one of a CA, of the gateway or of who works for it, or another identity's under another subject.
 */
export async function examineKeyHolder(
  { alias, journal, reservationOf, receivedAt }: KeyHolderServices,
  asked: AskedEnrollment,
  publicKey: PublicKey,
): Promise<readonly Check[]> {
  const { identity, names } = asked;
  const { sha256 } = publicKey;
  const holder = { identity: holderAt(alias, identity), subject: nameToString(names.subject) };
  const reservation = await reservationOf(sha256, receivedAt);
  const isShown = isKeyShown(asked, publicKey);
  const isOfOther = !isShown && (await journal.isKeyOfOther(sha256, holder, receivedAt));
  const isOfOperator = isShown ? asksForOther(asked) : reservation === 'operator';
  return [
    refuseIf(reservation === 'compromised', rulesOfStore.compromised, compromised),
    refuseIf(reservation === 'ca', keyRules.ofCa),
    refuseIf(alias.knownKeys.includes(publicKey), 'knownKeys'),
    refuseIf(isOfOperator, rulesOfStore.operator),
    refuseIf(isOfOther, rulesOfStore.other),
  ];
}

function refuseIf(isRefused: boolean, rule: string, what = ofOther): Check {
  return {
    rule,
    check: () => {
      if (isRefused) throw refusal(what);
    },
  };
}

/** The refusal of a key that the store turned out not to allow when the request was recorded. */
export function keyRefused(why: KeyRefusal): EstError {
  return refusal(why === 'compromised' ? compromised : ofOther).with({
    refusedBy: { rule: rulesOfStore[why] },
  });
}

function refusal(what: string): EstError {
  return new EstError('refused_by_policy', `The key of the CSR ${what}; make a new key.`);
}

/** As a registration authority does, unless it renews its own certificate. */
function asksForOther({ identity, renewed }: AskedEnrollment): boolean {
  return (
    identity.registrationAuthority !== undefined &&
    renewed?.sha256 !== identity.certificate?.certificate.sha256
  );
}

import { EstError } from '../errors.ts';
import { nameToString } from '../pkix/names.ts';
import type { PublicKey } from '../pkix/keys.ts';
import type { Blocklist } from '../pkix/weak-keys.ts';
import type { EnrollmentJournal } from '../store/store.ts';
import type { AskedEnrollment } from './asked-enrollment.ts';
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
    refuseIf(reservation === 'compromised', 'fixed: no compromised key', 'has been compromised'),
    refuseIf(reservation === 'ca', keyRules.ofCa),
    refuseIf(alias.knownKeys.includes(publicKey), 'knownKeys'),
    refuseIf(isOfOperator, keyRules.ofOperator),
    refuseIf(isOfOther, 'fixed: no key of another identity'),
  ];
}

function refuseIf(isRefused: boolean, rule: string, what = 'belongs to somebody else'): Check {
  return {
    rule,
    check: () => {
      if (isRefused) throw new EstError('refused_by_policy', `The key of the CSR ${what}; make a new key.`);
    },
  };
}

/** The client has the key in its certificate of this CA, perhaps under other names than before. */
function isKeyShown({ identity: { certificate: shown } }: AskedEnrollment, { spki }: PublicKey): boolean {
  return shown?.trustAnchor === 'explicit' && shown.certificate.spki.equals(spki);
}

/** As a registration authority does, unless it renews its own certificate. */
function asksForOther({ identity, renewed }: AskedEnrollment): boolean {
  return (
    identity.registrationAuthority !== undefined &&
    renewed?.sha256 !== identity.certificate?.certificate.sha256
  );
}

import { EstError } from '../errors.ts';
import { nameToString } from '../pkix/names.ts';
import type { Check } from '../policy/check.ts';
import type { Alias } from './alias.ts';
import type { EstRequest } from './message.ts';
import type { PermittedEnrollment } from './permitted-enrollment.ts';

/** What decides whose a key is. */
export interface KeyHolderServices extends Pick<EstRequest, 'journal' | 'reservationOf' | 'receivedAt'> {
  readonly alias: Pick<Alias, 'knownKeys'>;
}

/** The rules that ask about the keys of CAs, the gateway and its operators; nobody but those can say which they are. */
export const keyRules = {
  ofCa: 'fixed: no key of a CA',
  ofOperator: 'fixed: no key of the gateway or of who works for it',
} as const;

/**
 * Whose is the key of the CSR? Each check refuses (`refused_by_policy`) a key that was compromised or that anybody knows,
 * one of a CA, of the gateway or of who works for it, or another identity's under another subject.
 */
export async function examineKeyHolder(
  { alias, journal, reservationOf, receivedAt }: KeyHolderServices,
  permitted: PermittedEnrollment,
): Promise<readonly Check[]> {
  const { csr, identity, names } = permitted;
  const { sha256, modulus } = csr.publicKey;
  const holder = { identity: identity.key, subject: nameToString(names.subject) };
  const reservation = await reservationOf(sha256, receivedAt);
  const isShown = isKeyShown(permitted);
  const isOfOther = !isShown && (await journal.isKeyOfOther(sha256, holder, receivedAt));
  const isOfOperator = isShown ? asksForOther(permitted) : reservation === 'operator';
  return [
    refuseIf(reservation === 'compromised', 'fixed: no compromised key', 'has been compromised'),
    refuseIf(reservation === 'ca', keyRules.ofCa),
    refuseIf(modulus !== undefined && alias.knownKeys.includes(modulus), 'knownKeys'),
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
function isKeyShown({ identity: { certificate: shown }, csr }: PermittedEnrollment): boolean {
  return shown?.trustAnchor === 'explicit' && shown.certificate.spki.equals(csr.publicKey.spki);
}

/** As a registration authority does, unless it renews its own certificate. */
function asksForOther({ identity, renewed }: PermittedEnrollment): boolean {
  return (
    identity.registrationAuthority !== undefined &&
    renewed?.sha256 !== identity.certificate?.certificate.sha256
  );
}

import { EstError } from '../errors.ts';
import type { KeyUsage } from './extensions.ts';
import type { PublicKey } from './keys.ts';

const encipheringUsages: readonly KeyUsage[] = [
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'encipherOnly',
  'decipherOnly',
];

/** An ML-DSA key signs and does nothing else (RFC 9881, section 5). Throws `bad_certification_request`. */
export function refuseUnfitKeyUsage({ type }: Pick<PublicKey, 'type'>, keyUsage: readonly KeyUsage[]): void {
  if (!type.startsWith('ML-DSA')) return;
  const unfit = keyUsage.filter((usage) => encipheringUsages.includes(usage));
  if (unfit.length === 0) return;
  throw new EstError(
    'bad_certification_request',
    `An ${type} key only signs; leave out the keyUsage ${unfit.join(', ')}.`,
  );
}

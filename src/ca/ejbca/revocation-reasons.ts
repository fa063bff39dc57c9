import type { RevocationReason } from '../../store/store.ts';

/** EJBCA's names of the reasons of RFC 5280, section 5.3.1. */
const names: Readonly<Record<RevocationReason | 'certificateHold' | 'removeFromCRL', string>> = {
  unspecified: 'UNSPECIFIED',
  keyCompromise: 'KEY_COMPROMISE',
  cACompromise: 'CA_COMPROMISE',
  affiliationChanged: 'AFFILIATION_CHANGED',
  superseded: 'SUPERSEDED',
  cessationOfOperation: 'CESSATION_OF_OPERATION',
  certificateHold: 'CERTIFICATE_HOLD',
  removeFromCRL: 'REMOVE_FROM_CRL',
  privilegeWithdrawn: 'PRIVILEGES_WITHDRAWN',
  aACompromise: 'AA_COMPROMISE',
};

const reasonByName: ReadonlyMap<string, string> = new Map(
  Object.entries(names).map(([reason, name]) => [name, reason]),
);

/** What EJBCA calls a reason. */
export function nameOfReason(reason: RevocationReason): string {
  return names[reason];
}

/** The reason that EJBCA calls so; `unspecified` for a name that nobody knows. */
export function reasonNamed(name: string | undefined): string {
  return reasonByName.get(name ?? '') ?? 'unspecified';
}

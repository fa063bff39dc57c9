/** One installation of EJBCA, as its resources see it. */
import type { Administrators } from './administrator.ts';
import type { CertificationAuthority, Database } from './model/database.ts';
import type { OAuthClient } from './identity-provider.ts';
import type { Release } from './version.ts';

/** What an administrator switches on and off under System Configuration, Protocol Configuration. */
export const protocols = [
  'REST Certificate Management',
  'REST Certificate Management V2',
  'REST End Entity Management',
  'REST End Entity Management V2',
  'Web Service',
] as const;
export type Protocol = (typeof protocols)[number];

/** What is switched on after an installation, before anybody has changed it. */
export const freshProtocols: readonly Protocol[] = ['Web Service'];

/** The installation. */
export interface Ejbca {
  readonly release: Release;
  readonly database: Database;
  readonly administrators: Administrators;
  readonly oAuthClients: OAuthClient[];
  readonly enabledProtocols: Set<Protocol>;
  /** `ejbca.rest.custombrowserheader.enabled` in production mode. */
  readonly isBrowserHeaderRequired: boolean;
}

/** The CA of this subject, in whatever order and spelling of EJBCA the DN is written. */
export function certificationAuthorityByDn(
  { database }: Ejbca,
  normalizedSubjectDn: string,
): CertificationAuthority | undefined {
  return [...database.certificationAuthorities.values()].find(({ dn }) => dn === normalizedSubjectDn);
}

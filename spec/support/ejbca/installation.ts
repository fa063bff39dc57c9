/** What administrators set up in an EJBCA: CAs, profiles, end entities. */
import { oids } from '../../../src/pkix/oids.ts';
import { createAuthority } from './authority.ts';
import {
  certificateProfile,
  endEntityProfile,
  saveEndEntity,
  type CertificationAuthority,
  type Database,
  type EndEntity,
} from './model/database.ts';
import { publishCrl } from './model/revocation-list.ts';
import { certificationAuthorityId, nameFromDn, normalizedDn } from './distinguished-name.ts';

/** What `addCertificationAuthority` takes beside the name. */
export interface NewCertificationAuthority {
  /** Default: `CN=<name>,O=Example,C=SE`. */
  readonly dn?: string;
  /** The name of the CA that certifies it; default: itself. */
  readonly signedBy?: string;
  readonly keyType?: 'EC' | 'RSA';
  readonly order?: 'ldap' | 'x500';
  readonly enforceUniquePublicKeys?: boolean;
  readonly enforceUniqueDistinguishedName?: boolean;
  /** Beside partition 0; default: none. */
  readonly crlPartitions?: number;
  /** With `*` in the place of the partition; default: none. */
  readonly crlDistributionPoint?: string;
}

/** The profiles `Device` of both kinds. */
export function addProfiles({ certificateProfiles, endEntityProfiles }: Database): void {
  const extendedKeyUsage = [oids.clientAuth, oids.serverAuth];
  certificateProfiles.set(
    'Device',
    certificateProfile({ name: 'Device', id: 1_000_000_000, validityDays: 365, extendedKeyUsage }),
  );
  endEntityProfiles.set('Device', endEntityProfile({ name: 'Device', id: 2_000_000_000 }));
}

/** Makes a CA with a key of its own. */
export async function addCertificationAuthority(
  database: Database,
  name: string,
  options: NewCertificationAuthority = {},
): Promise<CertificationAuthority> {
  const dn = normalizedDn(options.dn ?? `CN=${name},O=Example,C=SE`);
  const order = options.order ?? 'ldap';
  const issuer = options.signedBy === undefined ? undefined : required(database, options.signedBy);
  const keyType = options.keyType ?? 'EC';
  const now = database.clock();
  const authority = await createAuthority(nameFromDn(dn, order), keyType, issuer?.authority, now);
  const ca: CertificationAuthority = {
    name,
    dn,
    issuerDn: issuer?.dn ?? dn,
    id: certificationAuthorityId(dn),
    authority,
    chain: [authority.certificate, ...(issuer?.chain ?? [])],
    order,
    status: 'active',
    requiresApproval: false,
    enforceUniquePublicKeys: options.enforceUniquePublicKeys ?? true,
    enforceUniqueDistinguishedName: options.enforceUniqueDistinguishedName ?? true,
    finishesUser: true,
    crlPartitions: options.crlPartitions ?? 0,
    crlDistributionPoint: options.crlDistributionPoint,
    crls: new Map(),
  };
  database.certificationAuthorities.set(name, ca);
  await publishCrl(database, ca);
  return ca;
}

function required({ certificationAuthorities }: Database, name: string): CertificationAuthority {
  const ca = certificationAuthorities.get(name);
  if (ca === undefined) throw new Error(`There is no CA ${name}.`);
  return ca;
}

/** Registers an end entity; what is left out is as `startEjbca` has it. */
export function addEndEntity(
  database: Database,
  given: Partial<EndEntity> & Pick<EndEntity, 'username'>,
): EndEntity {
  const { rowVersion: _, ...changes } = { rowVersion: 0, ...given };
  return saveEndEntity(database, {
    password: 'foo123',
    subjectAltName: '',
    email: '',
    status: 'NEW',
    token: 'USERGENERATED',
    certificationAuthority: 'Device CA',
    certificateProfile: 'Device',
    endEntityProfile: 'Device',
    accountBindingId: undefined,
    cardNumber: undefined,
    extendedInformation: [],
    remainingRequests: 1,
    ...changes,
    subjectDn: normalizedDn(given.subjectDn ?? `CN=${given.username}`),
  });
}

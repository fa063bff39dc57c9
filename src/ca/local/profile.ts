import { EstError } from '../../errors.ts';
import {
  authorityInfoAccess,
  cRLDistributionPoints,
  extendedKeyUsage,
  keyUsage,
} from '../../pkix/extensions-write.ts';
import type { Extension } from '../../pkix/extensions.ts';
import type { KeyType } from '../../pkix/keys.ts';
import { holds, neverGrantedName, neverGrantedPurposes } from '../../pkix/never-granted.ts';
import { nameOfOid, oidOf, oids } from '../../pkix/oids.ts';
import type { EnrollmentRequest, OperatorRole, Usages } from '../ca.ts';
import { consistentWith, possibleFor } from './key-usages.ts';
import type { Approval, ProfileOptions, PublicationUrls } from './options.ts';

/** What certificates are issued with. */
export interface Profile {
  /** Milliseconds. */
  readonly validity: number;
  readonly approval: Approval;
  /**
   * keyUsage, extendedKeyUsage and where CRL and issuer are found. What the CSR asks narrows what the profile
   * grants; nothing else is granted instead (RFC 5272, section 3.1). Key usages that the key cannot have, or none of the
   * purposes wants, are left out. Throws `rejected_by_ca` when nothing is left.
   */
  extensionsFor(
    keyType: KeyType,
    request: Pick<EnrollmentRequest, 'keyUsage' | 'extendedKeyUsage'>,
  ): readonly Extension[];
  /** Throws an Error with a plain sentence when every CSR must ask for what this profile never grants. */
  checkDemands(demanded: Usages): void;
}

const day = 86_400_000;

/** Prepares a profile. Throws an Error with a plain sentence when a value makes no sense. */
export function createProfile(name: string, options: ProfileOptions, urls: PublicationUrls): Profile {
  const purposes = [...new Set(options.extendedKeyUsage.map(oidOf))];
  const forbidden = purposes.find((purpose) => holds(neverGrantedPurposes, purpose));
  if (forbidden !== undefined) {
    throw new Error(
      `profiles.${name}.extendedKeyUsage: ${neverGrantedName(forbidden)} is never given to a device.`,
    );
  }
  const usages = consistentWith(purposes, options.keyUsage);
  if (usages.length === 0) {
    throw new Error(
      `profiles.${name}.keyUsage: expected at least one key usage that the extendedKeyUsage may want (RFC 5280, section 4.2.1.12); found ${options.keyUsage.join(', ')}.`,
    );
  }
  const locations = locationsOf(options.crlUrls ?? urls.crl, options.caIssuersUrls ?? urls.caIssuers);

  function refuseDemand(key: string, demanded: readonly string[], granted: readonly string[]): void {
    const never = demanded.find((one) => !granted.includes(one));
    if (never === undefined) return;
    throw new Error(
      `policy.required.${key} demands ${nameOfOid(never)}, which the profile ${name} of the CA does not grant; ` +
        `it grants: ${granted.map(nameOfOid).join(', ') || 'none'}.`,
    );
  }

  return {
    validity: options.validityDays * day,
    approval: options.approval,
    checkDemands: (demanded) => {
      refuseDemand('keyUsage', demanded.keyUsage, usages);
      refuseDemand('extendedKeyUsage', demanded.extendedKeyUsage, purposes);
    },
    extensionsFor: (keyType, request) => {
      const grantedPurposes = narrow(purposes, request.extendedKeyUsage, 'extended key usages');
      const possible = possibleFor(keyType, consistentWith(grantedPurposes, usages));
      if (possible.length === 0) throw rejected(`no key usage that ${keyType} keys can have`);
      const granted = narrow(possible, request.keyUsage, `key usages for ${keyType} keys`);
      return [
        keyUsage(granted),
        ...(grantedPurposes.length === 0 ? [] : [extendedKeyUsage(grantedPurposes)]),
        ...locations,
      ];
    },
  };
}

/** RFC 6402, section 2.10. A signer of answers gets no purpose by which it could be a client. */
const operatorPurposes: Readonly<Record<OperatorRole, readonly string[]>> = {
  'registration-authority': [oids.clientAuth, oids.cmcRA],
  'cmc-signer': [oids.cmcCA],
  'tls-server': [oids.serverAuth],
};

/** The profile of certificates that only an operator can have issued. */
export function createOperatorProfile(
  role: OperatorRole,
  validityDays: number,
  urls: PublicationUrls,
): Profile {
  return {
    validity: validityDays * day,
    approval: 'none',
    checkDemands: () => undefined,
    extensionsFor: () => [
      keyUsage(['digitalSignature']),
      extendedKeyUsage(operatorPurposes[role]),
      ...locationsOf(urls.crl, urls.caIssuers),
    ],
  };
}

function narrow<Value extends string>(
  granted: readonly Value[],
  requested: readonly string[] | undefined,
  kind: string,
): readonly Value[] {
  if (requested === undefined) return granted;
  const left = granted.filter((value) => requested.includes(value));
  if (left.length === 0) {
    const names = granted.map(nameOfOid).join(', ') || 'none';
    throw rejected(`these ${kind} only: ${names}; the CSR asks for others`);
  }
  return left;
}

function rejected(what: string): EstError {
  return new EstError('rejected_by_ca', `The certificate profile grants ${what}.`);
}

function locationsOf(crlUrls: readonly string[], caIssuersUrls: readonly string[]): readonly Extension[] {
  return [
    ...(crlUrls.length === 0 ? [] : [cRLDistributionPoints(crlUrls)]),
    ...(caIssuersUrls.length === 0 ? [] : [authorityInfoAccess(caIssuersUrls)]),
  ];
}

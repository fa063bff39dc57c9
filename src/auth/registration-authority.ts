import type { RegistrationAuthority } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { attributeValues } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';

/** What the configuration says of one registration authority of an alias. */
export interface RegistrationAuthorityOptions extends Omit<RegistrationAuthority, 'name'> {
  /** The commonName of its certificate. */
  readonly commonName: string;
}

/** What the holder of a certificate of the alias's own CA may do for others; undefined: it is no registration authority. */
export type RegistrationAuthorities = (certificate: Certificate) => RegistrationAuthority | undefined;

/**
 * Registration authorities by their names in the configuration. The extended key usage id-kp-cmcRA makes one (RFC 6402,
 * section 2.10; anyExtendedKeyUsage does not), and the configuration says for which names; without that, for none.
 */
export function createRegistrationAuthorities(
  configured: Readonly<Record<string, RegistrationAuthorityOptions>>,
): RegistrationAuthorities {
  const known = Object.entries(configured);
  return function registrationAuthorityOf({ extendedKeyUsage, subject }) {
    if (extendedKeyUsage?.includes(oids.cmcRA) !== true) return undefined;
    const [commonName] = attributeValues(subject, oids.commonName);
    const found = known.find(([, options]) => options.commonName === commonName);
    if (found === undefined) return { name: 'without a scope', names: {}, foreignLinking: false };
    const [name, { names, foreignLinking, quota }] = found;
    return { name, names, foreignLinking, quota };
  };
}

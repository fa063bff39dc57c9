import type { KeyUsage } from '../../pkix/extensions.ts';
import type { KeyType } from '../../pkix/keys.ts';
import { oids } from '../../pkix/oids.ts';

const signing: readonly KeyUsage[] = ['digitalSignature', 'nonRepudiation'];

/** What each kind of key can do: RFC 3279, RFC 8813, RFC 8410, RFC 9881. */
const possibleKeyUsages: Readonly<Record<KeyType, readonly KeyUsage[]>> = {
  RSA: [...signing, 'keyEncipherment', 'dataEncipherment'],
  'P-256': [...signing, 'keyAgreement'],
  'P-384': [...signing, 'keyAgreement'],
  'P-521': [...signing, 'keyAgreement'],
  Ed25519: signing,
  'ML-DSA-44': signing,
  'ML-DSA-65': signing,
  'ML-DSA-87': signing,
};

/** What a purpose may want of a key, by extended key usage; of others no RFC says what they want. */
const consistentKeyUsages: ReadonlyMap<string, readonly KeyUsage[]> = new Map<string, readonly KeyUsage[]>([
  // RFC 5280, section 4.2.1.12.
  [oids.clientAuth, ['digitalSignature', 'keyAgreement']],
  [oids.serverAuth, ['digitalSignature', 'keyEncipherment', 'keyAgreement']],
  [oids.emailProtection, [...signing, 'keyEncipherment', 'keyAgreement']],
  // RFC 4945, section 5.1.3.2.
  [oids.ipsecIKE, signing],
  // RFC 6187, section 2.2.1.
  [oids.secureShellClient, ['digitalSignature']],
  [oids.secureShellServer, ['digitalSignature']],
]);

/** Those key usages that a kind of key can have. */
export function possibleFor(keyType: KeyType, usages: readonly KeyUsage[]): readonly KeyUsage[] {
  return usages.filter((usage) => possibleKeyUsages[keyType].includes(usage));
}

/**
 * Those key usages that one of the purposes of a certificate may want (RFC 5280, section 4.2.1.12). All of them where it
 * names no purpose, or one of which no RFC says what it wants.
 */
export function consistentWith(
  purposes: readonly string[],
  usages: readonly KeyUsage[],
): readonly KeyUsage[] {
  const consistent = purposes.map((purpose) => consistentKeyUsages.get(purpose));
  if (consistent.length === 0 || consistent.includes(undefined)) return usages;
  return usages.filter((usage) => consistent.some((wanted) => wanted?.includes(usage)));
}

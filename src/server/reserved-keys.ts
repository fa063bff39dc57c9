import { certificatesOf } from '../auth/trust-anchors.ts';
import type { AliasConfiguration, Configuration } from '../config/configuration.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import { keysOf, readCertificate, type Certificate } from '../pkix/certificate.ts';
import type { StateStore } from '../store/store.ts';
import type { AliasCertificates } from './alias-certificates.ts';
import type { Backends } from './drivers.ts';

/** Whose keys no client may have. */
interface KeyHolders {
  readonly configuration: Configuration;
  readonly aliases: ReadonlyMap<string, AliasCertificates>;
  readonly backends: Backends;
  readonly store: StateStore;
}

/**
 * Knows the keys of every CA that an alias trusts, the gateway's own, and those that the store reserves. What does not
 * change is collected once; the keys of the backends' CAs are those that were last loaded.
 */
export async function openReservedKeys({
  configuration,
  aliases: byName,
  backends,
  store,
}: KeyHolders): Promise<KeyReservations> {
  const aliases = [...byName.values()];
  const vendors = keysOf(aliases.flatMap(({ implicitTrustAnchors }) => certificatesOf(implicitTrustAnchors)));
  const own = keysOf([
    ...(await Promise.all(ownCertificateFiles(configuration).map(leafOf))).flat(),
    ...[...backends.values()].flatMap(({ opened }) => opened.clientCertificates ?? []).map(readCertificate),
  ]);
  return async function reservationOf(publicKey, now) {
    const isOfCa = vendors.has(publicKey) || aliases.some((alias) => alias.caCertificates.hasKey(publicKey));
    if (isOfCa) return 'ca';
    const recorded = await store.certificates.reservationOf(publicKey, now);
    return recorded ?? (own.has(publicKey) ? 'operator' : undefined);
  };
}

/** Of TLS, of what signs answers, and of what services know the gateway by. */
function ownCertificateFiles({ listeners, aliases }: Configuration): readonly string[] {
  const own = [listeners.est, listeners.proxy?.tls, ...Object.values(aliases).flatMap(certificatesOfAlias)];
  return own.flatMap((files) => files?.certificate ?? []);
}

function certificatesOfAlias({ fullCmc, serverKeyGeneration, policy }: AliasConfiguration) {
  return [fullCmc?.signer, serverKeyGeneration?.encryption?.signer, policy.webhook?.clientCertificate];
}

/** What follows the first one are CAs. */
async function leafOf(file: string): Promise<readonly Certificate[]> {
  return (await readCertificates([file])).slice(0, 1);
}

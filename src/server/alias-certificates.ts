import { trustAnchors } from '../auth/trust-anchors.ts';
import type { AliasConfiguration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import { openCaCertificates } from '../est/ca-certificates.ts';
import type { Log } from '../ops/log.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import type { AliasBackend } from './alias-backend.ts';
import { openingTimeout } from './drivers.ts';

/** The certificates of the CAs that an alias has to do with. */
export type AliasCertificates = Pick<Alias, 'caCertificates' | 'implicitTrustAnchors'>;

/** Asks the CA for its own, and reads those of the vendors. Rejects with a plain sentence. */
export async function openAliasCertificates(
  options: AliasConfiguration,
  { caCertificates: ask, vendorCertificates }: Pick<AliasBackend, 'caCertificates' | 'vendorCertificates'>,
  log: Log,
): Promise<AliasCertificates> {
  const caCertificates = await openCaCertificates(
    ask,
    {
      caCertificates: await readCertificates(options.additionalCaCertificates),
      trustAnchors: await readCertificates(options.explicitTrustAnchors),
    },
    log,
    AbortSignal.timeout(openingTimeout),
  );
  const implicitTrustAnchors = trustAnchors(
    'implicit',
    [...(await readCertificates(options.implicitTrustAnchors)), ...vendorCertificates],
    options.implicitCertificatePolicies,
  );
  if (implicitTrustAnchors.roots.length === 0 && implicitTrustAnchors.intermediates.length > 0) {
    throw new Error('implicitTrustAnchors holds no self-signed certificate; add the root of the vendor.');
  }
  return { caCertificates, implicitTrustAnchors };
}

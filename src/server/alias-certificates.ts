import { trustAnchors, withoutRoot, type TrustAnchors } from '../auth/trust-anchors.ts';
import type { AliasConfiguration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import { openCaCertificates } from '../est/ca-certificates.ts';
import type { Log } from '../ops/log.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { nameToString } from '../pkix/names.ts';
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
  const signal = AbortSignal.timeout(openingTimeout);
  const explicit = await readCertificates(options.explicitTrustAnchors);
  const caCertificates = await openCaCertificates(
    ask,
    {
      caCertificates: await readCertificates(options.additionalCaCertificates),
      trustAnchors: explicit,
    },
    log,
    signal,
  );
  requireRoots('explicitTrustAnchors', explicit, (await caCertificates.current(signal)).anchors);
  const implicit = await readCertificates(options.implicitTrustAnchors);
  const implicitTrustAnchors = trustAnchors(
    'implicit',
    [...implicit, ...vendorCertificates],
    options.implicitCertificatePolicies,
  );
  requireRoots('implicitTrustAnchors', [...implicit, ...vendorCertificates], implicitTrustAnchors);
  return { caCertificates, implicitTrustAnchors };
}

/** No path could end at a certificate that is not self-signed: the anchor of its clients would never be found. */
function requireRoots(key: string, certificates: readonly Certificate[], anchors: TrustAnchors): void {
  const lost = withoutRoot(anchors).find((one) => certificates.some(({ sha256 }) => sha256 === one.sha256));
  if (lost === undefined) return;
  throw new Error(
    `${key}: ${nameToString(lost.subject)} is not self-signed, and nothing leads from it to a certificate that is; ` +
      `add the root above it (its issuer is ${nameToString(lost.issuer)}).`,
  );
}

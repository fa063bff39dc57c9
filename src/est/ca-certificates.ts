import { certificatesOf, trustAnchors, type TrustAnchors } from '../auth/trust-anchors.ts';
import type { Log } from '../ops/log.ts';
import { keysOf, readCertificate, type Certificate } from '../pkix/certificate.ts';
import { caCertificateBag, issuingCertificates } from '../pkix/chain.ts';
import { certsOnly } from '../pkix/cms.ts';

/** The certificates of an alias's CA at one moment. */
interface CaCertificateBag {
  readonly certificates: readonly Certificate[];
  /** Those of the key that issues to end entities. */
  readonly issuing: readonly Certificate[];
  /** As `cacerts` sends them, DER. */
  readonly certsOnly: Buffer;
  /** As anchors of client certificates: the explicit ones of RFC 7030, section 3.1. */
  readonly anchors: TrustAnchors;
  /** SHA-256 of the anchors' subjectPublicKeyInfos, hex. */
  readonly keys: ReadonlySet<string>;
}

/** The CA certificates of one backend, kept in memory. */
export interface CaCertificates {
  /** At most `freshFor` old; older when the CA cannot be reached. */
  current(signal: AbortSignal): Promise<CaCertificateBag>;
  /** Whether a key (SHA-256 of the subjectPublicKeyInfo, hex) is in the last bag, however old; the CA is not asked. */
  hasKey(publicKey: string): boolean;
}

/** What an alias adds to the certificates of its CA. */
export interface AdditionalCertificates {
  /** What `cacerts` gives too. */
  readonly caCertificates: readonly Certificate[];
  /** Explicit trust anchors that `cacerts` does not give. */
  readonly trustAnchors: readonly Certificate[];
}

/** How long a bag is used before the CA is asked again, in milliseconds. */
const freshFor = 300_000;

/**
 * Asks the CA for its certificates now, and again when they are five minutes old; while the CA is down the old
 * ones stay in use. Rejects when the first answer fails, or is nothing that `cacerts` may give.
 */
export async function openCaCertificates(
  ask: (signal: AbortSignal) => Promise<readonly Buffer[]>,
  additional: AdditionalCertificates,
  log: Log,
  signal: AbortSignal,
): Promise<CaCertificates> {
  let bag = await load(signal);
  let loadedAt = Date.now();

  async function load(loadSignal: AbortSignal): Promise<CaCertificateBag> {
    const chain = (await ask(loadSignal)).map((der) => readCertificate(der));
    const certificates = caCertificateBag(chain, additional.caCertificates);
    const anchors = trustAnchors('explicit', [...certificates, ...additional.trustAnchors]);
    return {
      certificates,
      issuing: issuingCertificates(chain),
      certsOnly: certsOnly(certificates.map(({ der }) => der)),
      anchors,
      keys: keysOf(certificatesOf(anchors)),
    };
  }

  return {
    async current(currentSignal) {
      if (Date.now() - loadedAt < freshFor) return bag;
      loadedAt = Date.now();
      try {
        bag = await load(currentSignal);
      } catch (error) {
        log.warn('The CA certificates could not be refreshed; the earlier ones stay in use.', { error });
      }
      return bag;
    },
    hasKey: (publicKey) => bag.keys.has(publicKey),
  };
}

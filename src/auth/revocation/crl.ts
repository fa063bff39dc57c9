import type { Certificate } from '../../pkix/certificate.ts';
import { crlUrlsOf, isInScope } from '../../pkix/distribution-points.ts';
import { namesEqual } from '../../pkix/names.ts';
import type { CrlStore, StoredCrl } from './crl-store.ts';
import {
  failed,
  isConfigured,
  type RevocationQuestion,
  type RevocationSource,
  type Verdict,
} from './source.ts';

/** Where an alias looks for CRLs. */
export interface CrlSourceOptions {
  readonly store: CrlStore;
  /** Paths. */
  readonly files: readonly string[];
  readonly urls: readonly string[];
  /** Whether to go where certificates of configured CAs say. */
  readonly followCertificates: boolean;
}

/** Clocks differ by so many milliseconds. */
const clockSkew = 300_000;

/**
 * CRLs (RFC 5280, section 6.3): complete ones that the issuer itself signed. A configured one that never came may be
 * about any certificate, so that it counts as failed for all that no other CRL covers.
 */
export function createCrlSource({
  store,
  files,
  urls,
  followCertificates,
}: CrlSourceOptions): RevocationSource {
  async function configuredCrls(): Promise<readonly PromiseSettledResult<readonly StoredCrl[]>[]> {
    return await Promise.allSettled([...files.map(store.inFile), ...urls.map(store.atUrl)]);
  }

  /** By what is at the first place that can be reached, of those that the certificate names. */
  async function verdictOfNamed(question: RevocationQuestion): Promise<Verdict> {
    const named = followCertificates && isConfigured(question) ? crlUrlsOf(question.certificate) : [];
    let verdict: Verdict = { status: 'uncovered' };
    for (const url of named) {
      try {
        return await verdictOf(await store.atUrl(url), question);
      } catch (error) {
        verdict = failed(error);
      }
    }
    return verdict;
  }

  return {
    name: 'crl',
    async status(question) {
      const results = await configuredCrls();
      const configured = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
      const verdict = await verdictOf(configured, question);
      if (verdict.status === 'good' || verdict.status === 'revoked') return verdict;
      const named = await verdictOfNamed(question);
      if (named.status !== 'uncovered') return named;
      const missing = results.find((result) => result.status === 'rejected');
      return missing === undefined ? verdict : failed(missing.reason);
    },
  };
}

/** By the newest CRL that is about the certificate. */
async function verdictOf(crls: readonly StoredCrl[], question: RevocationQuestion): Promise<Verdict> {
  const { certificate, now } = question;
  const about = crls.filter(
    ({ list }) => namesEqual(list.issuer, certificate.issuer) && isInScope(list.scope, certificate),
  );
  if (about.length === 0) return { status: 'uncovered' };
  const signed = await filterSigned(about, question);
  const [newest] = signed.toSorted((a, b) => b.list.thisUpdate.getTime() - a.list.thisUpdate.getTime());
  if (newest === undefined) return failed('The CRL was not signed by the CA of the certificate.');
  const { thisUpdate, nextUpdate, serialNumbers } = newest.list;
  if (thisUpdate.getTime() > now.getTime() + clockSkew)
    return failed('The thisUpdate of the CRL is to come.');
  if (nextUpdate < now) return failed('The nextUpdate of the CRL has passed.');
  return { status: serialNumbers.has(certificate.serialNumber) ? 'revoked' : 'good' };
}

async function filterSigned(
  crls: readonly StoredCrl[],
  question: RevocationQuestion,
): Promise<readonly StoredCrl[]> {
  const verdicts = await Promise.all(
    crls.map(async (crl) => await Promise.all(possibleIssuers(crl, question).map(crl.isSignedBy))),
  );
  return crls.filter((_, at) => verdicts[at]?.includes(true) === true);
}

/** The issuer, or after a change of its key the same CA with the other key, if the operator named that. */
function possibleIssuers(
  { list }: StoredCrl,
  { issuer, configured }: RevocationQuestion,
): readonly Certificate[] {
  const { authorityKeyIdentifier: key } = list;
  return [issuer, ...configured.filter(({ subject }) => namesEqual(subject, issuer.subject))].filter(
    ({ subjectKeyIdentifier: own }) => key === undefined || own === undefined || own.equals(key),
  );
}

import type { Certificate } from '../../pkix/certificate.ts';
import { DerError } from '../../pkix/der.ts';
import { ocspUrlsOf } from '../../pkix/distribution-points.ts';
import {
  ocspRequest,
  readOcspResponse,
  type CertificateStatusAnswer,
  type IssuedCertificate,
} from '../../pkix/ocsp.ts';
import { createCache, createCached, type Loaded } from './cached.ts';
import type { Fetch } from './fetch.ts';
import {
  isConfigured,
  sentence,
  undetermined,
  urlsToTry,
  type RevocationQuestion,
  type RevocationSource,
  type Verdict,
} from './source.ts';

/** Asks OCSP responders for all aliases. */
export interface OcspClient {
  /** What the responder says; kept until nextUpdate. Rejects with a plain sentence. */
  ask(url: string, subject: IssuedCertificate): Promise<CertificateStatusAnswer>;
}

/** How responders are asked. */
export interface OcspClientOptions {
  readonly fetch: Fetch;
  /** Milliseconds after which a responder is asked anew at the latest. */
  readonly maxAge: number;
  readonly onFailure: (error: unknown) => void;
}

/** Answers that are remembered. */
const mostAnswers = 20_000;

/** Clocks differ by so many milliseconds. */
const clockSkew = 300_000;

export function createOcspClient({ fetch, maxAge, onFailure }: OcspClientOptions): OcspClient {
  const answers = createCache<() => Promise<CertificateStatusAnswer>>(mostAnswers);

  async function load(url: string, subject: IssuedCertificate): Promise<Loaded<CertificateStatusAnswer>> {
    const body = ocspRequest(subject);
    const response = await fetch(url, { mediaType: 'application/ocsp-request', body });
    try {
      const now = new Date();
      const answer = await readOcspResponse(response, subject, now);
      return { value: answer, expiresAt: endOf(answer, now, maxAge) };
    } catch (error) {
      throw new Error(`${url}: ${sentence(error)}`, { cause: error });
    }
  }

  return {
    async ask(url, subject) {
      const key = `${subject.issuer.sha256} ${subject.certificate.serialNumber} ${url}`;
      const answer = answers(key, () =>
        createCached({ load: async () => await load(url, subject), maxAge, onFailure }),
      );
      return await answer();
    },
  };
}

/** Milliseconds since 1970 until which the answer counts. Throws an Error with a plain sentence when that is over. */
function endOf({ thisUpdate, nextUpdate }: CertificateStatusAnswer, now: Date, maxAge: number): number {
  if (thisUpdate.getTime() > now.getTime() + clockSkew) {
    throw new Error('The thisUpdate of the OCSP answer is to come.');
  }
  const oldest = now.getTime() - Math.max(maxAge, clockSkew);
  const isOver = nextUpdate === undefined ? thisUpdate.getTime() < oldest : nextUpdate <= now;
  if (isOver) throw new Error('The OCSP answer is too old.');
  // Without nextUpdate there may be a newer one at any time.
  return nextUpdate?.getTime() ?? now.getTime();
}

/** A responder for the certificates of one CA. */
export interface Responder {
  /** The CA's certificate. */
  readonly issuer: Certificate;
  readonly url: string;
}

/** Whom an alias asks. */
export interface OcspSourceOptions {
  readonly client: OcspClient;
  readonly responders: readonly Responder[];
  /** Whether to ask whom certificates of configured CAs name. */
  readonly followCertificates: boolean;
  /** Who may know whether the certificate of a responder is revoked. */
  readonly others: readonly RevocationSource[];
}

/** OCSP (RFC 6960), without nonces, as responders that sign ahead want it (RFC 5019). */
export function createOcspSource({
  client,
  responders,
  followCertificates,
  others,
}: OcspSourceOptions): RevocationSource {
  function urlsFor(question: RevocationQuestion): readonly string[] {
    const { certificate, issuer } = question;
    const configured = responders.filter((responder) => responder.issuer.spki.equals(issuer.spki));
    const named = followCertificates && isConfigured(question) ? ocspUrlsOf(certificate) : [];
    return [...configured.map(({ url }) => url), ...named];
  }

  async function ask(url: string, question: RevocationQuestion): Promise<Verdict> {
    try {
      const { status, revocation, responder } = await client.ask(url, question);
      const objection = responder && (await objectionToResponder(responder, question, others));
      if (objection !== undefined) return undetermined(`${url}: ${objection}`);
      if (status === 'revoked') return { status, revocation };
      return status === 'good' ? { status } : { status, reason: 'is not known to the OCSP responder' };
    } catch (error) {
      return undetermined(error);
    }
  }

  return {
    name: 'ocsp',
    async status(question) {
      const reasons: string[] = [];
      let unknown: Verdict | undefined;
      try {
        const { tried, omitted } = urlsToTry(urlsFor(question));
        for (const url of tried) {
          const verdict = await ask(url, question);
          if (verdict.status === 'good' || verdict.status === 'revoked') return verdict;
          if (verdict.status === 'undetermined') reasons.push(...verdict.reasons);
          else unknown = verdict;
        }
        reasons.push(...omitted);
      } catch (error) {
        if (!(error instanceof DerError)) throw error;
        reasons.push(error.message);
      }
      if (reasons.length > 0) return { status: 'undetermined', reasons };
      return unknown ?? { status: 'uncovered' };
    },
  };
}

/** What others say against the certificate of a responder (RFC 6960, section 4.2.2.2.1). */
async function objectionToResponder(
  responder: Certificate,
  question: RevocationQuestion,
  others: readonly RevocationSource[],
): Promise<string | undefined> {
  for (const source of others) {
    const { status } = await source.status({ ...question, certificate: responder });
    if (status === 'good') return undefined;
    if (status !== 'uncovered') return `the certificate of the OCSP responder is ${wordFor[status]}.`;
  }
  return undefined;
}

const wordFor = {
  revoked: 'revoked',
  neverIssued: 'none that the CA has issued',
  unknown: 'unknown to its CA',
  undetermined: 'perhaps revoked, which could not be found out',
} as const;

import type { Certificate } from '../../pkix/certificate.ts';
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
  failed,
  isConfigured,
  type RevocationQuestion,
  type RevocationSource,
  type Verdict,
} from './source.ts';

/** Asks OCSP responders for all aliases. */
export interface OcspClient {
  /** `good`, `revoked`, or `unknown` to the responder; kept until nextUpdate. Rejects with a plain sentence. */
  ask(url: string, subject: IssuedCertificate): Promise<Status>;
}

type Status = CertificateStatusAnswer['status'];

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
  const answers = createCache<() => Promise<Status>>(mostAnswers);

  async function load(url: string, subject: IssuedCertificate): Promise<Loaded<Status>> {
    const body = ocspRequest(subject);
    const response = await fetch(url, { mediaType: 'application/ocsp-request', body });
    try {
      const now = new Date();
      const answer = await readOcspResponse(response, subject, now);
      return { value: answer.status, expiresAt: endOf(answer, now, maxAge) };
    } catch (error) {
      throw new Error(`${url}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
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
}

/** OCSP (RFC 6960), without nonces, as responders that sign ahead want it (RFC 5019). */
export function createOcspSource({
  client,
  responders,
  followCertificates,
}: OcspSourceOptions): RevocationSource {
  function urlsFor(question: RevocationQuestion): readonly string[] {
    const { certificate, issuer } = question;
    const configured = responders.filter((responder) => responder.issuer.spki.equals(issuer.spki));
    const named = followCertificates && isConfigured(question) ? ocspUrlsOf(certificate) : [];
    return [...configured.map(({ url }) => url), ...named];
  }

  return {
    name: 'ocsp',
    async status(question) {
      let verdict: Verdict = { status: 'uncovered' };
      for (const url of urlsFor(question)) {
        try {
          const status = await client.ask(url, question);
          if (status !== 'unknown') return { status };
          verdict = { status: 'unknown', reason: 'is not known to the OCSP responder' };
        } catch (error) {
          verdict = failed(error);
        }
      }
      return verdict;
    },
  };
}

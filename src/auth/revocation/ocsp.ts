import {
  ocspRequest,
  readOcspResponse,
  type CertificateStatusAnswer,
  type IssuedCertificate,
} from '../../pkix/ocsp.ts';
import { createCache, createCached, type Loaded } from './cached.ts';
import type { Fetch } from './fetch.ts';
import { sentence } from './source.ts';

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

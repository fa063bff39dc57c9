import type { Certificate } from '../../pkix/certificate.ts';
import { DerError } from '../../pkix/der.ts';
import { ocspUrlsOf } from '../../pkix/distribution-points.ts';
import type { OcspClient } from './ocsp.ts';
import {
  isConfigured,
  undetermined,
  urlsToTry,
  type RevocationQuestion,
  type RevocationSource,
  type Verdict,
} from './source.ts';

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
  /** Who else may know whether the certificate of a responder is revoked. */
  readonly others: readonly RevocationSource[];
}

/** Who has signed an answer, and may be revoked. */
interface Doubted {
  readonly certificate: Certificate;
  /** Where it answered. */
  readonly url: string;
}

/** Responders that are asked about the certificate of the one before. */
const mostDoubted = 3;

/**
 * OCSP (RFC 6960), without nonces, as responders that sign ahead want it (RFC 5019). About a responder that may be revoked the
 * other sources are asked, and responders, too; what it says of itself counts against it alone.
 */
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

  async function statusOf(question: RevocationQuestion, doubted: readonly Doubted[]): Promise<Verdict> {
    const reasons: string[] = [];
    let unknown: Verdict | undefined;
    try {
      const { tried, omitted } = urlsToTry(urlsFor(question));
      for (const url of tried) {
        const verdict = await ask(url, question, doubted);
        if (verdict.status === 'good' || verdict.status === 'revoked') return verdict;
        if (verdict.status === 'undetermined') reasons.push(...verdict.reasons);
        if (verdict.status === 'unknown') unknown = verdict;
      }
      reasons.push(...omitted);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      reasons.push(error.message);
    }
    if (reasons.length > 0) return { status: 'undetermined', reasons };
    return unknown ?? { status: 'uncovered' };
  }

  async function ask(
    url: string,
    question: RevocationQuestion,
    doubted: readonly Doubted[],
  ): Promise<Verdict> {
    try {
      const { status, revocation, responder } = await client.ask(url, question);
      if (status !== 'revoked' && isDoubted(responder, doubted)) return { status: 'uncovered' };
      const objection = await objectionToResponder(responder, url, question, doubted);
      if (objection !== undefined) return undetermined(`${url}: ${objection}`);
      if (status === 'revoked') return { status, revocation };
      return status === 'good' ? { status } : { status, reason: 'is not known to the OCSP responder' };
    } catch (error) {
      // A responder need not answer about its own certificate.
      return doubted.some((one) => one.url === url) ? { status: 'uncovered' } : undetermined(error);
    }
  }

  /** RFC 6960, section 4.2.2.2.1. Undefined: the CA itself, or who the CA says is never revoked. */
  async function objectionToResponder(
    responder: Certificate | undefined,
    url: string,
    question: RevocationQuestion,
    doubted: readonly Doubted[],
  ): Promise<string | undefined> {
    if (responder === undefined || isDoubted(responder, doubted)) return undefined;
    const all = [...doubted, { certificate: responder, url }];
    const ocsp = { status: async (about: RevocationQuestion) => await statusOf(about, all) };
    const sources = all.length > mostDoubted ? others : [...others, ocsp];
    return await objectionBy(sources, { ...question, certificate: responder });
  }

  return { name: 'ocsp', status: async (question) => await statusOf(question, []) };
}

function isDoubted(responder: Certificate | undefined, doubted: readonly Doubted[]): boolean {
  return doubted.some(({ certificate }) => certificate.sha256 === responder?.sha256);
}

/** What is said against the certificate of a responder: the first word that is one, else that a source should know. */
async function objectionBy(
  sources: readonly Pick<RevocationSource, 'status'>[],
  question: RevocationQuestion,
): Promise<string | undefined> {
  let objection: string | undefined;
  for (const source of sources) {
    const { status } = await source.status(question);
    if (status === 'good') return undefined;
    const word =
      status === 'uncovered' ? undefined : `the certificate of the OCSP responder is ${wordFor[status]}.`;
    if (status === 'revoked' || status === 'neverIssued') return word;
    objection ??= word;
  }
  return objection;
}

const wordFor = {
  revoked: 'revoked',
  neverIssued: 'none that the CA has issued',
  unknown: 'unknown to its CA',
  undetermined: 'perhaps revoked, which could not be found out',
} as const;

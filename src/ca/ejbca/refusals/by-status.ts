import { pages, type Meaning } from './known-text.ts';

/** What of an answer of the REST API counts, or of a page in place of the web service. */
export interface RefusedAnswer {
  readonly status: number;
  /** `error_message` of EJBCA's error JSON; undefined: the answer is no such JSON. */
  readonly message: string | undefined;
  /** The body as text, for what is no JSON. */
  readonly page: string;
  /** Below the REST API, such as `/v1/certificate/pkcs10enroll`, or `/ejbcaws`. */
  readonly path: string;
  /** Of Retry-After, in seconds. */
  readonly retryAfter?: number | undefined;
  /** What must never be logged though EJBCA may quote it. */
  readonly secret?: string | undefined;
}

/** An answer whose text is not known, or that has none, and what it means. */
export interface KnownAnswer extends Meaning {
  /** In words, for docs/ejbca.md. */
  readonly seen: string;
  readonly fits: (answer: RefusedAnswer) => boolean;
}

const failed = {
  code: 'ca_unavailable',
  outage: 'ejbca',
  sentence: 'EJBCA is not available.',
  advice: "Look into EJBCA's server.log.",
} as const;

/** What the application server, a proxy or something else says in place of EJBCA; the first that fits counts. */
const knownPages: readonly KnownAnswer[] = [
  {
    seen: 'a page "This service has been disabled."',
    fits: ({ page }) => page.includes('This service has been disabled'),
    code: 'ca_bad_answer',
    sentence: 'A protocol that the gateway needs is switched off in EJBCA.',
    advice: 'Enable "{protocol}".',
    page: pages.protocols,
  },
  {
    // EJBCA's own handler of exceptions fails for a CA that is off-line.
    seen: 'a page with status 500 and a stack trace, to a request for a certificate',
    fits: ({ status, page, path }) => status === 500 && page.includes('Stack Trace') && isEnrollment(path),
    code: 'ca_unavailable',
    outage: 'ca',
    sentence: 'The CA is not active, or has expired.',
    advice: 'Activate the CA, or renew it where it has expired.',
    page: pages.activation,
  },
  {
    seen: 'a page with status 404, while EJBCA is deployed or shut down',
    fits: ({ status }) => status === 404,
    ...failed,
    advice: 'Check baseUrl where it lasts.',
  },
  {
    seen: 'another page with a status of 500 or more, or 429',
    fits: ({ status }) => status === 429 || status >= 500,
    ...failed,
  },
  {
    seen: "a page that is not EJBCA's",
    fits: () => true,
    code: 'ca_bad_answer',
    sentence: 'The answer is none that EJBCA gives.',
    advice: 'Check baseUrl, and what stands between the gateway and EJBCA.',
  },
];

/** EJBCA says something that is not known; the first that fits counts. */
const unknownTexts: readonly KnownAnswer[] = [
  {
    seen: 'another text with 401 or 403, or the fault AuthorizationDeniedException',
    fits: ({ status }) => status === 401 || status === 403,
    code: 'ca_bad_answer',
    sentence: 'EJBCA refuses the gateway.',
    advice: 'Give the role of the gateway the access that the text names.',
    page: pages.roles,
  },
  {
    seen: 'another text with 503',
    fits: ({ status }) => status === 503,
    ...failed,
    outage: 'ca',
    sentence: 'The CA is not available.',
  },
  {
    seen: 'another text with a status of 500 or more, or 429; another fault',
    fits: ({ status }) => status === 429 || status >= 500,
    ...failed,
  },
  {
    seen: 'another text with 400, 409 or 422, to a request for a certificate',
    fits: ({ status, path }) => [400, 409, 422].includes(status) && isEnrollment(path),
    code: 'bad_certification_request',
    sentence: 'The CA refuses this request; what it said is in the log of the gateway.',
    advice: 'Compare the request with the profiles of the alias; the text says what does not fit.',
  },
];

function isEnrollment(path: string): boolean {
  return /\/(pkcs10enroll|certificaterequest|finalize)$/.test(path);
}

/** Answers by their status, where no text is known; the first that fits counts. */
export const knownAnswers: readonly KnownAnswer[] = [
  ...knownPages.map((known) => only((answer) => answer.message === undefined, known)),
  ...unknownTexts,
];

function only(condition: KnownAnswer['fits'], known: KnownAnswer): KnownAnswer {
  return { ...known, fits: (answer) => condition(answer) && known.fits(answer) };
}

/** An answer that is none of them. */
export const otherAnswer: Meaning & Pick<KnownAnswer, 'seen'> = {
  seen: 'another text',
  code: 'ca_bad_answer',
  sentence: 'EJBCA refuses a question of the gateway.',
  advice: 'Check the names that the alias gives, and the version of EJBCA.',
};

import { EstError } from '../../errors.ts';
import type { Log, LogFields } from '../../ops/log.ts';
import { knownAnswers, otherAnswer, type RefusedAnswer } from './refusals/by-status.ts';
import { knownTexts } from './refusals/index.ts';
import type { Meaning, Outage, RefusalOutcome } from './refusals/known-text.ts';
export { wrongEnrollmentCode } from './refusals/of-devices.ts';

/** What an answer of EJBCA that is no success means, as it is thrown. */
export class EjbcaRefusal extends EstError {
  /** What EJBCA said, without secrets, for the log. */
  readonly text: string;
  /** The HTTP status with which it came. */
  readonly answered: number;
  /** What the operator of EJBCA or of the gateway can do. */
  readonly advice: string;
  /** What a caller can act on; undefined: nothing but `code`. */
  readonly outcome: RefusalOutcome | undefined;
  /** Whose outage it shows; undefined: none. */
  readonly outage: Outage | undefined;
  /** Of EJBCA's request for approval that it has made; undefined: none, or EJBCA does not say. */
  readonly approval: number | undefined;

  constructor({ code, sentence, outcome, outage, ...meaning }: Meaning, said: Said) {
    const { secret = '', retryAfter } = said;
    const text = (secret === '' ? said.text : said.text.replaceAll(secret, '...')).slice(0, 500);
    const advice = meaning.page === undefined ? meaning.advice : `${meaning.advice} EJBCA: ${meaning.page}.`;
    const wait = retryAfter ?? (outage === undefined ? 1 : retryAfterOutage[outage]);
    super(code, sentence, {
      cause: new Error(`EJBCA: ${text} - ${advice}`),
      ...(code === 'ca_unavailable' && { retryAfter: wait }),
    });
    this.text = text;
    this.answered = said.status;
    this.advice = advice;
    this.outcome = outcome;
    this.outage = outage;
    this.approval = said.approval;
  }
}

/** What is kept of an answer. */
interface Said extends Pick<RefusedAnswer, 'status' | 'retryAfter' | 'secret'> {
  readonly text: string;
  readonly approval?: number | undefined;
}

/** Seconds after which an outage may be over. */
const retryAfterOutage: Readonly<Record<Outage, number>> = { ejbca: 10, ca: 60 };

/**
 * Writes the line about a call that failed: loud when an operator has to do something, not when a device is at fault.
 * What the gateway refused without EJBCA stands in the line about the request.
 */
export function logRefusal(log: Log, error: unknown, fields: LogFields): void {
  if (!(error instanceof EjbcaRefusal)) {
    if (error instanceof EstError && error.status < 500) return;
    const isTls = error instanceof EstError && error.code === 'ca_bad_answer';
    const advice = isTls
      ? 'Check trustAnchor and the credentials of the gateway, and maxResponse.'
      : undefined;
    log.error('EJBCA could not be asked.', { ...fields, error, advice });
    return;
  }
  const { text: answer, answered: status, advice } = error;
  const said = { ...fields, status, answer, advice };
  if (error.status < 500) log.warn('EJBCA refuses a request.', said);
  else log.error('EJBCA refuses a request, and its operator or that of the gateway can help.', said);
}

/** The outcome by which EJBCA refused; undefined for errors of other kinds. */
export function outcomeOf(error: unknown): RefusalOutcome | undefined {
  return error instanceof EjbcaRefusal ? error.outcome : undefined;
}

/** EJBCA's request for approval that a refused call has made; undefined: none, or EJBCA does not say. */
export function approvalIn(error: unknown): number | undefined {
  return error instanceof EjbcaRefusal ? error.approval : undefined;
}

/** A fault of the web service. */
export interface Fault {
  /** The name of the element in `detail`, such as `AuthorizationDeniedException`; empty: none. */
  readonly exception: string;
  /** `faultstring` */
  readonly message: string;
  /** `requestId` in `detail`: of a request for approval. */
  readonly approval?: number | undefined;
  /** What must never be logged though EJBCA may quote it. */
  readonly secret?: string | undefined;
}

/** What an answer of the REST API means that is neither success nor "wait for approval"; or a page in place of the web service. */
export function refusalOf(answer: RefusedAnswer): EjbcaRefusal {
  const { message, status, page } = answer;
  const text = message ?? `${status}: ${pageText(page)}`;
  return new EjbcaRefusal(knownMeaning(answer) ?? meaningByStatus(answer), { ...answer, text });
}

/** The Java class of an exception in another one, which EJBCA writes before its text. */
const innerException = /^(?:[a-z]\w*\.)+[A-Z]\w*: /;

/** What a fault of the web service means. */
export function refusalOfFault(fault: Fault): EjbcaRefusal {
  const { exception, message } = fault;
  const text = message.replace(innerException, '');
  const status = exception === 'AuthorizationDeniedException' ? 403 : 500;
  const answer = { status, message: text, page: '', path: '/ejbcaws' };
  const byName = knownTexts.find(({ exceptions }) => exceptions?.includes(exception));
  const meaning = knownMeaning(answer) ?? byName ?? meaningByStatus(answer);
  return new EjbcaRefusal(meaning, { ...fault, status: 500, text });
}

const patterns = knownTexts.flatMap((known) =>
  known.texts.map((text) => ({ known, pattern: patternOf(text) })),
);

/** The whole text, with a named group for each name in braces. */
function patternOf(text: string): RegExp {
  const source = text
    .split(/\{(\w+)\}/)
    .map((part, index) =>
      index % 2 === 0 ? part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`) : `(?<${part}>.*?)`,
    );
  return new RegExp(`^${source.join('')}$`, 'is');
}

function knownMeaning({ message, path }: RefusedAnswer): Meaning | undefined {
  if (message === undefined) return undefined;
  for (const { known, pattern } of patterns) {
    const found = path.endsWith(known.call ?? '') ? pattern.exec(message) : null;
    if (found !== null) return { ...known, advice: filledIn(known.advice, found.groups ?? {}) };
  }
  return undefined;
}

function meaningByStatus(answer: RefusedAnswer): Meaning {
  const known = knownAnswers.find(({ fits }) => fits(answer)) ?? otherAnswer;
  return { ...known, advice: filledIn(known.advice, { protocol: protocolOf(answer.path) }) };
}

function filledIn(advice: string, words: Readonly<Record<string, string>>): string {
  return advice.replaceAll(/\{(\w+)\}/g, (whole, name: string) => words[name] ?? whole);
}

/** The switch that a path depends on. */
function protocolOf(path: string): string {
  if (path.startsWith('/ejbcaws')) return 'Web Service';
  return path.startsWith('/v2/') ? 'REST Certificate Management V2' : 'REST Certificate Management';
}

/** What people would read of an HTML page. */
function pageText(page: string): string {
  return page
    .replaceAll(/<(style|script)\b[^]*?<\/\1>/gi, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

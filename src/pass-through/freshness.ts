import type { Validity } from './kinds.ts';

/** How long a document may be given: dates as milliseconds since 1970. */
export interface Freshness {
  /** Whether it may be kept at all. */
  readonly isStorable: boolean;
  /** Until then it is given without asking the upstream. */
  readonly freshUntil: number;
  /** Until then it is given when the upstream is down. */
  readonly usableUntil: number;
}

/** Times of the configuration, in seconds. */
export interface FreshnessOptions {
  /** For documents whose upstream says nothing about it. */
  readonly maxAge: number;
  /** How much longer a document is given while the upstream is down. */
  readonly staleFor: number;
}

/** Header fields of an answer by their lower-case names. */
export type HeaderFields = Readonly<Record<string, string | undefined>>;

/**
 * What Cache-Control or Expires say (RFC 9111, sections 4.2 and 5.2.2), never longer than the document's own nextUpdate.
 */
export function freshnessOf(
  headers: HeaderFields,
  validity: Validity,
  { maxAge, staleFor }: FreshnessOptions,
  now: number,
): Freshness {
  const directives = directivesOf(headers['cache-control'] ?? '');
  const seconds = directives.has('no-cache') ? 0 : (lifetimeOf(headers, directives) ?? maxAge);
  const nextUpdate = validity.nextUpdate?.getTime() ?? Infinity;
  const freshUntil = Math.min(now + seconds * 1000, nextUpdate);
  const isStrict = ['must-revalidate', 'proxy-revalidate', 'no-cache'].some((name) => directives.has(name));
  return {
    isStorable: validity.isStorable && !directives.has('no-store') && !directives.has('private'),
    freshUntil,
    usableUntil: isStrict
      ? freshUntil
      : Math.min(Math.max(now, freshUntil) + staleFor * 1000, validity.endsThen ? nextUpdate : Infinity),
  };
}

/** Seconds, as the upstream says; undefined: it does not. */
function lifetimeOf(headers: HeaderFields, directives: ReadonlyMap<string, string>): number | undefined {
  const said = wholeSeconds(directives.get('s-maxage') ?? directives.get('max-age'));
  if (said !== undefined) return Math.max(0, said - (wholeSeconds(headers['age']) ?? 0));
  const { expires, date } = headers;
  if (expires === undefined) return undefined;
  const lifetime = (Date.parse(expires) - (date === undefined ? Date.now() : Date.parse(date))) / 1000;
  // What is no date has expired (RFC 9111, section 5.3).
  return Number.isFinite(lifetime) ? Math.max(0, lifetime) : 0;
}

function directivesOf(cacheControl: string): ReadonlyMap<string, string> {
  return new Map(
    cacheControl.split(',').map((directive) => {
      const [name = '', value = ''] = directive.split('=');
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
    }),
  );
}

function wholeSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

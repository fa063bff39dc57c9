import type { EstError, EstErrorCode } from '../errors.ts';

/** Whose way an alias follows where EJBCA and the RFCs differ; docs/compatibility.md has the list. */
export type Compatibility = 'rfc' | 'ejbca';

/** The statuses that EJBCA's own EST gives where ours are others: it knows neither 502, 503 nor 504. */
const ejbcaStatusByCode: Partial<Record<EstErrorCode, number>> = {
  wrong_enrollment_code: 400,
  client_certificate_missing: 401,
  refused_by_policy: 400,
  rejected_by_ca: 400,
  ca_bad_answer: 400,
  ca_unavailable: 400,
  ca_timeout: 400,
};

/** The HTTP status of a refusal. */
export function statusOf(error: EstError, compatibility: Compatibility): number {
  return (compatibility === 'ejbca' ? ejbcaStatusByCode[error.code] : undefined) ?? error.status;
}

/** A sentence, which is our own, as the page in which EJBCA wraps every error. */
export function ejbcaErrorPage(sentence: string): string {
  const escaped = sentence.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<html><head><title>Error</title></head><body>${escaped}</body></html>\n`;
}

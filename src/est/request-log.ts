import type { EstError, EstErrorCode } from '../errors.ts';
import type { Log, LogFields } from '../ops/log.ts';

/** Refusals after which a person should look; docs/operation.md has the list. */
const forPeople: ReadonlySet<EstErrorCode> = new Set<EstErrorCode>([
  'wrong_credentials',
  'wrong_enrollment_code',
  'wrong_enrollment_code_in_csr',
  'client_certificate_missing',
  'forbidden',
  'refused_by_policy',
  'rejected_by_ca',
  'channel_binding_mismatch',
  'too_early',
  'too_many_requests',
]);

/**
 * Writes the one line of a request: at level `error` when the gateway or what is behind it failed, at `warn` when a
 * person should look, else at `info`.
 */
export function logRequest(log: Log, fields: LogFields, error?: EstError): void {
  // Who sends such fields tries to pass for another, or thinks that a proxy is believed here.
  const isSuspicious = fields['ignoredProxyFields'] !== undefined;
  if (error !== undefined && error.status >= 500) log.error('request', { ...fields, error: error.cause });
  else if (isSuspicious || (error !== undefined && forPeople.has(error.code))) log.warn('request', fields);
  else log.info('request', fields);
}

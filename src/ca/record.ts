import type { SchemaObject } from 'ajv';
import type { Revocation } from '../pkix/crl-read.ts';
import type { CertificateStatus } from './ca.ts';

/** Whether the record of a CA holds every certificate that the key of the CA has signed. */
export type RecordOption = 'complete' | 'incomplete';

/** JSON Schema of the option `record`; `incomplete` says when a record is not complete, as a sentence. */
export function recordSchema(incomplete: string): SchemaObject {
  return {
    enum: ['complete', 'incomplete'] satisfies RecordOption[],
    default: 'complete',
    title: 'Record of issued certificates',
    description: `complete: a client certificate of the CA that is not in its record was never issued, and is refused. incomplete: the record says nothing of it, and the other sources of "revocation" decide, then withoutSource. ${incomplete}`,
  };
}

/** What a CA says of a certificate that is, or is not (`unknown`), in its record. */
export function statusByRecord(
  found: Exclude<CertificateStatus, 'uncovered'> | Revocation,
  record: RecordOption,
): CertificateStatus | Revocation {
  return found === 'unknown' && record === 'incomplete' ? 'uncovered' : found;
}

import { EstError } from '../../src/errors.ts';
import { readCertificationRequest, type CertificationRequest } from '../../src/pkix/pkcs10.ts';
import { certificationRequest, type CertificationRequestParts } from './csr.ts';
import { thrownBy } from './thrown.ts';

/** Builds and reads a request. */
export async function accepted(parts: CertificationRequestParts): Promise<CertificationRequest> {
  return readCertificationRequest(await certificationRequest(parts));
}

/** Builds and reads a request; gives the sentence of its refusal. Throws when it is not a 400 in printable ASCII. */
export async function refused(parts: CertificationRequestParts): Promise<string> {
  return sentenceAgainst(await certificationRequest(parts));
}

/** As `refused`, for a request that is there already. */
export function sentenceAgainst(der: Buffer): string {
  const error = thrownBy(() => readCertificationRequest(der));
  const isSane = error instanceof EstError && error.status === 400 && /^[ -~]+$/.test(error.sentence);
  if (!isSane) throw new Error(`Expected a refusal with status 400, not ${String(error)}`);
  return error.sentence;
}

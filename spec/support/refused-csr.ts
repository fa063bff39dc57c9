import { EstError } from '../../src/errors.ts';
import {
  readCertificationRequest,
  verifyProofOfPossession,
  type CertificationRequest,
} from '../../src/pkix/pkcs10.ts';
import { certificationRequest, type CertificationRequestParts } from './csr.ts';

/** Reads a request and verifies its signature, as the gateway does with each that it receives. */
export async function receive(der: Buffer): Promise<CertificationRequest> {
  const csr = readCertificationRequest(der);
  await verifyProofOfPossession(csr);
  return csr;
}

/** Builds and receives a request. */
export async function accepted(parts: CertificationRequestParts): Promise<CertificationRequest> {
  return await receive(await certificationRequest(parts));
}

/** Builds and receives a request; gives the sentence of its refusal. Throws when it is not a 400 in printable ASCII. */
export async function refused(parts: CertificationRequestParts): Promise<string> {
  return await sentenceAgainst(await certificationRequest(parts));
}

/** As `refused`, for a request that is there already. */
export async function sentenceAgainst(der: Buffer): Promise<string> {
  const error: unknown = await receive(der).catch((thrown: unknown) => thrown);
  const isSane = error instanceof EstError && error.status === 400 && /^[ -~]+$/.test(error.sentence);
  if (!isSane) throw new Error(`Expected a refusal with status 400, not ${String(error)}`);
  return error.sentence;
}

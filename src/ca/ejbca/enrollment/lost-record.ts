import type { AttemptRegistry } from '../../../store/store.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { FoundCertificate } from '../calls.ts';
import { isFor } from './issued-search.ts';

/** Milliseconds by which EJBCA lets certificates begin before they are issued, and its clock may be behind. */
const headStart = 900_000;

/**
 * The certificate, DER, that the same request has got before, as far as the journal would answer it with that certificate and does not know
 * it, since it was restored from a backup. `found` are those of the end entity.
 */
export async function issuedForLostRecord(
  { attempts }: { readonly attempts: Pick<AttemptRegistry, 'serialNumbersOf'> },
  { request, withNames }: { readonly request: EnrollmentRequest; readonly withNames: boolean },
  found: readonly FoundCertificate[],
): Promise<Buffer | undefined> {
  const { csr, renewed, repeatsSince } = request;
  const now = new Date();
  const since = Math.max(repeatsSince.getTime() - headStart, renewed?.notBefore.getTime() ?? 0);
  const isRecent = ({ certificate: { notBefore, notAfter } }: FoundCertificate): boolean =>
    notBefore.getTime() > since && notAfter > now;
  const known = new Set(await attempts.serialNumbersOf(csr.publicKey.sha256, now));
  if (renewed !== undefined) known.add(renewed.serialNumber);
  const wanted = { request, known, changes: withNames ? request.allowedChanges : undefined };
  return found.findLast((one) => isRecent(one) && isFor(one, wanted))?.certificate.der;
}

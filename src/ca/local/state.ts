import { identifierOfCa } from '../../pkix/ca-identifier.ts';
import { readCertificate, type Certificate } from '../../pkix/certificate.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import type { CertificationAuthorityServices } from '../ca.ts';
import type { RecordOption } from '../record.ts';

/**
 * Finds the state of a CA by its certificate, whatever its backend is called, and gives the identifier by which the store knows
 * it. What earlier releases wrote under names of backends is told apart by its signatures.
 */
export async function findState(
  issuer: Certificate,
  record: RecordOption,
  { name: backend, certificates }: Pick<CertificationAuthorityServices, 'name' | 'certificates'>,
): Promise<string> {
  const ca = identifierOfCa(issuer);
  const known = await certificates.knownCa(ca);
  if (known === undefined) {
    const isOfCa = async (der: Buffer): Promise<boolean> => {
      const certificate = readCertificate(der);
      return namesEqual(certificate.issuer, issuer.subject) && (await isSignedBy(certificate, issuer));
    };
    await certificates.adopt({ ca, backend, isOfCa });
  }
  if (known?.record !== record) {
    await certificates.know({ ca, subject: nameToString(issuer.subject), record });
  }
  return ca;
}

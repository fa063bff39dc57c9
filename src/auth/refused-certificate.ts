import type { EstErrorOptions } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { nameToString } from '../pkix/names.ts';

/** For the log line of a refusal: whoever looks for the device knows it by its certificate, true or not. */
export function refusedCertificate({
  subject,
  serialNumber,
  issuer,
}: Certificate): Pick<EstErrorOptions, 'refusedCertificate'> {
  const names = `${nameToString(subject)}, serial number ${serialNumber}, issued by ${nameToString(issuer)}`;
  return { refusedCertificate: names };
}

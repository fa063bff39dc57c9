/**
 * Prints, as JSON, what of the contract the EJBCA of the environment cannot do, and why. A program of its own, since jest
 * must know every test and its name before anything can be asked.
 */
import { readCertificate } from '../../../src/pkix/certificate.ts';
import { oids } from '../../../src/pkix/oids.ts';
import type { CertificationAuthority } from '../../../src/ca/ca.ts';
import { EjbcaRefusal } from '../../../src/ca/ejbca/refusal.ts';
import type { Lacks } from '../contract.ts';
import { issue, keyTypes, newRequest, requestWithoutSubject } from '../setup.ts';
import { installationOfEnvironment, nothingToClose, openInstallation } from './installation.ts';

/** What an EJBCA says that is older than ML-DSA: to pkcs10enroll, and to certificaterequest. */
const unknownAlgorithm = /NoSuchAlgorithmException|Certificate could not be generated\./;

async function missingKeyTypes(ca: CertificationAuthority): Promise<Lacks> {
  const reasons: Record<string, string> = {};
  for (const keyType of keyTypes.filter((type) => type.startsWith('ML-DSA'))) {
    const error: unknown = await issue(ca, newRequest({}, keyType)).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    const text = error instanceof EjbcaRefusal ? error.text : '';
    if (unknownAlgorithm.test(text)) reasons[keyType] = `this EJBCA does not know ML-DSA, and says "${text}"`;
  }
  return reasons;
}

async function missingCriticality(ca: CertificationAuthority, certificateProfile: string): Promise<Lacks> {
  const { extensions } = readCertificate(await issue(ca, requestWithoutSubject()));
  const isCritical = extensions.some(({ oid, critical }) => oid === oids.subjectAltName && critical);
  const reason = `the certificate profile ${certificateProfile} has "Subject Alternative Name" without "Critical"`;
  return isCritical ? {} : { 'critical subjectAltName': reason };
}

const installation = installationOfEnvironment();
if (installation === undefined) throw new Error('Set the environment variable EJBCA_BASE_URL.');
const opened = await openInstallation(installation, nothingToClose);
const lacks = {
  ...(await missingKeyTypes(opened.ca)),
  ...(await missingCriticality(opened.ca, installation.certificateProfile)),
};
await opened.ca.close?.();
await opened.close();
process.stdout.write(JSON.stringify(lacks));

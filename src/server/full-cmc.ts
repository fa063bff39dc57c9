import type { OwnCertificateCheck } from '../auth/own-certificate.ts';
import type { RegistrationAuthorities } from '../auth/registration-authority.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { FullCmcConfiguration } from '../config/configuration.ts';
import type { FullCmc } from '../est/alias.ts';
import { readSecret } from '../ops/secret.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import { readPrivateKey } from '../pkix/key-files.ts';
import { oids } from '../pkix/oids.ts';
import { createMessageSigner, type MessageSigner } from '../pkix/signed-data.ts';
import { withContext } from './context.ts';

/** Makes an alias ready for Full PKI Requests. */
export async function openFullCmc(
  { signer, passThrough }: FullCmcConfiguration,
  ca: CertificationAuthority,
  checkSigner: OwnCertificateCheck,
  registrationAuthorityOf: RegistrationAuthorities,
): Promise<FullCmc> {
  if (passThrough && ca.fullCmc === undefined) {
    throw new Error('fullCmc.passThrough: the CA backend does not speak CMC; leave this out.');
  }
  return {
    signer: await withContext('fullCmc.signer', openCmcSigner(signer)),
    passThrough,
    checkSigner,
    registrationAuthorityOf,
  };
}

/** RFC 6402, section 2.10 has the purposes by which clients know who may answer. */
async function openCmcSigner({
  certificate,
  privateKey,
}: FullCmcConfiguration['signer']): Promise<MessageSigner> {
  const certificates = await readCertificates([certificate]);
  const [own] = certificates;
  if (own?.extendedKeyUsage?.some((oid) => oid === oids.cmcRA || oid === oids.cmcCA) !== true) {
    throw new Error('The certificate must have the extended key usage id-kp-cmcRA or id-kp-cmcCA.');
  }
  return await createMessageSigner(certificates, readPrivateKey(await readSecret(privateKey)));
}

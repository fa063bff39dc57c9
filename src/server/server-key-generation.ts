import type { ServerKeyGenerationConfiguration } from '../config/configuration.ts';
import type { KeyEncryption, ServerKeyGeneration } from '../est/alias.ts';
import { readKeyEncryptionKeys } from '../est/key-encryption-keys.ts';
import { readSecret } from '../ops/secret.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { readPrivateKey } from '../pkix/key-files.ts';
import { keyTypeOf } from '../pkix/private-keys.ts';
import { createMessageSigner } from '../pkix/signed-data.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { withContext } from './context.ts';

/** Makes an alias ready to generate keys for its clients. */
export async function openServerKeyGeneration(
  { keys, encryption }: ServerKeyGenerationConfiguration,
  policy: PolicyOptions,
  renewals: boolean,
): Promise<ServerKeyGeneration> {
  const refused = keys.find((kind) => !policy.keys.includes(kind) && !policy.keys.includes(keyTypeOf(kind)));
  if (refused !== undefined) throw new Error(`keys holds ${refused}, which policy.keys does not allow.`);
  return {
    keys,
    renewals,
    encryption: encryption && (await withContext('encryption', openKeyEncryption(encryption))),
  };
}

async function openKeyEncryption({
  required,
  signer,
  keyEncryptionKeys,
  recipients,
}: NonNullable<ServerKeyGenerationConfiguration['encryption']>): Promise<KeyEncryption> {
  const certificates = await readCertificates([signer.certificate]);
  const privateKey = readPrivateKey(await readSecret(signer.privateKey));
  const sharedKeys = keyEncryptionKeys === undefined ? '' : await readSecret(keyEncryptionKeys);
  return {
    required,
    signer: await withContext('signer', createMessageSigner(certificates, privateKey)),
    keyEncryptionKeys: readKeyEncryptionKeys(sharedKeys),
    recipients: await readRecipients(recipients),
  };
}

async function readRecipients(files: readonly string[]): Promise<readonly Certificate[]> {
  const certificates = await readCertificates(files);
  if (certificates.some(({ subjectKeyIdentifier }) => subjectKeyIdentifier === undefined)) {
    throw new Error('recipients holds a certificate without subjectKeyIdentifier, by which it is named.');
  }
  return certificates;
}

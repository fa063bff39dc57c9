import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { readDer } from '../pkix/der.ts';
import type { CertificateWithKeyIdentifier, KeyAgreementHash, Recipient } from '../pkix/enveloped-data.ts';
import type { KeyUsage } from '../pkix/extensions.ts';
import type { KeyGenerationRequest } from '../pkix/key-generation-request.ts';
import { envelopedKeyPackage } from '../pkix/key-package.ts';
import { decodePublicKey } from '../pkix/keys.ts';
import {
  chooseContentEncryption,
  chooseKeyAgreement,
  chooseKeyTransport,
  requireKeyWrap,
  type SmimeCapability,
} from '../pkix/smime-capabilities.ts';
import type { KeyEncryption } from './alias.ts';
import type { Content } from './message.ts';

/** Makes the part of the answer that carries the key, from its PrivateKeyInfo. */
export type KeyProtection = (privateKeyInfo: Buffer) => Promise<Content>;

/**
 * How the CSR wants its key protected (RFC 7030, section 4.4.1). What is unknown, unfit or incomplete is refused: a key
 * that shall be encrypted is never given in clear. Throws `bad_certification_request` or `refused_by_policy`.
 */
export function chooseKeyProtection(
  encryption: KeyEncryption | undefined,
  asked: KeyGenerationRequest,
  identity: ClientIdentity,
  now: Date,
): KeyProtection {
  const { decryptKeyIdentifier, asymmetricDecryptKeyIdentifier } = asked;
  if (decryptKeyIdentifier !== undefined && asymmetricDecryptKeyIdentifier !== undefined) {
    throw refusal(
      'The CSR names both a shared and a public key to encrypt the new key with; name one of them',
    );
  }
  if (decryptKeyIdentifier !== undefined) {
    return encrypted(encryption, asked, ({ keyEncryptionKeys }, capabilities) =>
      sharedKeyRecipient(keyEncryptionKeys, decryptKeyIdentifier, capabilities),
    );
  }
  if (asymmetricDecryptKeyIdentifier !== undefined) {
    return encrypted(encryption, asked, ({ recipients }, capabilities) => {
      const own = identity.certificate?.certificate;
      const candidates = own === undefined ? recipients : [own, ...recipients];
      const certificate = findCertificate(candidates, asymmetricDecryptKeyIdentifier, now);
      return certificateRecipient(certificate, capabilities);
    });
  }
  if (encryption?.required === true) {
    throw new EstError(
      'refused_by_policy',
      'This alias encrypts every key that it makes; add DecryptKeyIdentifier or AsymmetricDecryptKeyIdentifier, ' +
        'and SMIMECapabilities, to the CSR.',
    );
  }
  return inClear;
}

/** By TLS alone, as PKCS#8. */
async function inClear(privateKeyInfo: Buffer): Promise<Content> {
  return await Promise.resolve({ mediaType: 'application/pkcs8', body: privateKeyInfo });
}

function encrypted(
  encryption: KeyEncryption | undefined,
  { smimeCapabilities }: KeyGenerationRequest,
  chooseRecipient: (encryption: KeyEncryption, capabilities: readonly SmimeCapability[]) => Recipient,
): KeyProtection {
  if (encryption === undefined) {
    throw new EstError(
      'refused_by_policy',
      'The CSR asks for an encrypted key, and this alias has no encryption.',
    );
  }
  if (smimeCapabilities === undefined) {
    throw refusal(
      'The CSR asks for an encrypted key; add SMIMECapabilities, the algorithms that you can decrypt',
    );
  }
  const recipient = chooseRecipient(encryption, smimeCapabilities);
  const keyLength = chooseContentEncryption(smimeCapabilities);
  return async (privateKeyInfo) => {
    try {
      return {
        mediaType: 'application/pkcs7-mime; smime-type=server-generated-key',
        body: await envelopedKeyPackage(privateKeyInfo, encryption.signer, recipient, keyLength),
      };
    } finally {
      privateKeyInfo.fill(0);
    }
  };
}

function sharedKeyRecipient(
  keys: KeyEncryption['keyEncryptionKeys'],
  keyIdentifier: Buffer,
  capabilities: readonly SmimeCapability[],
): Recipient {
  const shared = keys.get(keyIdentifier.toString('hex'));
  if (shared === undefined)
    throw refusal('The DecryptKeyIdentifier of the CSR names a key that is not known here');
  requireKeyWrap(capabilities, shared.wrap);
  return { kind: 'kekri', keyIdentifier, ...shared };
}

function findCertificate(
  candidates: readonly Certificate[],
  keyIdentifier: Buffer,
  now: Date,
): CertificateWithKeyIdentifier {
  const found = candidates.find(({ subjectKeyIdentifier }) => subjectKeyIdentifier?.equals(keyIdentifier));
  if (found === undefined) {
    throw refusal(
      'The AsymmetricDecryptKeyIdentifier of the CSR is the subjectKeyIdentifier of no certificate that is known here',
    );
  }
  if (found.notAfter < now) throw refusal('The certificate with the key to encrypt with has expired');
  return { ...found, subjectKeyIdentifier: keyIdentifier };
}

/** The hash that is as strong as the curve. */
const hashByCurve: Readonly<Record<'P-256' | 'P-384' | 'P-521', KeyAgreementHash>> = {
  'P-256': 'SHA-256',
  'P-384': 'SHA-384',
  'P-521': 'SHA-512',
};

function certificateRecipient(
  certificate: CertificateWithKeyIdentifier,
  capabilities: readonly SmimeCapability[],
): Recipient {
  const { type } = decodePublicKey(readDer(certificate.spki));
  switch (type) {
    case 'RSA':
      requireUsage(certificate, 'keyEncipherment');
      return { kind: 'ktri', certificate, hash: chooseKeyTransport(capabilities) };
    case 'P-256':
    case 'P-384':
    case 'P-521':
      requireUsage(certificate, 'keyAgreement');
      return {
        kind: 'kari',
        certificate,
        curve: type,
        ...chooseKeyAgreement(capabilities, hashByCurve[type]),
      };
    case 'Ed25519':
    case 'ML-DSA-44':
    case 'ML-DSA-65':
    case 'ML-DSA-87':
      throw refusal(`The key to encrypt with is of the type ${type}, which only signs`);
  }
}

/** RFC 7030, section 4.4.1.2. */
function requireUsage({ keyUsage }: Certificate, usage: KeyUsage): void {
  if (keyUsage === undefined || keyUsage.includes(usage)) return;
  throw refusal(`The certificate with the key to encrypt with lacks the keyUsage ${usage}`);
}

function refusal(sentence: string): EstError {
  return new EstError('bad_certification_request', `${sentence}.`);
}

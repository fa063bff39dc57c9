import type { KeyObject } from 'node:crypto';
import { certificateToPem, type Certificate } from '../../pkix/certificate.ts';
import { randomSerialNumber, signCertificate } from '../../pkix/certificate-write.ts';
import {
  authorityKeyIdentifier,
  keyIdentifierOf,
  subjectKeyIdentifier,
} from '../../pkix/extensions-write.ts';
import { readPrivateKey } from '../../pkix/key-files.ts';
import { nameToString } from '../../pkix/names.ts';
import { oids } from '../../pkix/oids.ts';
import { createSigner, generateKeyLike, type Signer } from '../../pkix/signer.ts';
import { backdate, encryptPrivateKey, yearsAfter } from './create.ts';
import { x509Of } from '../../pkix/x509.ts';

/** What a new root is made from. */
export interface RootToReplace {
  /** From the issuing certificate to the self-signed root: at least two. */
  readonly chain: readonly Certificate[];
  /** PEM of the root's private key, perhaps encrypted. */
  readonly rootKey: string;
  /** Opens the root's private key; undefined when it is not encrypted. */
  readonly passphrase: string | undefined;
  /** Encrypts the new root's private key. */
  readonly newPassphrase: string;
  readonly now: Date;
}

/** A new root above an existing issuing CA, and what leads from one root to the other; all PEM. */
export interface NewRoot {
  readonly rootCertificate: string;
  /** Encrypted PKCS#8. */
  readonly rootKey: string;
  /** The issuing certificate under the new root. */
  readonly issuingCertificate: string;
  /** What stands above it, the new root at the end. */
  readonly chain: string;
  /** For `cacerts`: the old root, OldWithNew and NewWithOld. */
  readonly additionalCaCertificates: string;
  /** What a TLS server sends behind its certificate, so that clients with either root accept it. */
  readonly tlsChain: string;
}

const day = 86_400_000;

/**
 * Makes a new root with a new key of the same kind and under the same name (root CA key update, RFC 4210, section
 * 4.4), and certifies the CA below it anew. The issuing key stays, so all that it has signed is good under both roots.
 * Throws an Error with a plain sentence.
 */
export async function createNewRoot({ chain, now, ...secrets }: RootToReplace): Promise<NewRoot> {
  const [oldRoot, below] = [...chain].reverse();
  if (oldRoot === undefined || below === undefined) {
    throw new Error(
      'The issuing CA is itself the root; import a new CA with "est-gateway ca import" instead.',
    );
  }
  const oldKey = readRootKey(oldRoot, secrets.rootKey, secrets.passphrase);
  const newKey = await generateKeyLike(oldKey);
  const oldKeyPair = { ...keyOf(oldRoot), signer: createSigner(oldKey) };
  const newKeyPair = { ...identified(newKey.spki), signer: createSigner(newKey.privateKey) };
  const notBefore = new Date(now.getTime() - backdate);
  const newPeriod = { notBefore, notAfter: endOfNewRoot(oldRoot, now) };
  const sharedPeriod = { notBefore, notAfter: oldRoot.notAfter };

  const newWithNew = await certify(oldRoot, newKeyPair, newPeriod, newKeyPair);
  const newWithOld = await certify(oldRoot, newKeyPair, sharedPeriod, oldKeyPair);
  const oldWithNew = await certify(oldRoot, oldKeyPair, oldRoot, newKeyPair);
  const belowWithNew = await certify(below, keyOf(below), asLongAsBefore(below, notBefore), newKeyPair);
  const newChain = [...chain.slice(0, -2).map(({ der }) => der), belowWithNew, newWithNew];
  const [issuing = belowWithNew, ...above] = newChain;
  return {
    rootCertificate: certificateToPem(newWithNew),
    rootKey: encryptPrivateKey(newKey.privateKey, secrets.newPassphrase),
    issuingCertificate: certificateToPem(issuing),
    chain: pemOf(above),
    additionalCaCertificates: pemOf([oldRoot.der, oldWithNew, newWithOld]),
    tlsChain: pemOf([...newChain.slice(0, -1), newWithOld]),
  };
}

function readRootKey(root: Certificate, pem: string, passphrase: string | undefined): KeyObject {
  const key = openRootKey(pem, passphrase);
  if (x509Of(root.der).checkPrivateKey(key)) return key;
  throw new Error(`The key is not the one of the root ${nameToString(root.subject)}; give that one.`);
}

function openRootKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return readPrivateKey(pem, { passphrase });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The key of the root cannot be read: ${reason}`, { cause });
  }
}

interface Period {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Clients take the root that ends last for the current one (RFC 7030, section 4.1.3). */
function endOfNewRoot(oldRoot: Certificate, now: Date): Date {
  return new Date(Math.max(yearsAfter(now, 20).getTime(), oldRoot.notAfter.getTime() + day));
}

function asLongAsBefore(certificate: Certificate, notBefore: Date): Period {
  const length = certificate.notAfter.getTime() - certificate.notBefore.getTime();
  return { notBefore, notAfter: new Date(notBefore.getTime() + length) };
}

interface IdentifiedKey {
  readonly spki: Buffer;
  readonly keyIdentifier: Buffer;
}

function keyOf({
  spki,
  subjectKeyIdentifier: keyIdentifier = keyIdentifierOf(spki),
}: Certificate): IdentifiedKey {
  return { spki, keyIdentifier };
}

function identified(spki: Buffer): IdentifiedKey {
  return { spki, keyIdentifier: keyIdentifierOf(spki) };
}

/** What a certificate says of its issuer's key and of where the issuer publishes, which is another one now. */
const aboutTheIssuer: ReadonlySet<string> = new Set([
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.cRLDistributionPoints,
  oids.authorityInfoAccess,
]);

/** A certificate by either root that says of its subject what `model` says, for the key and the period. */
async function certify(
  model: Certificate,
  { spki, keyIdentifier }: IdentifiedKey,
  { notBefore, notAfter }: Period,
  issuer: IdentifiedKey & { readonly signer: Signer },
): Promise<Buffer> {
  return await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: model.issuer,
      subject: model.subject,
      notBefore,
      notAfter,
      spki,
      extensions: [
        ...model.extensions.filter(({ oid }) => !aboutTheIssuer.has(oid)),
        subjectKeyIdentifier(keyIdentifier),
        authorityKeyIdentifier(issuer.keyIdentifier),
      ],
    },
    issuer.signer,
  );
}

function pemOf(certificates: readonly Buffer[]): string {
  return certificates.map(certificateToPem).join('');
}

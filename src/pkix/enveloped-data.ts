import { createPublicKey } from 'node:crypto';
import type * as pkijsModule from 'pkijs';
import type { Certificate } from './certificate.ts';
import {
  explicit,
  implicit,
  integer,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  toDer,
  type Asn1,
} from './der-write.ts';
import { oids } from './oids.ts';

type Pkijs = typeof pkijsModule;

/** The length of an AES key in bits. */
export type AesKeyLength = 128 | 192 | 256;

/** Who can open an enveloped message, and by which algorithms. */
export type Recipient = KekRecipient | KeyTransRecipient | KeyAgreeRecipient;

/** Shares a key encryption key with us (RFC 5652, section 6.2.3; RFC 3565). */
interface KekRecipient {
  readonly kind: 'kekri';
  readonly keyIdentifier: Buffer;
  readonly key: Buffer;
  /** The length of the key. */
  readonly wrap: AesKeyLength;
}

/** Has an RSA key (RFC 5652, section 6.2.1; RFC 3560). */
interface KeyTransRecipient {
  readonly kind: 'ktri';
  readonly certificate: CertificateWithKeyIdentifier;
  /** Of RSAES-OAEP. */
  readonly hash: OaepHash;
}
export type OaepHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Has a key on P-256, P-384 or P-521 (RFC 5652, section 6.2.2; RFC 5753, section 3.1). */
interface KeyAgreeRecipient {
  readonly kind: 'kari';
  readonly certificate: CertificateWithKeyIdentifier;
  readonly curve: 'P-256' | 'P-384' | 'P-521';
  /** Of dhSinglePass-stdDH. */
  readonly hash: KeyAgreementHash;
  readonly wrap: AesKeyLength;
}
export type KeyAgreementHash = 'SHA-256' | 'SHA-384' | 'SHA-512';

/** By its key identifier the recipient finds its key. */
export type CertificateWithKeyIdentifier = Certificate & { readonly subjectKeyIdentifier: Buffer };

/**
 * The ContentInfo, DER, of an EnvelopedData (RFC 5652, section 6): the content encrypted by AES in CBC mode with a new
 * key of the given length. `content` is the DER of the content type. Copies of it stay in memory until the garbage
 * collector frees them.
 */
export async function envelop(
  contentType: string,
  content: Buffer,
  recipient: Recipient,
  keyLength: AesKeyLength,
): Promise<Buffer> {
  const pkijs = await import('pkijs');
  const envelopedData = new pkijs.EnvelopedData({ disableSplit: true });
  addRecipient(pkijs, envelopedData, recipient);
  await envelopedData.encrypt({ name: 'AES-CBC', length: keyLength }, arrayBuffer(content));
  // pkijs says id-data whatever is inside.
  envelopedData.encryptedContentInfo.contentType = contentType;
  const contentInfo = new pkijs.ContentInfo({
    contentType: oids.envelopedData,
    content: envelopedData.toSchema(),
  });
  return Buffer.from(contentInfo.toSchema().toBER());
}

/** Templates are read from DER: pkijs itself offers neither key identifiers for RSA nor key wrapping without parameters. */
function addRecipient(pkijs: Pkijs, envelopedData: pkijsModule.EnvelopedData, recipient: Recipient): void {
  switch (recipient.kind) {
    case 'kekri': {
      const value = pkijs.KEKRecipientInfo.fromBER(kekRecipientInfo(recipient));
      value.preDefinedKEK = arrayBuffer(recipient.key);
      envelopedData.recipientInfos.push(new pkijs.RecipientInfo({ variant: 3, value }));
      return;
    }
    case 'ktri': {
      const value = pkijs.KeyTransRecipientInfo.fromBER(keyTransRecipientInfo(recipient));
      value.recipientCertificate = pkijs.Certificate.fromBER(recipient.certificate.der);
      envelopedData.recipientInfos.push(new pkijs.RecipientInfo({ variant: 1, value }));
      return;
    }
    case 'kari': {
      const { certificate, curve, hash: kdfAlgorithm, wrap: kekEncryptionLength } = recipient;
      const publicKey = createPublicKey({ key: certificate.spki, format: 'der', type: 'spki' });
      envelopedData.addRecipientByKeyIdentifier(
        publicKey.toCryptoKey({ name: 'ECDH', namedCurve: curve }, true, []),
        arrayBuffer(certificate.subjectKeyIdentifier),
        { kdfAlgorithm, kekEncryptionLength },
      );
      return;
    }
  }
}

const noKeyYet = octetString(Buffer.alloc(0));

function kekRecipientInfo({ keyIdentifier, wrap }: KekRecipient): Buffer {
  const kekid = sequence(octetString(keyIdentifier));
  return toDer(sequence(integer(4), kekid, sequence(objectIdentifier(oids[`aes${wrap}-wrap`])), noKeyYet));
}

function keyTransRecipientInfo({ certificate, hash }: KeyTransRecipient): Buffer {
  const rid = implicit(0, octetString(certificate.subjectKeyIdentifier));
  const keyEncryptionAlgorithm = sequence(objectIdentifier(oids.rsaesOaep), oaepParameters(hash));
  return toDer(sequence(integer(2), rid, keyEncryptionAlgorithm, noKeyYet));
}

const hashOids = { 'SHA-256': oids.sha256, 'SHA-384': oids.sha384, 'SHA-512': oids.sha512 } as const;

/** RSAES-OAEP-params (RFC 4055, section 4.1); SHA-1 is its default, which DER leaves out. */
function oaepParameters(hash: OaepHash): Asn1 {
  if (hash === 'SHA-1') return sequence();
  const hashAlgorithm = sequence(objectIdentifier(hashOids[hash]), null_());
  return sequence(
    explicit(0, hashAlgorithm),
    explicit(1, sequence(objectIdentifier(oids.mgf1), hashAlgorithm)),
  );
}

function arrayBuffer(bytes: Buffer): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

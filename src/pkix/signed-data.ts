import { hash, type KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import {
  embed,
  explicit,
  objectIdentifier,
  octetString,
  sequence,
  serialInteger,
  set,
  time,
  toDer,
  type Asn1,
} from './der-write.ts';
import { oids } from './oids.ts';
import { x509Of } from './x509.ts';

/** Signs CMS messages with one key. */
export interface MessageSigner {
  /**
   * The ContentInfo, DER, of a SignedData (RFC 5652, section 5) with the content inside. The signer's certificates go
   * along, and the given ones (DER), each once.
   */
  sign(contentType: string, content: Buffer, certificates?: readonly Buffer[]): Promise<Buffer>;
}

/** How a key signs (RFC 5754), in the words of WebCrypto and of node:crypto. */
interface SigningAlgorithm {
  readonly key: { readonly name: string; readonly hash?: string; readonly namedCurve?: string };
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512';
  readonly digest: 'sha256' | 'sha384' | 'sha512';
}

/**
 * A signer by its certificate, with intermediates after it, and its private key: RSA of 2048 to 8192 bits, P-256, P-384
 * or P-521. Throws an Error with a plain sentence when they are not fit or do not belong together. Only this loads
 * pkijs, which costs time and memory.
 */
export async function createMessageSigner(
  certificates: readonly Certificate[],
  privateKey: KeyObject,
): Promise<MessageSigner> {
  const [own] = certificates;
  if (own !== undefined && own.notAfter <= new Date()) throw new Error('The certificate has expired.');
  if (own === undefined || !x509Of(own.der).checkPrivateKey(privateKey)) {
    throw new Error('The private key does not belong to the first certificate of the file.');
  }
  const algorithm = algorithmOf(privateKey);
  const key = privateKey.toCryptoKey(algorithm.key, false, ['sign']);
  const pkijs = await import('pkijs');
  return {
    async sign(contentType, content, others = []) {
      const digest = hash(algorithm.digest, content, 'buffer');
      const signedData = new pkijs.SignedData({
        version: 3,
        encapContentInfo: pkijs.EncapsulatedContentInfo.fromBER(encapsulated(contentType, content)),
        certificates: sorted([...certificates.map(({ der }) => der), ...others]).map((der) =>
          pkijs.Certificate.fromBER(der),
        ),
        signerInfos: [
          new pkijs.SignerInfo({
            version: 1,
            sid: pkijs.IssuerAndSerialNumber.fromBER(issuerAndSerialNumber(own)),
            signedAttrs: new pkijs.SignedAndUnsignedAttributes({
              type: 0,
              attributes: signedAttributes(contentType, digest).map((der) => pkijs.Attribute.fromBER(der)),
            }),
          }),
        ],
      });
      await signedData.sign(key, 0, algorithm.hash);
      const contentInfo = new pkijs.ContentInfo({
        contentType: oids.signedData,
        content: signedData.toSchema(true),
      });
      return Buffer.from(contentInfo.toSchema().toBER());
    },
  };
}

/** IssuerAndSerialNumber (RFC 5652, section 10.2.4), DER. */
function issuerAndSerialNumber({ issuer, serialNumber }: Certificate): Buffer {
  return toDer(sequence(embed(issuer.der), serialInteger(serialNumber)));
}

function encapsulated(contentType: string, content: Buffer): Buffer {
  return toDer(sequence(objectIdentifier(contentType), explicit(0, octetString(content))));
}

/** RFC 5652, section 11. */
function signedAttributes(contentType: string, digest: Buffer): readonly Buffer[] {
  const attribute = (oid: string, value: Asn1): Buffer => toDer(sequence(objectIdentifier(oid), set(value)));
  return sorted([
    attribute(oids.contentType, objectIdentifier(contentType)),
    attribute(oids.signingTime, time(new Date())),
    attribute(oids.messageDigest, octetString(digest)),
  ]);
}

/** The members of a SET OF in the order of DER, each once; pkijs writes them as they come. */
function sorted(members: readonly Buffer[]): readonly Buffer[] {
  const distinct = new Map(members.map((der) => [der.toString('latin1'), der]));
  return [...distinct.values()].sort((left, right) => Buffer.compare(left, right));
}

/** By the names of OpenSSL, which node:crypto uses. */
const ecAlgorithms: Readonly<Record<string, SigningAlgorithm | undefined>> = {
  prime256v1: { key: { name: 'ECDSA', namedCurve: 'P-256' }, hash: 'SHA-256', digest: 'sha256' },
  secp384r1: { key: { name: 'ECDSA', namedCurve: 'P-384' }, hash: 'SHA-384', digest: 'sha384' },
  secp521r1: { key: { name: 'ECDSA', namedCurve: 'P-521' }, hash: 'SHA-512', digest: 'sha512' },
};

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): SigningAlgorithm {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails;
  if (asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192) {
    return { key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, hash: 'SHA-256', digest: 'sha256' };
  }
  const algorithm = namedCurve === undefined ? undefined : ecAlgorithms[namedCurve];
  if (algorithm === undefined) {
    throw new Error('The key of the signer must be RSA of 2048 to 8192 bits, P-256, P-384 or P-521.');
  }
  return algorithm;
}

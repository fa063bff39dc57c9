import { primitive, toDer } from './der-write.ts';
import { readDer, tags } from './der.ts';
import { envelop, type AesKeyLength, type Recipient } from './enveloped-data.ts';
import { oids } from './oids.ts';
import type { MessageSigner } from './signed-data.ts';

/**
 * A private key for one recipient: an AsymmetricKeyPackage (RFC 5958, section 2) in a SignedData by the key's maker, in
 * an EnvelopedData (RFC 7030, section 4.4.2). Takes a PrivateKeyInfo, and gives the DER of a ContentInfo.
 */
export async function envelopedKeyPackage(
  privateKeyInfo: Buffer,
  signer: MessageSigner,
  recipient: Recipient,
  keyLength: AesKeyLength,
): Promise<Buffer> {
  const keyPackage = toDer(primitive(tags.sequence, privateKeyInfo));
  const signed = await signer.sign(oids.asymmetricKeyPackage, keyPackage);
  try {
    return await envelop(oids.signedData, contentOf(signed), recipient, keyLength);
  } finally {
    keyPackage.fill(0);
    signed.fill(0);
  }
}

/** What is inside a ContentInfo: the content type stands in the envelope already (RFC 5652, section 6.1). */
function contentOf(contentInfo: Buffer): Buffer {
  const content = readDer(contentInfo).children[1]?.children[0];
  if (content === undefined) throw new Error('A ContentInfo has no content.');
  return content.bytes;
}

import { randomBytes } from 'node:crypto';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { caConstraints, named } from './certificate.ts';
import {
  bitString,
  generateKeyPair,
  integer,
  null_,
  objectIdentifier,
  sequence,
  spkiOf,
  tlv,
} from './csr.ts';

/** A client certificate with many CAs above it that are dear to verify; PEM, as TLS clients take them. */
export interface DearChain {
  readonly key: string;
  readonly cert: string;
}

/** Bits of the largest RSA keys that OpenSSL verifies with. */
const bits = 16_384;

const sha256WithRsa = sequence(objectIdentifier('1.2.840.113549.1.1.11'), null_);

/** No signature is right, which OpenSSL finds out one after another. */
export async function dearChain(length: number): Promise<DearChain> {
  const modulus = randomBytes(bits / 8);
  modulus.writeUInt8(modulus.readUInt8(0) | 0x80, 0);
  modulus.writeUInt8(modulus.readUInt8(modulus.length - 1) | 1, modulus.length - 1);
  const n = BigInt(`0x${modulus.toString('hex')}`);
  const largestExponent = 2n ** 64n - 1n;
  const rsaKey = sequence(
    sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_),
    bitString(sequence(integer(n), integer(largestExponent))),
  );
  const { publicKey, privateKey } = await generateKeyPair('P-256');
  const certificates = Array.from({ length: length + 1 }, (_, height) =>
    certificate(height, height === 0 ? spkiOf(publicKey) : rsaKey),
  );
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificates.map(certificateToPem).join(''),
  };
}

function certificate(height: number, spki: Buffer): Buffer {
  const time = (text: string): Buffer => tlv(0x18, Buffer.from(text));
  const tbs = sequence(
    tlv(0xa0, integer(2n)),
    integer(BigInt(height + 1)),
    sha256WithRsa,
    named(`dear ${height + 1}`),
    sequence(time('20200101000000Z'), time('20991231235959Z')),
    named(`dear ${height}`),
    spki,
    ...(height === 0 ? [] : [tlv(0xa3, sequence(caConstraints()))]),
  );
  const signature = randomBytes(bits / 8);
  signature.writeUInt8(0, 0);
  return sequence(tbs, sha256WithRsa, bitString(signature));
}

/** CSRs that are refused for their key or their signature, beyond what the vectors say. */
import { ECDH, generateKeyPairSync } from 'node:crypto';
import {
  certificationRequest,
  integer,
  keyPair,
  null_,
  objectIdentifier,
  opensslCsr,
  rsaSpki,
  sequence,
  spki,
  spkiOf,
  tlv,
} from '../support/csr.ts';
import type { Vector } from './refused-requests.ts';

const withSpki = async (octets: Buffer): Promise<Buffer> => await certificationRequest({ spki: octets });
const withEd25519Key = async (hex: string): Promise<Buffer> =>
  await withSpki(spki(sequence(objectIdentifier('1.3.101.112')), Buffer.from(hex, 'hex')));

async function withCompressedPoint(): Promise<Buffer> {
  const uncompressed = spkiOf((await keyPair('P-256')).publicKey).subarray(-65);
  const point = ECDH.convertKey(uncompressed, 'prime256v1', undefined, undefined, 'compressed');
  const algorithm = sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.840.10045.3.1.7'));
  return await withSpki(spki(algorithm, Buffer.from(point)));
}

async function withModulusTimes(factor: bigint): Promise<Buffer> {
  const { n = '' } = (await keyPair('RSA-2048')).publicKey.export({ format: 'jwk' });
  return await withSpki(rsaSpki(BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`) * factor, 65537n));
}

/** The order of P-256. */
const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const withSignature = async (r: bigint, s: bigint): Promise<Buffer> =>
  await certificationRequest({ mutateSignature: () => sequence(integer(r), integer(s)) });

/** The encodings of the eight points whose order divides 8. */
const lowOrderPoints = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];

const ecdsa = objectIdentifier('1.2.840.10045.4.3.2');
const pss = objectIdentifier('1.2.840.113549.1.1.10');
const sha1 = sequence(objectIdentifier('1.3.14.3.2.26'), null_);
const pssWithSha1 = sequence(
  pss,
  sequence(tlv(0xa0, sha1), tlv(0xa1, sequence(objectIdentifier('1.2.840.113549.1.1.8'), sha1))),
);

/** As `refusedRequests`. */
export const refusedKeys: readonly Vector[] = [
  ['S-12', 'e of 257 bits', 400, async () => await withSpki(rsaSpki((1n << 2047n) + 1n, (1n << 256n) + 1n))],
  ['S-13', 'a modulus with the factor 65521', 400, async () => await withModulusTimes(65_521n)],
  [
    'S-14',
    'the parameters of P-256 spelled out',
    400,
    async () =>
      await opensslCsr(
        ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'],
      ),
  ],
  ['S-14', 'a compressed point', 400, withCompressedPoint],
  ...lowOrderPoints.map((hex): Vector => [
    'S-15',
    `the point of low order ${hex}`,
    400,
    async () => await withEd25519Key(hex),
  ]),
  ['S-15', 'an Ed25519 key of 31 octets', 400, async () => await withEd25519Key('07'.repeat(31))],
  ...(['ed448', 'x25519', 'x448'] as const).map((kind): Vector => [
    'S-15',
    `a key of ${kind}`,
    400,
    async () => await withSpki(spkiOf(generateKeyPairSync(kind as 'ed448').publicKey)),
  ]),
  [
    'S-16',
    'an RSA key with an ECDSA signature',
    400,
    async () =>
      await certificationRequest({ key: await keyPair('RSA-2048'), signatureAlgorithm: sequence(ecdsa) }),
  ],
  [
    'S-16',
    'ECDSA with NULL parameters',
    400,
    async () => await certificationRequest({ signatureAlgorithm: sequence(ecdsa, null_) }),
  ],
  ...[sequence(pss), pssWithSha1].map((signatureAlgorithm, at): Vector => [
    'S-16',
    `RSASSA-PSS with SHA-1, ${at === 0 ? 'by default' : 'spelled out'}`,
    400,
    async () => await certificationRequest({ key: await keyPair('RSA-2048'), signatureAlgorithm }),
  ]),
  ['S-16', 'r = 0', 400, async () => await withSignature(0n, 1n)],
  ['S-16', 's = 0', 400, async () => await withSignature(1n, 0n)],
  ['S-16', 'r = n', 400, async () => await withSignature(order, 1n)],
  ['S-16', 's = n', 400, async () => await withSignature(1n, order)],
];

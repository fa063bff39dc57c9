import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { EstError } from '../errors.ts';
import {
  DerError,
  expectTag,
  isNull,
  readBitString,
  readDer,
  readInteger,
  readObjectIdentifier,
  tags,
  type DerNode,
} from './der.ts';
import { oids } from './oids.ts';
import { hasClosePrimes, hasRocaFingerprint, hasSmallFactor } from './weak-keys.ts';

/** The kinds of keys that the gateway accepts. */
export type KeyType =
  'RSA' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87';

/** Kinds of keys as a policy names them: RSA alone means any length that is accepted. */
export const keyKinds = [
  'RSA',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'RSA-6144',
  'RSA-8192',
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
export type KeyKind = (typeof keyKinds)[number];

/** Whether a key is of the kind. */
export function isOfKind({ type, bits }: Pick<PublicKey, 'type' | 'bits'>, kind: KeyKind): boolean {
  return kind === type || kind === `${type}-${bits}`;
}

/** A public key that passed every check. */
export interface PublicKey {
  readonly type: KeyType;
  /** The length of an RSA modulus or the size of the curve; 0 for ML-DSA. */
  readonly bits: number;
  /** Of an RSA key, big-endian without leading zeros; undefined for other types. */
  readonly modulus: Buffer | undefined;
  /** The SubjectPublicKeyInfo as received, DER. */
  readonly spki: Buffer;
  /** SHA-256 of `spki`, hex. */
  readonly sha256: string;
  readonly key: KeyObject;
}

/** For messages: which keys are accepted. */
export const acceptedKeys =
  'RSA of 2048 to 8192 bits, P-256, P-384, P-521, Ed25519, ML-DSA-44, ML-DSA-65 or ML-DSA-87';

/** What a SubjectPublicKeyInfo says: algorithm, its parameters, the key's octets. */
interface KeyInfo {
  readonly algorithm: string;
  readonly parameters: DerNode | undefined;
  readonly octets: Buffer;
}

type KeyStrength = Pick<PublicKey, 'type' | 'bits'> & Partial<Pick<PublicKey, 'modulus'>>;

/**
 * A public key of a requester from its SubjectPublicKeyInfo. Throws `bad_certification_request` for a key of a
 * kind or size that is not accepted, `refused_by_policy` for one whose private key anybody can compute, DerError when it
 * is malformed.
 */
export function readPublicKey(spki: DerNode): PublicKey {
  const info = readKeyInfo(spki);
  const publicKey = toPublicKey(spki, info);
  refuseOtherForm(publicKey, info);
  if (publicKey.modulus !== undefined) refuseWeakModulus(toInteger(publicKey.modulus));
  return publicKey;
}

/** As `readPublicKey`, in every form and without the search for weaknesses of RSA keys: for the certificates of CAs. */
export function decodePublicKey(spki: DerNode): PublicKey {
  return toPublicKey(spki, readKeyInfo(spki));
}

function toPublicKey(spki: DerNode, info: KeyInfo): PublicKey {
  const { type, bits, modulus } = checkKey(info);
  return {
    type,
    bits,
    modulus,
    spki: spki.bytes,
    sha256: hash('sha256', spki.bytes, 'hex'),
    key: importKey(spki.bytes),
  };
}

/** Sizes and encodings first: node:crypto lets some bad keys pass and takes long for some big ones. */
function checkKey(info: KeyInfo): KeyStrength {
  switch (info.algorithm) {
    case oids.rsaEncryption:
      return checkRsaKey(info);
    case oids.ecPublicKey:
      return checkEcKey(info);
    case oids.Ed25519:
      return checkEd25519Key(info);
    default:
      return checkMlDsaKey(info);
  }
}

function readKeyInfo(spki: DerNode): KeyInfo {
  const [algorithm, key, ...rest] = expectTag(spki, tags.sequence, 'The public key').children;
  if (algorithm?.tag !== tags.sequence || key === undefined || rest.length > 0) {
    throw new DerError('The SubjectPublicKeyInfo does not consist of an algorithm and a key.');
  }
  const [oid, parameters, ...more] = algorithm.children;
  const { unusedBits, octets } = readBitString(key);
  if (oid === undefined || more.length > 0 || unusedBits > 0) {
    throw new DerError('The SubjectPublicKeyInfo is malformed.');
  }
  return { algorithm: readObjectIdentifier(oid), parameters, octets };
}

/** RFC 3279, section 2.3.1. Absent parameters change nothing. */
function checkRsaKey({ parameters, octets }: KeyInfo): KeyStrength {
  if (parameters !== undefined && !isNull(parameters))
    throw refusal('The parameters of an RSA key must be NULL.');
  const [modulusNode, exponentNode, ...rest] = expectTag(
    readDer(octets),
    tags.sequence,
    'The RSA key',
  ).children;
  if (modulusNode === undefined || exponentNode === undefined || rest.length > 0) {
    throw new DerError('The RSA key does not consist of a modulus and an exponent.');
  }
  const bits = bitLength(readInteger(modulusNode));
  if (bits < 2048 || bits > 8192) {
    throw refusal(`An RSA key must have 2048 to 8192 bits; this one has ${bits}.`);
  }
  const exponent = readInteger(exponentNode);
  if (exponent < 65537n || exponent % 2n === 0n || bitLength(exponent) > 256) {
    throw refusal('The exponent of an RSA key must be odd, at least 65537 and below 2^256.');
  }
  return { type: 'RSA', bits, modulus: modulusNode.content.subarray(-Math.ceil(bits / 8)) };
}

/** Keys are compared by their octets: who could write a key in two ways would have two. */
function refuseOtherForm({ type }: KeyStrength, { parameters, octets }: KeyInfo): void {
  if (type === 'RSA' && parameters === undefined) throw refusal('The parameters of an RSA key must be NULL.');
  if (type.startsWith('P-') && octets[0] !== 4) throw refusal('The point of an EC key must be uncompressed.');
}

function toInteger(octets: Buffer): bigint {
  return BigInt(`0x${octets.toString('hex')}`);
}

function refuseWeakModulus(modulus: bigint): void {
  if (hasSmallFactor(modulus)) throw refusal('The RSA modulus has a small factor, so it is no key.');
  if (hasRocaFingerprint(modulus)) {
    throw weak('it has the ROCA weakness (CVE-2017-15361); generate one outside of that chip');
  }
  if (hasClosePrimes(modulus)) throw weak('its two primes are too close to each other; generate another one');
}

const curves: Readonly<Record<string, { readonly type: KeyType; readonly bits: number } | undefined>> = {
  [oids.secp256r1]: { type: 'P-256', bits: 256 },
  [oids.secp384r1]: { type: 'P-384', bits: 384 },
  [oids.secp521r1]: { type: 'P-521', bits: 521 },
};

/** RFC 5480. That the point is on the curve is checked by node:crypto on import. */
function checkEcKey({ parameters, octets }: KeyInfo): KeyStrength {
  if (parameters?.tag !== tags.objectIdentifier) throw refusal('An EC key must name its curve.');
  const curve = curves[readObjectIdentifier(parameters)];
  if (curve === undefined) throw refusal('The curve of the EC key is not accepted.');
  const coordinate = Math.ceil(curve.bits / 8);
  const isUncompressed = octets[0] === 4 && octets.length === 1 + 2 * coordinate;
  const isCompressed = (octets[0] === 2 || octets[0] === 3) && octets.length === 1 + coordinate;
  if (!isUncompressed && !isCompressed) throw refusal('The point of the EC key is malformed or at infinity.');
  return curve;
}

/** The y coordinates, sign bit cleared, of the eight points of low order and of their non-canonical encodings. */
const lowOrderPoints: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** RFC 8410. */
function checkEd25519Key({ parameters, octets }: KeyInfo): KeyStrength {
  if (parameters !== undefined) throw refusal('An Ed25519 key has no parameters.');
  if (octets.length !== 32) throw refusal('An Ed25519 key has 32 octets.');
  const y = Buffer.from(octets);
  y.writeUInt8(y.readUInt8(31) & 0x7f, 31);
  if (lowOrderPoints.has(y.toString('hex'))) throw refusal('The Ed25519 key is a point of low order.');
  return { type: 'Ed25519', bits: 256 };
}

const mlDsaKeys: Readonly<Record<string, { readonly type: KeyType; readonly octets: number } | undefined>> = {
  [oids.mlDsa44]: { type: 'ML-DSA-44', octets: 1312 },
  [oids.mlDsa65]: { type: 'ML-DSA-65', octets: 1952 },
  [oids.mlDsa87]: { type: 'ML-DSA-87', octets: 2592 },
};

/** RFC 9881. */
function checkMlDsaKey({ algorithm, parameters, octets }: KeyInfo): KeyStrength {
  const expected = mlDsaKeys[algorithm];
  if (expected === undefined) throw refusal('The algorithm of the public key is not accepted.');
  if (parameters !== undefined) throw refusal('An ML-DSA key has no parameters.');
  if (octets.length !== expected.octets) {
    throw refusal(`An ${expected.type} key has ${expected.octets} octets; this one has ${octets.length}.`);
  }
  return { type: expected.type, bits: 0 };
}

/** As PEM, since node:crypto takes a string at once: for an object it first makes an error and catches it, which costs more than the key. */
function importKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey(
      `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----`,
    );
  } catch (error) {
    throw refusal('The public key is malformed.', error);
  }
}

/** Of a positive number; 0 for others. */
function bitLength(value: bigint): number {
  return value > 0n ? value.toString(2).length : 0;
}

function refusal(found: string, cause?: unknown): EstError {
  return new EstError('bad_certification_request', `${found} Accepted keys: ${acceptedKeys}.`, {
    cause,
    cmcFailure: 'badAlg',
  });
}

function weak(reason: string): EstError {
  return new EstError('refused_by_policy', `The RSA key is refused: ${reason}.`);
}

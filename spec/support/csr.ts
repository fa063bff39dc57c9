/**
 * Certification requests for specs: real ones by the openssl program, and ones of any shape, malformed too and
 * still signed, from a few encoders that share nothing with src/pkix.
 */
import { execFile } from 'node:child_process';
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generateKeyPairWithCallback,
  generatePrimeSync,
  publicDecrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const generate = promisify(generateKeyPairWithCallback) as (
  type: string,
  options: object,
) => Promise<{ privateKey: KeyObject; publicKey: KeyObject }>;

/** A value from its identifier octet and contents, with a length as DER has it. */
export function tlv(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const octets = Buffer.from(evenHex(BigInt(content.length)), 'hex');
  const length = content.length < 0x80 ? octets : Buffer.concat([Buffer.of(0x80 | octets.length), octets]);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

export function sequence(...children: readonly Buffer[]): Buffer {
  return tlv(0x30, ...children);
}

/** In the order given, sorted or not. */
export function set(...children: readonly Buffer[]): Buffer {
  return tlv(0x31, ...children);
}

export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  const octets = [first * 40 + second, ...others].flatMap((arc) => {
    const sevens = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      sevens.unshift(0x80 | (rest % 128));
    return sevens;
  });
  return tlv(0x06, Buffer.from(octets));
}

/** A non-negative INTEGER. */
export function integer(value: bigint): Buffer {
  const octets = Buffer.from(evenHex(value), 'hex');
  return tlv(0x02, octets.readUInt8(0) < 0x80 ? octets : Buffer.concat([Buffer.of(0), octets]));
}

export function bitString(octets: Buffer, unusedBits = 0): Buffer {
  return tlv(0x03, Buffer.of(unusedBits), octets);
}

export function octetString(octets: Buffer): Buffer {
  return tlv(0x04, octets);
}

export function utf8String(text: string): Buffer {
  return tlv(0x0c, Buffer.from(text));
}

export function printableString(text: string): Buffer {
  return tlv(0x13, Buffer.from(text));
}

export const null_ = tlv(0x05);
export const true_ = tlv(0x01, Buffer.of(0xff));

/** Object identifiers by which specs speak. */
export const id = {
  commonName: '2.5.4.3',
  organizationName: '2.5.4.10',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  microsoftExtensionRequest: '1.3.6.1.4.1.311.2.1.14',
  changeSubjectName: '1.3.6.1.5.5.7.7.36',
  estIdentityLinking: '1.2.840.113549.1.9.16.2.58',
} as const;

/** A Name with one attribute per level, each `[type, encoded value]`. */
export function name(...attributes: readonly (readonly [type: string, value: Buffer])[]): Buffer {
  return sequence(...attributes.map(([type, value]) => set(sequence(objectIdentifier(type), value))));
}

/** An Extension around the DER of its value. */
export function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(objectIdentifier(oid), ...(critical ? [true_] : []), octetString(value));
}

/** The subjectAltName extension with the given names, each a `generalName`. */
export function subjectAltName(...names: readonly Buffer[]): Buffer {
  return extension(id.subjectAltName, sequence(...names));
}

/** A GeneralName of a primitive kind by its number: 1 rfc822Name, 2 dNSName, 6 URI, 7 iPAddress. */
export function generalName(number: 1 | 2 | 6 | 7 | 8, content: Buffer | string): Buffer {
  return tlv(0x80 | number, typeof content === 'string' ? Buffer.from(content) : content);
}

export function attribute(oid: string, ...values: readonly Buffer[]): Buffer {
  return sequence(objectIdentifier(oid), set(...values));
}

/** The extensionRequest attribute. */
export function extensionRequest(...extensions: readonly Buffer[]): Buffer {
  return attribute(id.extensionRequest, sequence(...extensions));
}

/** What `generateKeyPair` can make. */
export type KeyKind =
  | `RSA-${number}`
  | 'P-192'
  | 'P-256'
  | 'P-384'
  | 'P-521'
  | 'secp256k1'
  | 'Ed25519'
  | 'Ed448'
  | `ML-DSA-${44 | 65 | 87}`;

const pairs = new Map<KeyKind, Promise<KeyPair>>();

/** A private and a public key. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The key pair of a kind, the same one within a spec file. */
export function keyPair(kind: KeyKind): Promise<KeyPair> {
  const pair = pairs.get(kind) ?? generateKeyPair(kind);
  pairs.set(kind, pair);
  return pair;
}

/** A new key pair. */
export function generateKeyPair(kind: KeyKind): Promise<KeyPair> {
  if (kind.startsWith('RSA-')) return generate('rsa', { modulusLength: Number(kind.slice(4)) });
  if (kind.startsWith('ML-DSA') || kind.startsWith('Ed')) return generate(kind.toLowerCase(), {});
  return generate('ec', { namedCurve: kind === 'P-192' ? 'prime192v1' : kind });
}

/** The SubjectPublicKeyInfo of a key, DER. */
export function spkiOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' });
}

/** An RSA key pair from two primes. */
export function rsaKeyPair(p: bigint, q: bigint, e = 65537n): KeyPair {
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const entries = Object.entries(numbers).map(([key, value]) => [key, base64url(value)]);
  const privateKey = createPrivateKey({
    format: 'jwk',
    key: { kty: 'RSA', ...(Object.fromEntries(entries) as Record<string, string>) },
  });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/**
 * What a CSR is made of whose modulus is a prime of 2048 bits, properly signed: node:crypto has no such private key, so
 * that the padded hash is taken out of another key's signature.
 */
export async function primeModulus(): Promise<Pick<CertificationRequestParts, 'key' | 'mutateSignature'>> {
  const [modulus, e] = [generatePrimeSync(2048, { bigint: true }), 65537n];
  const spkiOctets = rsaSpki(modulus, e);
  const publicKey = createPublicKey({ key: spkiOctets, format: 'der', type: 'spki' });
  const other = await keyPair('RSA-2048');
  return {
    key: { publicKey, privateKey: other.privateKey },
    mutateSignature(signature) {
      const padded = publicDecrypt({ key: other.publicKey, padding: constants.RSA_NO_PADDING }, signature);
      const signed = modularPower(BigInt(`0x${padded.toString('hex')}`), inverse(e, modulus - 1n), modulus);
      return Buffer.from(signed.toString(16).padStart(512, '0'), 'hex');
    },
  };
}

/** The SubjectPublicKeyInfo of an RSA key, sane or not. */
export function rsaSpki(modulus: bigint, exponent: bigint): Buffer {
  return spki(
    sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_),
    sequence(integer(modulus), integer(exponent)),
  );
}

/** A SubjectPublicKeyInfo from an AlgorithmIdentifier and the octets of the key. */
export function spki(algorithm: Buffer, key: Buffer): Buffer {
  return sequence(algorithm, bitString(key));
}

function base64url(value: bigint): string {
  return Buffer.from(evenHex(value), 'hex').toString('base64url');
}

function evenHex(value: bigint): string {
  const hex = value.toString(16);
  return hex.padStart(hex.length + (hex.length % 2), '0');
}

/** base^exponent mod modulus. */
export function modularPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square] = [1n, base % modulus];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r, next, x, nextX] = [modulus, value % modulus, 0n, 1n];
  while (next > 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [x, nextX] = [nextX, x - quotient * nextX];
  }
  return ((x % modulus) + modulus) % modulus;
}

const algorithms: Readonly<Record<string, Buffer | undefined>> = {
  rsa: sequence(objectIdentifier('1.2.840.113549.1.1.11'), null_),
  ec: sequence(objectIdentifier('1.2.840.10045.4.3.2')),
  ed25519: sequence(objectIdentifier('1.3.101.112')),
  ed448: sequence(objectIdentifier('1.3.101.113')),
  'ml-dsa-44': sequence(objectIdentifier('2.16.840.1.101.3.4.3.17')),
  'ml-dsa-65': sequence(objectIdentifier('2.16.840.1.101.3.4.3.18')),
  'ml-dsa-87': sequence(objectIdentifier('2.16.840.1.101.3.4.3.19')),
};

/** What to write into a request, and what to spoil. Everything that is left out is sane. */
export interface CertificationRequestParts {
  /** Default: one P-256 key pair. */
  readonly key?: KeyPair;
  /** Instead of the key's own SubjectPublicKeyInfo. */
  readonly spki?: Buffer;
  /** Default: commonName `device`. */
  readonly subject?: Buffer;
  /** The INTEGER; default 0. */
  readonly version?: Buffer;
  /** For an extensionRequest attribute. */
  readonly extensions?: readonly Buffer[];
  /** Further attributes, in this order before the extensionRequest; `missing` leaves out the whole field. */
  readonly attributes?: readonly Buffer[] | 'missing';
  /** Changes the certificationRequestInfo before it is signed. */
  readonly mutateInfo?: (info: Buffer) => Buffer;
  /** Signs with another key than the one inside. */
  readonly signWith?: KeyObject;
  readonly hash?: string;
  readonly padding?: { readonly padding: number; readonly saltLength: number };
  /** The AlgorithmIdentifier of the signature; default as the signing key wants it, with SHA-256. */
  readonly signatureAlgorithm?: Buffer;
  /** Changes the signature's octets. */
  readonly mutateSignature?: (signature: Buffer) => Buffer;
}

/** A PKCS#10 certification request, DER, of any shape and properly signed unless told otherwise. */
export async function certificationRequest(parts: CertificationRequestParts = {}): Promise<Buffer> {
  return signedRequest(parts.key ?? (await keyPair('P-256')), parts);
}

/** As `certificationRequest`, for a key that is there. */
export function signedRequest(key: KeyPair, parts: Omit<CertificationRequestParts, 'key'> = {}): Buffer {
  const signer = parts.signWith ?? key.privateKey;
  const plainInfo = sequence(
    parts.version ?? integer(0n),
    parts.subject ?? name([id.commonName, utf8String('device')]),
    parts.spki ?? spkiOf(key.publicKey),
    ...attributesField(parts),
  );
  const info = parts.mutateInfo?.(plainInfo) ?? plainInfo;
  const type = signer.asymmetricKeyType ?? '';
  const hash = type === 'rsa' || type === 'ec' ? (parts.hash ?? 'sha256') : null;
  const signature = sign(hash, info, { key: signer, ...parts.padding });
  return sequence(
    info,
    parts.signatureAlgorithm ?? algorithms[type] ?? sequence(),
    bitString(parts.mutateSignature?.(signature) ?? signature),
  );
}

function attributesField({ attributes = [], extensions = [] }: CertificationRequestParts): readonly Buffer[] {
  if (attributes === 'missing') return [];
  const requested = extensions.length > 0 ? [extensionRequest(...extensions)] : [];
  return [tlv(0xa0, ...attributes, ...requested)];
}

/** A real PKCS#10, DER, by `openssl req -new` with these arguments, such as `-newkey`, `rsa:2048`. */
export async function opensslCsr(...args: readonly string[]): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'csr-'));
  try {
    const [out, keyOut] = [join(folder, 'csr.der'), join(folder, 'key.pem')];
    const keyArguments = args.includes('-newkey') ? ['-nodes', '-keyout', keyOut] : [];
    const subject = args.includes('-subj') ? [] : ['-subj', '/CN=device'];
    await run('openssl', [
      'req',
      '-new',
      '-outform',
      'DER',
      '-out',
      out,
      ...subject,
      ...keyArguments,
      ...args,
    ]);
    return await readFile(out);
  } finally {
    await rm(folder, { recursive: true });
  }
}

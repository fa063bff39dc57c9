import { EstError } from '../errors.ts';
import { DerError, expectTag, readObjectIdentifier, tags, type DerNode } from './der.ts';
import type { AesKeyLength, KeyAgreementHash, OaepHash } from './enveloped-data.ts';
import { oids } from './oids.ts';

/** An algorithm that a recipient can use (RFC 8551, section 2.5.2). */
export interface SmimeCapability {
  readonly algorithm: string;
  readonly parameters: DerNode | undefined;
}

/** Reads the value of the attribute SMIMECapabilities. Throws DerError. */
export function readSmimeCapabilities(node: DerNode): readonly SmimeCapability[] {
  return expectTag(node, tags.sequence, 'SMIMECapabilities').children.map((capability) => {
    const [algorithm, parameters, ...rest] = expectTag(
      capability,
      tags.sequence,
      'An SMIMECapability',
    ).children;
    if (rest.length > 0) throw new DerError('An SMIMECapability has more than two parts.');
    const oid = expectTag(algorithm, tags.objectIdentifier, 'The algorithm of an SMIMECapability');
    return { algorithm: readObjectIdentifier(oid), parameters };
  });
}

const keyLengths: readonly AesKeyLength[] = [256, 192, 128];

/** The longest key for the content that the recipient can use. Throws `bad_certification_request`. */
export function chooseContentEncryption(capabilities: readonly SmimeCapability[]): AesKeyLength {
  const keyLength = keyLengths.find((length) => has(capabilities, oids[`aes${length}-CBC`]));
  if (keyLength === undefined) {
    throw nothingSupported('content encryption', 'aes256-CBC, aes192-CBC or aes128-CBC');
  }
  return keyLength;
}

/** Refuses a recipient who cannot unwrap with a key of this length. Throws `bad_certification_request`. */
export function requireKeyWrap(capabilities: readonly SmimeCapability[], keyLength: AesKeyLength): void {
  if (!has(capabilities, oids[`aes${keyLength}-wrap`])) {
    throw nothingSupported('key wrapping that fits the shared key', `id-aes${keyLength}-wrap`);
  }
}

/** The hash of RSAES-OAEP: that of the capability, or SHA-256 when no key transport is named at all. */
export function chooseKeyTransport(capabilities: readonly SmimeCapability[]): OaepHash {
  const hashes = capabilities
    .filter(({ algorithm }) => algorithm === oids.rsaesOaep)
    .map(({ parameters }) => oaepHashOf(parameters));
  const hash = oaepHashes.find((known) => hashes.includes(known));
  if (hash !== undefined) return hash;
  if (hashes.length > 0 || has(capabilities, oids.rsaEncryption)) {
    throw nothingSupported('key transport', 'id-RSAES-OAEP with SHA-1 or SHA-2');
  }
  return 'SHA-256';
}

const oaepHashes: readonly OaepHash[] = ['SHA-512', 'SHA-384', 'SHA-256', 'SHA-1'];

const hashByOid: ReadonlyMap<string, OaepHash> = new Map([
  [oids.sha256, 'SHA-256'],
  [oids.sha384, 'SHA-384'],
  [oids.sha512, 'SHA-512'],
]);

/** RSAES-OAEP-params (RFC 4055, section 4.1), in which SHA-1 is what is left out. */
function oaepHashOf(parameters: DerNode | undefined): OaepHash | undefined {
  const algorithm = parameters?.children.find(({ tag }) => tag === 0xa0)?.children[0]?.children[0];
  return algorithm === undefined ? 'SHA-1' : hashByOid.get(readObjectIdentifier(algorithm));
}

/** How a key is agreed on, and the length of the key that wraps. */
export interface KeyAgreement {
  readonly hash: KeyAgreementHash;
  readonly wrap: AesKeyLength;
}

/**
 * The key agreement with the longest wrapping key that the recipient can use: named as RFC 5753, section 7 does, or
 * left open by naming a key wrapping alone, which is then used with `preferred`. Throws `bad_certification_request`.
 */
export function chooseKeyAgreement(
  capabilities: readonly SmimeCapability[],
  preferred: KeyAgreementHash,
): KeyAgreement {
  const named = capabilities.flatMap(keyAgreementOf);
  const isOpen = !capabilities.some(({ algorithm }) => isKeyAgreement(algorithm));
  const left = isOpen ? capabilities.flatMap((wrap) => wrapLengthsOf(wrap.algorithm)) : [];
  const choices = [...named, ...left.map((wrap) => ({ hash: preferred, wrap }))];
  const [best] = choices.sort((one, other) => other.wrap - one.wrap);
  if (best === undefined) {
    throw nothingSupported(
      'key agreement',
      'dhSinglePass-stdDH-sha256kdf-scheme (or sha384kdf, sha512kdf) with id-aes256-wrap (or aes192, aes128)',
    );
  }
  return best;
}

const agreementHashByOid: ReadonlyMap<string, KeyAgreementHash> = new Map([
  [oids.stdDhSha256Kdf, 'SHA-256'],
  [oids.stdDhSha384Kdf, 'SHA-384'],
  [oids.stdDhSha512Kdf, 'SHA-512'],
]);

function keyAgreementOf({ algorithm, parameters }: SmimeCapability): readonly KeyAgreement[] {
  const hash = agreementHashByOid.get(algorithm);
  const wrap = parameters?.children[0];
  if (hash === undefined || wrap === undefined) return [];
  return wrapLengthsOf(readObjectIdentifier(wrap)).map((length) => ({ hash, wrap: length }));
}

function wrapLengthsOf(oid: string): readonly AesKeyLength[] {
  return keyLengths.filter((length) => oids[`aes${length}-wrap`] === oid);
}

/** The schemes of RFC 5753, section 7.1.4, supported here or not. */
function isKeyAgreement(oid: string): boolean {
  return oid.startsWith('1.3.132.1.') || oid.startsWith('1.3.133.16.840.63.0.');
}

function has(capabilities: readonly SmimeCapability[], oid: string): boolean {
  return capabilities.some(({ algorithm }) => algorithm === oid);
}

function nothingSupported(what: string, supported: string): EstError {
  return new EstError(
    'bad_certification_request',
    `The SMIMECapabilities of the CSR name no ${what} that is supported here: ${supported}.`,
  );
}

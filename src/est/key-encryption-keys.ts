import type { AesKeyLength } from '../pkix/enveloped-data.ts';

/** An AES key that the gateway shares with clients. */
export interface KeyEncryptionKey {
  readonly key: Buffer;
  /** Its length. */
  readonly wrap: AesKeyLength;
}

const lengths: readonly AesKeyLength[] = [128, 192, 256];

/**
 * Reads keys by their identifiers in hex: a line each of `identifier:key`, both in hex; empty lines and those that begin
 * with # are skipped. Throws an Error that names the line, and no key.
 */
export function readKeyEncryptionKeys(text: string): ReadonlyMap<string, KeyEncryptionKey> {
  const keys = new Map<string, KeyEncryptionKey>();
  text.split(/\r?\n/).forEach((line, index) => {
    if (/^\s*(#|$)/.test(line)) return;
    const [, identifier = '', key = ''] = /^\s*((?:[0-9a-f]{2})+):((?:[0-9a-f]{2})+)\s*$/i.exec(line) ?? [];
    const wrap = lengths.find((length) => length === key.length * 4);
    if (wrap === undefined) {
      throw new Error(
        `keyEncryptionKeys: line ${index + 1} is not an identifier and an AES key of 16, 24 or 32 octets, in hex, as ID:KEY.`,
      );
    }
    const name = identifier.toLowerCase();
    if (keys.has(name))
      throw new Error(`keyEncryptionKeys: line ${index + 1} has an identifier that is there already.`);
    keys.set(name, { key: Buffer.from(key, 'hex'), wrap });
  });
  return keys;
}

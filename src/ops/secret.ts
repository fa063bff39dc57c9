import { readFile } from 'node:fs/promises';

/**
 * Reads what a secret reference of the configuration points to: `file:PATH` (one trailing line break is cut
 * off) or `env:NAME`. Throws an Error with a plain sentence, never with the secret.
 */
export async function readSecret(reference: string): Promise<string> {
  const [, kind, place] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  if (kind === 'file' && place !== undefined) {
    return (await readFile(place, 'utf8')).replace(/\r?\n$/, '');
  }
  const value = kind === 'env' && place !== undefined ? process.env[place] : undefined;
  if (value === undefined) {
    throw new Error(`The secret reference ${reference} points to nothing: expected file:PATH or env:NAME of a set variable.`);
  }
  return value;
}

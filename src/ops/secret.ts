import { readFile } from 'node:fs/promises';

/**
 * Reads what a secret reference of the configuration points to: `file:PATH` (one trailing line break is cut
 * off) or `env:NAME`. Throws an Error with a plain sentence, never with the secret nor with a value that is no
 * reference, since that may be the secret itself.
 */
export async function readSecret(reference: string): Promise<string> {
  const [, kind, place] = /^(file|env):(.+)$/s.exec(reference) ?? [];
  if (place === undefined)
    throw new Error('A secret is given as file:PATH or env:NAME, and this is neither.');
  return kind === 'file' ? await readSecretFile(place) : readSecretVariable(place);
}

async function readSecretFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    throw new Error(`The secret file ${path} cannot be read (${code}).`, { cause });
  }
}

function readSecretVariable(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`The environment variable ${name} of a secret reference is not set.`);
  return value;
}

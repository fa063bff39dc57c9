import { readFile } from 'node:fs/promises';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';
import { textOf } from './context.ts';

/** The certificates of PEM files, in their order. */
export async function readCertificates(files: readonly string[]): Promise<readonly Certificate[]> {
  return (
    await Promise.all(files.map(async (file) => certificatesIn(file, await readFile(file, 'utf8'))))
  ).flat();
}

/** The certificates in what a file holds. Throws an Error that names the file. */
export function certificatesIn(file: string, pem: string): readonly Certificate[] {
  try {
    return certificatesFromPem(pem);
  } catch (cause) {
    throw new Error(`${file}: ${textOf(cause)} Expected PEM of certificates.`, { cause });
  }
}

/** The texts of files, joined by line feeds. */
export async function readTexts(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(async (file) => await readFile(file, 'utf8')))).join('\n');
}

import { readFile } from 'node:fs/promises';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';

/** The certificates of PEM files, in their order. */
export async function readCertificates(files: readonly string[]): Promise<readonly Certificate[]> {
  return files.length === 0 ? [] : certificatesFromPem(await readTexts(files));
}

/** The texts of files, joined by line feeds. */
export async function readTexts(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(async (file) => await readFile(file, 'utf8')))).join('\n');
}

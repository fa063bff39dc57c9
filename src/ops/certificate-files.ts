import { readFile } from 'node:fs/promises';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';

/** The certificates of PEM files, in their order. Throws an Error that names the file in which there is none. */
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
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * PEM of the CAs that the TLS certificate of a server may come from. Throws an Error that names the file when it holds none:
 * TLS by itself would take it, and accept no server.
 */
export async function readTrustAnchor(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8');
  certificatesIn(file, pem);
  return pem;
}

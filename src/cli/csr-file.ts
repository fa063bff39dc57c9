import { readFile } from 'node:fs/promises';
import { EstError } from '../errors.ts';
import { decodeBody } from '../est/body.ts';

/**
 * The CSR of a file as the gateway would read it from a device: PEM, base64 or DER; base64 alone where `strict` says so.
 * `read` gets it as DER. Throws an Error with a sentence that names the file, and why and with which status the gateway
 * would refuse the CSR.
 */
export async function readCsrFile<Csr>(
  file: string,
  strict: boolean,
  read: (der: Buffer) => Csr | Promise<Csr>,
): Promise<Csr> {
  const octets = await readFile(file);
  try {
    return await read(decodeBody(octets, strict));
  } catch (error) {
    if (!(error instanceof EstError)) throw error;
    throw new Error(`${file} is no CSR that can be accepted (${error.status}): ${error.message}`, {
      cause: error,
    });
  }
}

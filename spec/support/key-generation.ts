/** What specs of serverkeygen send, and how they read the answers: with openssl and nothing of src. */
import { jest } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import crypto, { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { certificateDer, keyUsage, named } from './certificate.ts';
import { send, type Answer } from './client.ts';
import {
  attribute,
  extension,
  keyPair,
  objectIdentifier,
  octetString,
  sequence,
  tlv,
  type KeyKind,
} from './csr.ts';
import { basic, certificateOf, enrolment, privatePem } from './device.ts';
import type { TestGateway } from './gateway.ts';
import { openssl, opensslOctets, type Files } from './openssl.ts';

/** Algorithms by which clients say what they can decrypt. */
export const algorithms = {
  'aes128-CBC': '2.16.840.1.101.3.4.1.2',
  'aes256-CBC': '2.16.840.1.101.3.4.1.42',
  'aes128-wrap': '2.16.840.1.101.3.4.1.5',
  'aes192-wrap': '2.16.840.1.101.3.4.1.25',
  'aes256-wrap': '2.16.840.1.101.3.4.1.45',
  '3des': '1.2.840.113549.3.7',
  rsaEncryption: '1.2.840.113549.1.1.1',
  oaep: '1.2.840.113549.1.1.7',
  'stdDH-sha1kdf': '1.3.133.16.840.63.0.2',
  'stdDH-sha256kdf': '1.3.132.1.11.1',
} as const;

/** The attribute SMIMECapabilities, of algorithms without parameters or of whole capabilities. */
export function smimeCapabilities(...capabilities: readonly (keyof typeof algorithms | Buffer)[]): Buffer {
  const each = capabilities.map((one) =>
    typeof one === 'string' ? sequence(objectIdentifier(algorithms[one])) : one,
  );
  return attribute('1.2.840.113549.1.9.15', sequence(...each));
}

export function decryptKeyIdentifier(identifier: string | Buffer): Buffer {
  return attribute('1.2.840.113549.1.9.16.2.37', octetString(Buffer.from(identifier)));
}

export function asymmetricDecryptKeyIdentifier(identifier: string | Buffer): Buffer {
  return attribute('1.2.840.113549.1.9.16.2.54', octetString(Buffer.from(identifier)));
}

/** A certificate that an answer can be encrypted for, and its key, PEM. */
export interface RecipientFiles {
  readonly certificate: string;
  readonly key: string;
}

type Usage = 'digitalSignature' | 'keyEncipherment' | 'keyAgreement';

/** As `keyUsage` takes them. */
const usages: Readonly<Record<Usage, readonly [unusedBits: number, octet: number]>> = {
  digitalSignature: [7, 0x80],
  keyEncipherment: [5, 0x20],
  keyAgreement: [3, 0x08],
};

/** A certificate with the given subjectKeyIdentifier (text), or with none. */
export async function recipient(
  kind: KeyKind,
  keyIdentifier: string | undefined,
  usage?: Usage,
  notAfter?: string,
): Promise<RecipientFiles> {
  const issuerKey = await keyPair('P-256');
  const key = await keyPair(kind);
  const der = await certificateDer({
    ...{ subject: named(`recipient ${kind}`), issuer: named('issuer'), key, issuerKey },
    ...(notAfter === undefined ? {} : { notAfter }),
    extensions: [
      ...(keyIdentifier === undefined
        ? []
        : [extension('2.5.29.14', octetString(Buffer.from(keyIdentifier)))]),
      ...(usage === undefined ? [] : [keyUsage(...usages[usage])]),
    ],
  });
  return { certificate: new X509Certificate(der).toString(), key: privatePem(key.privateKey) };
}

/** A part of a multipart message. */
export interface Part {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Takes a multipart/mixed answer apart as strictly as RFC 2046, section 5.1.1 is written: every line ends with CRLF, the
 * delimiter is the boundary of the Content-Type between hyphens, and nothing but that ends a part.
 */
export function partsOf({ headers, body }: Answer): readonly Part[] {
  const [, boundary = ''] =
    /^multipart\/mixed; boundary=([0-9A-Za-z'+_,./:=?-]{1,70})$/.exec(headers['content-type'] ?? '') ?? [];
  if (boundary === '') throw new Error('The answer is no multipart/mixed with a boundary.');
  if (/[^\r]\n|\r[^\n]/.test(body)) throw new Error('A line does not end with CRLF.');
  const [preamble, ...rest] = `\r\n${body}`.split(`\r\n--${boundary}`);
  const epilogue = rest.pop();
  if (preamble !== '' || epilogue !== '--\r\n') throw new Error('There is something around the parts.');
  return rest.map((part) => {
    const end = part.indexOf('\r\n\r\n');
    if (!part.startsWith('\r\n') || end < 0) throw new Error('A part has no header.');
    const fields = part
      .slice(2, end)
      .split('\r\n')
      .map((line) => line.split(/: (.*)/s));
    return { headers: Object.fromEntries(fields) as Record<string, string>, body: part.slice(end + 4) };
  });
}

/** The octets of a part in base64, of which every line has at most 76 characters (RFC 2045, section 6.8). */
export function octetsOf({ headers, body }: Part): Buffer {
  if (headers['Content-Transfer-Encoding'] !== 'base64') throw new Error('The part is not in base64.');
  if (!/^([A-Za-z0-9+/=]{1,76}(\r\n|$))+$/.test(body)) throw new Error('The part is not in lines of base64.');
  const octets = Buffer.from(body, 'base64');
  if (octets.toString('base64') !== body.replaceAll('\r\n', ''))
    throw new Error('The base64 is not canonical.');
  return octets;
}

/** Posts a CSR to serverkeygen of an alias. */
export async function askForKey(
  gateway: TestGateway,
  alias: string,
  csr: Buffer,
  tls: ConnectionOptions = {},
): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/serverkeygen`, {
    ...{ ca: gateway.trustAnchor, ...tls },
    ...enrolment(csr, { Authorization: basic }),
  });
}

/** What a client gets that asked for no encryption. */
export interface KeyAndCertificate {
  /** PrivateKeyInfo, DER. */
  readonly key: Buffer;
  readonly certificate: X509Certificate;
}

/** The key in clear and the only certificate of an answer, which has no other parts. */
export async function grantedBy(answer: Answer): Promise<KeyAndCertificate> {
  const [key, certificate, ...more] = answer.status === 200 ? partsOf(answer) : [];
  const types = [key, certificate, ...more].map((part) => part?.headers['Content-Type']).join();
  if (key === undefined || types !== 'application/pkcs8,application/pkcs7-mime; smime-type=certs-only') {
    throw new Error(`Not a key and a certificate: ${answer.status} ${answer.body}`);
  }
  const pem = await certificateOf({ ...answer, body: certificate?.body ?? '' });
  return { key: octetsOf(key), certificate: new X509Certificate(pem) };
}

export function privateKeyOf({ key }: Pick<KeyAndCertificate, 'key'>): crypto.KeyObject {
  return crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

/** Counts the keys that are made in this process; with a failure, none can be made. */
export function watchKeyMaker(failure?: Error): jest.SpiedFunction<typeof crypto.generateKeyPair> {
  const original = crypto.generateKeyPair as unknown as Readonly<Record<symbol, unknown>>;
  const spy = jest.spyOn(crypto, 'generateKeyPair');
  // By these, promisify knows what the function gives.
  for (const symbol of Object.getOwnPropertySymbols(original)) {
    Object.defineProperty(crypto.generateKeyPair, symbol, { value: original[symbol] });
  }
  if (failure !== undefined) {
    spy.mockImplementation((...words: readonly unknown[]) => {
      (words.at(-1) as (error: Error) => void)(failure);
    });
  }
  return spy;
}

/** Counts the threads that begin while the work is done. */
export async function countThreads(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'WORKER') count += 1;
    },
  });
  hook.enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return count;
}

/** Gives the octets of every private key that was exported since, as they are when it is called. */
export async function watchExportedKeys(): Promise<() => readonly Buffer[]> {
  const { privateKey } = await keyPair('P-256');
  const kind = Object.getPrototypeOf(privateKey) as crypto.KeyObject;
  const spy = jest.spyOn(kind, 'export');
  return () => spy.mock.results.map(({ value }) => value as Buffer);
}

/** What openssl finds in an encrypted key. */
export interface OpenedKey {
  /** PrivateKeyInfo, DER. */
  readonly privateKeyInfo: Buffer;
  /** The type of what was signed. */
  readonly contentType: string;
}

/**
 * Decrypts with `openssl cms -decrypt` and these words, verifies that the signer (PEM) signed what is inside, and takes the
 * only key out of it.
 */
export async function openKey(
  message: Buffer,
  words: string,
  files: Files,
  signer: string,
): Promise<OpenedKey> {
  const signedData = await opensslOctets(`cms -decrypt -inform DER -in key.p7 ${words}`, {
    'key.p7': message,
    ...files,
  });
  // Within the envelope there is a SignedData without the ContentInfo around it.
  const contentInfo = sequence(objectIdentifier('1.2.840.113549.1.7.2'), tlv(0xa0, signedData));
  const signed = { 'signed.p7': contentInfo, 'signer.pem': signer };
  const verify = 'cms -verify -inform DER -in signed.p7 -CAfile signer.pem -partial_chain -purpose any';
  const keyPackage = await opensslOctets(verify, signed);
  const printed = await openssl('cms -cmsout -print -inform DER -in signed.p7', signed);
  return {
    privateKeyInfo: onlyElement(keyPackage),
    contentType: /eContentType: .*\(([\d.]+)\)/.exec(printed)?.[1] ?? '',
  };
}

/** The value of a SEQUENCE that has one element. */
function onlyElement(der: Buffer): Buffer {
  const first = der.readUInt8(1);
  return der.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}

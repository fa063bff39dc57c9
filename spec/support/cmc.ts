/** Full PKI Requests by the openssl program around content from encoders that share nothing with src/pkix. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send, type Answer } from './client.ts';
import {
  certificationRequest,
  keyPair,
  type CertificationRequestParts,
  generateKeyPair,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tlv,
  type KeyPair,
} from './csr.ts';
import { basic, plainCsr, privatePem, recordCertificate } from './device.ts';
import type { TestGateway } from './gateway.ts';
import { openssl, type Files } from './openssl.ts';
import { openWorkplace } from './programs.ts';

const idCmc = '1.3.6.1.5.5.7.7';
const idPkiData = '1.3.6.1.5.5.7.12.2';

/** A TaggedAttribute; the number is the last arc of an id-cmc identifier. */
export function control(bodyPartId: bigint, number: number, ...values: readonly Buffer[]): Buffer {
  return sequence(integer(bodyPartId), objectIdentifier(`${idCmc}.${number}`), set(...values));
}

export const transactionId = (value: bigint): Buffer => control(101n, 5, integer(value));
export const senderNonce = (nonce: Buffer): Buffer => control(102n, 6, octetString(nonce));

/** The body part id of the first certification request. */
export const requestId = 7n;

/** A TaggedRequest with a PKCS#10. */
export function tcr(csr: Buffer, bodyPartId = requestId): Buffer {
  return tlv(0xa0, integer(bodyPartId), csr);
}

/** A TaggedContentInfo. */
export function tci(contentInfo: Buffer, bodyPartId = 9n): Buffer {
  return sequence(integer(bodyPartId), contentInfo);
}

/** What to write into a PKIData; everything that is left out is empty. */
export interface PkiDataParts {
  readonly controls?: readonly Buffer[];
  readonly requests?: readonly Buffer[];
  readonly messages?: readonly Buffer[];
  readonly others?: readonly Buffer[];
}

export function pkiData({ controls = [], requests = [], messages = [], others = [] }: PkiDataParts): Buffer {
  return sequence(sequence(...controls), sequence(...requests), sequence(...messages), sequence(...others));
}

/** Who signs: PEM. */
export interface Signatory {
  readonly cert: string;
  readonly key: string;
}

/** The DER of a CMS SignedData by `openssl cms -sign`; `words` are further options. */
export async function signMessage(
  content: Buffer,
  { cert, key }: Signatory,
  words = '',
  files: Files = {},
): Promise<Buffer> {
  const options = words === '' ? '' : ` ${words}`;
  const type = words.includes('-econtent_type') ? '' : ` -econtent_type ${idPkiData}`;
  const pem = await openssl(
    `cms -sign -binary -nodetach -nosmimecap -in content -signer cert.pem -inkey key.pem -outform PEM${type}${options}`,
    { content, 'cert.pem': cert, 'key.pem': key, ...files },
  );
  return Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64');
}

/** A certificate that the key signs for itself, as clients make it to sign with a key that has none. */
export async function selfSigned(keyPair: KeyPair, words = '-subj /CN=nobody'): Promise<Signatory> {
  const key = privatePem(keyPair.privateKey);
  return { cert: await openssl(`req -x509 -key key.pem -days 2 ${words}`, { 'key.pem': key }), key };
}

/** A Full PKI Request for one PKCS#10 that the requested key signs, named by its key identifier. */
export async function signedByRequestedKey(
  csr: Buffer,
  key: KeyPair,
  controls: readonly Buffer[] = [],
): Promise<Buffer> {
  const content = pkiData({ controls, requests: [tcr(csr)] });
  return await signMessage(content, await selfSigned(key), '-keyid -nocerts');
}

/** A Full PKI Request whose PKCS#10 is of any shape, signed by its key. */
export async function requestFor(parts: CertificationRequestParts = {}): Promise<Buffer> {
  const key = await keyPair('P-256');
  return await signedByRequestedKey(await certificationRequest({ key, ...parts }), key);
}

/** A Full PKI Request whose PKIData is of any shape, signed by the usual key. */
export async function requestOf(content: Buffer, words = ''): Promise<Buffer> {
  return await signMessage(
    content,
    await selfSigned(await keyPair('P-256')),
    `-keyid -nocerts ${words}`.trim(),
  );
}

/** A TaggedRequest of that key. */
export async function usualTcr(): Promise<Buffer> {
  return tcr(await plainCsr('device', await keyPair('P-256')));
}

/** A certificate for a new key, by the CA of the gateway itself, past its policy; `extensions` as `x509 -extfile` reads them. */
export async function issueByCa(
  ...parts: Parameters<typeof signByCa>
): Promise<Signatory & { readonly keyPair: KeyPair }> {
  const signatory = await signByCa(...parts);
  const [gateway] = parts;
  await recordCertificate(gateway, signatory.cert);
  return signatory;
}

/** The same behind the back of the gateway, which has no record of it. */
export async function signByCa(
  gateway: TestGateway,
  commonName: string,
  extensions: string,
  keyPair?: KeyPair,
): Promise<Signatory & { readonly keyPair: KeyPair }> {
  const key = keyPair ?? (await generateKeyPair('P-256'));
  const cert = await openssl(
    `x509 -req -in csr.der -inform DER -CA issuing.pem -CAkey issuing.key -passin pass:${gateway.passphrase} -days 2 -extfile extensions`,
    {
      'csr.der': await plainCsr(commonName, key),
      'issuing.pem': gateway.issuingCertificate,
      'issuing.key': gateway.issuingKey,
      extensions,
    },
  );
  return { cert: pemCertificate.exec(cert)?.[0] ?? '', key: privatePem(key.privateKey), keyPair: key };
}

/** How a request is posted: a TLS client certificate, or Basic when there is none. */
export interface PostOptions {
  readonly alias?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly cert?: string;
}

/** Posts a Full PKI Request: DER, or a body as it is. */
export async function postFullCmc(
  gateway: TestGateway,
  body: Buffer | string,
  { alias = 'cmc', headers = {}, ...tls }: PostOptions = {},
): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/fullcmc`, {
    ca: gateway.trustAnchor,
    method: 'POST',
    headers: {
      'Content-Type': 'application/pkcs7-mime; smime-type=CMC-request',
      ...(tls.cert === undefined ? { Authorization: basic } : {}),
      ...headers,
    },
    body: typeof body === 'string' ? body : body.toString('base64'),
    ...tls,
  });
}

/** The key and the certificate with which a gateway signs its answers. */
export interface TestSigner {
  readonly directory: string;
  /** As the configuration has them. */
  readonly files: { readonly certificate: string; readonly privateKey: string };
  /** PEM. */
  readonly cert: string;
  remove(): Promise<void>;
}

/** Writes such a pair into a folder of its own; the default purpose is id-kp-cmcRA. */
export async function openSigner(purpose = '1.3.6.1.5.5.7.3.28'): Promise<TestSigner> {
  const directory = await mkdtemp(join(tmpdir(), 'signer-'));
  const [certificate, key] = [join(directory, 'signer.pem'), join(directory, 'signer.key')];
  const own = await selfSigned(
    await generateKeyPair('P-256'),
    `-subj /CN=gateway -addext extendedKeyUsage=${purpose}`,
  );
  await writeFile(certificate, own.cert);
  await writeFile(key, own.key);
  return {
    directory,
    files: { certificate, privateKey: `file:${key}` },
    cert: own.cert,
    remove: async () => {
      await rm(directory, { recursive: true });
    },
  };
}

/** CMCFailInfo (RFC 5272, section 6.1.4). */
export const failInfo = {
  badAlg: 0n,
  badMessageCheck: 1n,
  badRequest: 2n,
  unsupportedExt: 5n,
  badIdentity: 7n,
  popFailed: 9n,
  internalCAError: 11n,
  tryLater: 12n,
} as const;

export const responseType = 'application/pkcs7-mime; smime-type=CMC-response';

/** A Full PKI Response whose signature the openssl program verified. */
export interface FullPkiResponse {
  readonly status: bigint;
  readonly bodyPartId: bigint;
  readonly statusString: string | undefined;
  readonly failInfo: bigint | undefined;
  /** The GeneralizedTime of pendInfo. */
  readonly pendTime: string | undefined;
  /** Contents of the values of controls by the last arc of their type. */
  readonly controls: ReadonlyMap<number, Buffer>;
  /** PEM of all certificates that came along. */
  readonly certificates: readonly string[];
}

/** Reads a CMC body; rejects when openssl does not verify it against the signer. */
export async function readFullPkiResponse(answer: Answer, signer: string): Promise<FullPkiResponse> {
  const workplace = await openWorkplace();
  const inPlace = (name: string): string => join(workplace.directory, name);
  try {
    await writeFile(inPlace('answer.der'), Buffer.from(answer.body, 'base64'));
    await writeFile(inPlace('signer.pem'), signer);
    const message = await workplace.bash(`
      openssl cms -verify -inform DER -in answer.der -CAfile signer.pem -purpose any -certsout certs.pem \
        -out content.der
      openssl asn1parse -inform DER -in content.der > /dev/null
      openssl cms -cmsout -print -inform DER -in answer.der`);
    if (!message.includes('eContentType: id-cct-PKIResponse')) throw new Error('not a PKIResponse');
    const certificates =
      (await readFile(inPlace('certs.pem'), 'utf8')).match(new RegExp(pemCertificate, 'g')) ?? [];
    return { ...readPkiResponse(await readFile(inPlace('content.der'))), certificates };
  } finally {
    await workplace.remove();
  }
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/;

function readPkiResponse(der: Buffer): Omit<FullPkiResponse, 'certificates'> {
  const [controls] = valuesIn(contentOf(der));
  const byType = new Map(
    valuesIn(controls ?? Buffer.alloc(0)).map((tagged) => {
      const [, type, values] = valuesIn(tagged);
      return [type?.at(-1) ?? NaN, valuesIn(values ?? Buffer.alloc(0))[0] ?? Buffer.alloc(0)];
    }),
  );
  const [status, bodyList, ...optional] = taggedValuesIn(byType.get(25) ?? Buffer.alloc(0));
  const find = (tag: number): Buffer | undefined => optional.find((value) => value.tag === tag)?.content;
  return {
    status: numberIn(status?.content),
    bodyPartId: numberIn(valuesIn(bodyList?.content ?? Buffer.alloc(0))[0]),
    statusString: find(0x0c)?.toString('utf8'),
    failInfo: find(0x02) === undefined ? undefined : numberIn(find(0x02)),
    pendTime: valuesIn(find(0x30) ?? Buffer.alloc(0))[1]?.toString('latin1'),
    controls: byType,
  };
}

function numberIn(content: Buffer | undefined): bigint {
  return BigInt(`0x${content?.toString('hex') ?? ''}`);
}

/** The contents of the values that stand one after the other. */
function valuesIn(octets: Buffer): readonly Buffer[] {
  return taggedValuesIn(octets).map(({ content }) => content);
}

function taggedValuesIn(octets: Buffer): readonly { readonly tag: number; readonly content: Buffer }[] {
  if (octets.length === 0) return [];
  const [tag = 0, first = 0] = octets;
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  const start = 2 + lengthOctets;
  const end = start + (lengthOctets === 0 ? first : octets.readUIntBE(2, lengthOctets));
  return [{ tag, content: octets.subarray(start, end) }, ...taggedValuesIn(octets.subarray(end))];
}

function contentOf(der: Buffer): Buffer {
  return valuesIn(der)[0] ?? Buffer.alloc(0);
}

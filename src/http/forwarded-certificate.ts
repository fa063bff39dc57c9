import { hash } from 'node:crypto';
import { parseItem, parseList, type InnerList, type Item } from 'structured-headers';
import { EstError } from '../errors.ts';
import { certificatesFromPem, readCertificate } from '../pkix/certificate.ts';
import { DerError } from '../pkix/der.ts';
import { namesOfProxyFields, readProxyFields } from './proxy-fields.ts';

/** How a proxy that ended TLS says which client certificate it got. */
export type CertificateHeaderForm = 'rfc9440' | 'nginx' | 'haproxy' | 'envoy';

/** The client's certificate and what it sent above it, DER; nothing of it was checked here. */
export interface ForwardedCertificate {
  readonly certificate: Buffer;
  readonly chain: readonly Buffer[];
}

/** Every header field that means a client certificate to somebody, in lower case, `_` as `-`. */
const certificateFields = [
  ...['client-cert', 'client-cert-chain', 'x-ssl-client-cert', 'x-forwarded-client-cert'],
  ...[
    'ssl-client-cert',
    'x-client-cert',
    'x-client-certificate',
    'x-forwarded-tls-client-cert',
    'x-arr-clientcert',
  ],
];

const fieldsOfForm: Readonly<Record<CertificateHeaderForm, readonly string[]>> = {
  rfc9440: ['client-cert', 'client-cert-chain'],
  nginx: ['x-ssl-client-cert'],
  haproxy: ['x-ssl-client-cert'],
  envoy: ['x-forwarded-client-cert'],
};

/** Fields whose value is a list. */
const listFields: readonly string[] = ['client-cert-chain'];

/**
 * The client certificate out of the header fields, as they came (`rawHeaders`); undefined when the proxy got none. A
 * field of another form can only come from a client, past the proxy. Throws `malformed_request`.
 */
export function readForwardedCertificate(
  form: CertificateHeaderForm,
  rawHeaders: readonly string[],
): ForwardedCertificate | undefined {
  const expected = fieldsOfForm[form];
  const found = readProxyFields(rawHeaders, certificateFields, expected, listFields);
  const valueOf = (name: string | undefined): string =>
    found.find((field) => field.name === name)?.value ?? '';
  const value = valueOf(expected[0]);
  if (value === '') return undefined;
  try {
    const forwarded = readers[form](value, valueOf(expected[1]));
    readCertificate(forwarded.certificate);
    return forwarded;
  } catch (error) {
    if (error instanceof DerError || error instanceof URIError) throw unreadable(error);
    throw error;
  }
}

/** Names of the fields by which the request hands on a client certificate, in whatever form, to who believes it. */
export function forwardedCertificateFields(rawHeaders: readonly string[]): readonly string[] {
  return namesOfProxyFields(rawHeaders, certificateFields);
}

type Reader = (value: string, chain: string) => ForwardedCertificate;

const readers: Readonly<Record<CertificateHeaderForm, Reader>> = {
  rfc9440: (value, chain) => {
    const members = structured(parseList, chain);
    if (!members.every(isItem)) throw new DerError('The chain holds a list.');
    return { certificate: byteSequence(structured(parseItem, value)), chain: members.map(byteSequence) };
  },
  nginx: (value) => fromPem(decodeURIComponent(value)),
  haproxy: (value) => ({ certificate: fromBase64(value), chain: [] }),
  envoy: readEnvoy,
};

/** A byte sequence of a structured field (RFC 9440, section 2.1; RFC 9651, section 3.3.5); parameters mean nothing here. */
function byteSequence([value]: Item): Buffer {
  if (!(value instanceof ArrayBuffer)) throw new DerError('The value is no byte sequence.');
  return Buffer.from(value);
}

/** Gives what a parser of structured fields reads. Throws DerError. */
function structured<Value>(parse: (text: string) => Value, text: string): Value {
  try {
    return parse(text);
  } catch (error) {
    throw new DerError('The value is no structured field.', { cause: error });
  }
}

function isItem(member: Item | InnerList): member is Item {
  return !Array.isArray(member[0]);
}

function fromBase64(text: string): Buffer {
  const octets = Buffer.from(text, 'base64');
  if (octets.length === 0 || octets.toString('base64') !== text)
    throw new DerError('The value is no base64.');
  return octets;
}

const onlyCertificates = /^(-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;

/** Certificates and nothing around them; the first is the client's. */
function fromPem(pem: string): ForwardedCertificate {
  const [certificate, ...chain] = onlyCertificates.test(pem) ? certificatesFromPem(pem) : [];
  if (certificate === undefined) throw new DerError('There is no certificate in it, or something else.');
  return { certificate: certificate.der, chain: chain.map(({ der }) => der) };
}

/**
 * One element, `Key=value;...`; with several, another proxy or the client has added its own. Envoy writes names of the
 * certificate (URI, DNS) without quotes, so that a client may write further keys there. Hash, which always stands before
 * them, is that of the certificate which the client has shown.
 */
function readEnvoy(value: string): ForwardedCertificate {
  const pairs = [...value.matchAll(/([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^";,]*))(;|$)/gy)];
  const isWhole = pairs.map(([all]) => all).join('') === value && pairs.at(-1)?.[4] === '';
  const fields = new Map(
    pairs.map(([, key = '', quoted, plain = '']) => [key.toLowerCase(), quoted ?? plain]),
  );
  const cert = fields.get('chain') ?? fields.get('cert');
  if (!isWhole || fields.size < pairs.length || cert === undefined) {
    throw new DerError('It is not one element with the key Cert or Chain.');
  }
  const forwarded = fromPem(decodeURIComponent(cert));
  const digest = fields.get('hash')?.toLowerCase();
  if (digest !== undefined && digest !== hash('sha256', forwarded.certificate, 'hex')) {
    throw new DerError('The certificate is not the one of the key Hash.');
  }
  return forwarded;
}

function unreadable(cause: Error): EstError {
  return new EstError(
    'malformed_request',
    'The request has a client certificate that cannot be read, in a header field of the proxy.',
    { cause },
  );
}

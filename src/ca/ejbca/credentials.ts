import type { SecureContextOptions } from 'node:tls';
import { Ajv } from 'ajv';
import { EstError } from '../../errors.ts';
import { readClientCertificate, readPkcs12File } from '../../ops/client-certificate.ts';
import { readSecret } from '../../ops/secret.ts';
import { readTrustAnchor } from '../../ops/certificate-files.ts';
import { createConnection, parseJson, type Connection } from '../../ops/connection.ts';
import type {
  ClientCertificateOptions,
  ClientCredentialsOptions,
  EjbcaOptions,
  OAuthOptions,
} from './options.ts';

/** By what EJBCA knows the gateway. */
export interface Credentials {
  /** The own key and certificate; empty for tokens. */
  readonly tls: SecureContextOptions;
  /** The own certificate, DER; empty for tokens. */
  readonly certificates: readonly Buffer[];
  /** The value of the Authorization header field; undefined for a client certificate. */
  authorization(): Promise<string | undefined>;
  /** Makes the next `authorization` get a new token, since EJBCA refused this one; false where there is none to get. */
  renew(): boolean;
  /** What only the gateway knows: keys for values that nobody else may compute. */
  readonly secret: string;
  close(): void;
}

/** Reads the files. Throws an Error with a sentence when the options contradict each other. */
export async function openCredentials({
  clientCertificate,
  oauth,
  ...options
}: EjbcaOptions): Promise<Credentials> {
  if ((clientCertificate === undefined) === (oauth === undefined)) {
    throw new Error('Give either clientCertificate or oauth: by one of them EJBCA knows the gateway.');
  }
  if (clientCertificate !== undefined) return await openClientCertificate(clientCertificate);
  return await openTokens(oauth ?? {}, options.timeouts);
}

async function openClientCertificate({
  certificate,
  privateKey,
  pkcs12,
  ...secrets
}: ClientCertificateOptions): Promise<Credentials> {
  if (pkcs12 !== undefined) {
    if (certificate !== undefined || privateKey !== undefined) {
      throw new Error('clientCertificate: give either pkcs12, or certificate and privateKey.');
    }
    const { tls, certificate: own } = await readPkcs12File({ ...secrets, pkcs12 });
    return byCertificate(tls, own.der, tls.pfx.toString('base64'));
  }
  if (certificate === undefined || privateKey === undefined) {
    throw new Error('clientCertificate: give either certificate and privateKey, or pkcs12.');
  }
  const { tls, certificate: own } = await readClientCertificate({ ...secrets, certificate, privateKey });
  return byCertificate(tls, own.der, tls.key);
}

function byCertificate(tls: SecureContextOptions, certificate: Buffer, secret: string): Credentials {
  return {
    tls,
    certificates: [certificate],
    authorization: async () => {
      await Promise.resolve(undefined);
    },
    renew: () => false,
    secret,
    close: () => undefined,
  };
}

async function openTokens(
  { token, clientCredentials }: OAuthOptions,
  timeouts: EjbcaOptions['timeouts'],
): Promise<Credentials> {
  if ((token === undefined) === (clientCredentials === undefined)) {
    throw new Error('oauth: give either token or clientCredentials.');
  }
  if (clientCredentials !== undefined) return await openClientCredentials(clientCredentials, timeouts);
  const reference = token ?? '';
  return byToken(
    async () => ({ token: await readSecret(reference), seconds: rereadAfter }),
    await readSecret(reference),
  );
}

/** Seconds after which a token from a file is read anew. */
const rereadAfter = 30;

async function openClientCredentials(
  { tokenUrl, clientId, clientSecret, scope, trustAnchor }: ClientCredentialsOptions,
  timeouts: EjbcaOptions['timeouts'],
): Promise<Credentials> {
  const ca = await readTrustAnchor(trustAnchor);
  const connection = createConnection({
    peer: 'The identity provider',
    tls: { ca },
    timeouts,
    limits: { maxResponse: 65_536, concurrency: 1 },
  });
  const secret = await readSecret(clientSecret);
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope !== undefined && { scope }),
  });
  const credentials = [clientId, secret].map(encodeURIComponent).join(':');
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    Accept: 'application/json',
    Authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
  // Several wait for one token, so that none of them may give it up.
  const { signal } = new AbortController();
  const source = async (): Promise<Token> =>
    await requestToken(connection, { url: tokenUrl, headers, body: form.toString() }, signal);
  return byToken(source, secret, connection);
}

interface Token {
  readonly token: string;
  /** How long it can be used. */
  readonly seconds: number;
}

type TokenSource = () => Promise<Token>;

/** Keeps a token until shortly before it expires; of several callers at once one gets the next. */
function byToken(source: TokenSource, secret: string, connection?: Connection): Credentials {
  let current: Token | undefined;
  let usableUntil = 0;
  let underWay: Promise<Token> | undefined;

  async function next(): Promise<Token> {
    const got = await source();
    usableUntil = performance.now() + got.seconds * 1000;
    return (current = got);
  }

  return {
    tls: {},
    certificates: [],
    async authorization() {
      if (current !== undefined && performance.now() < usableUntil) return `Bearer ${current.token}`;
      underWay ??= next().finally(() => {
        underWay = undefined;
      });
      return `Bearer ${(await underWay).token}`;
    },
    renew() {
      current = undefined;
      return true;
    },
    secret,
    close() {
      connection?.close();
    },
  };
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in?: number;
}

const isTokenAnswer = new Ajv().compile<TokenAnswer>({
  type: 'object',
  properties: {
    access_token: { type: 'string', pattern: '^[\\x21-\\x7e]+$' },
    expires_in: { type: 'number', minimum: 0 },
  },
  required: ['access_token'],
});

/** How long a token is used that does not say how long it is good, in seconds. */
const unknownLifetime = 60;

async function requestToken(
  connection: Connection,
  request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  },
  signal: AbortSignal,
): Promise<Token> {
  const { status, body } = await connection.send({ method: 'POST', ...request }, signal);
  const answer: unknown = status === 200 ? parseJson(body) : undefined;
  if (!isTokenAnswer(answer)) {
    throw new EstError('ca_bad_answer', 'The identity provider gives the gateway no token.', {
      cause: new Error(`The token endpoint answered ${status}.`),
    });
  }
  const { access_token: token, expires_in: seconds = unknownLifetime } = answer;
  // A tenth of its time is left for the way to EJBCA and for clocks that differ.
  return { token, seconds: seconds * 0.9 };
}

import { Ajv } from 'ajv';
import { isUtf8 } from 'node:buffer';
import { isIPv4 } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { parseDocument } from 'yaml';
import { EstError } from '../errors.ts';
import { createCircuitBreaker } from './circuit-breaker.ts';
import { readClientCertificate } from './client-certificate.ts';
import { createConnection, parseJson, serverVerdict, type HttpAnswer } from './connection.ts';
import { createGate } from './gate.ts';
import type { Log } from './log.ts';
import { readSecret } from './secret.ts';
import { readTrustAnchor } from './certificate-files.ts';
import type { Party } from './turns.ts';
import type { WebhookOptions } from './webhook-options.ts';

/** What an operator's service says. */
type WebhookAnswer<Decision> =
  | { readonly state: 'answered'; readonly decision: Decision; /** For the log. */ readonly reason?: string }
  /** It said nothing that counts: nothing may be granted. The reason, for the log, has nothing of what was sent. */
  | { readonly state: 'unavailable'; readonly reason: string };

/** An operator's service that decides. */
export interface Webhook<Decision> {
  /** Posts a question as JSON; parties take turns as at a gate. The same question may reach the service twice. */
  ask(question: object, signal: AbortSignal, party?: Party): Promise<WebhookAnswer<Decision>>;
}

/**
 * Reads the files; the service itself is asked nothing yet. It may decide so as `decisions` says. Rejects with a plain
 * sentence when the options make no sense.
 */
export async function openWebhook<Decision extends string>(
  options: WebhookOptions,
  decisions: readonly Decision[],
  log: Log,
): Promise<Webhook<Decision>> {
  const { url, timeouts, limits } = options;
  const connection = createConnection({
    peer: 'The webhook',
    tls: await openTls(options),
    timeouts,
    limits,
  });
  const headers = {
    Accept: 'application/json',
    'Content-Type': 'application/json',
    'User-Agent': 'est-gateway',
    ...(options.token !== undefined && { Authorization: `Bearer ${await readToken(options.token)}` }),
  };
  const gate = createGate(limits);
  const breaker = createCircuitBreaker({
    ...options.circuitBreaker,
    verdictOn: serverVerdict,
    onOpen: (error) => {
      log.error('A webhook fails again and again; it is left alone for a while.', { webhook: url, error });
    },
  });
  const read = answerReader(decisions);

  async function post(body: string, signal: AbortSignal): Promise<HttpAnswer> {
    const request = { method: 'POST', url, headers, body } as const;
    try {
      return await connection.send(request, signal);
    } catch (error) {
      if (signal.aborted || !isConnectionLost(error)) throw error;
      return await connection.send(request, signal);
    }
  }

  return {
    async ask(question, signal, party) {
      const body = JSON.stringify(question);
      try {
        return read(
          await gate.run(signal, async () => await breaker.run(async () => await post(body, signal)), party),
        );
      } catch (error) {
        if (!(error instanceof EstError)) throw error;
        return { state: 'unavailable', reason: reasonOf(error) };
      }
    },
  };
}

async function openTls({
  url,
  trustAnchor,
  clientCertificate,
}: WebhookOptions): Promise<SecureContextOptions> {
  const { protocol, hostname } = parseUrl(url);
  if (protocol === 'http:') {
    if (!isLoopback(hostname)) {
      throw new Error(
        'url: plain http is only for a service on this machine (localhost, 127.0.0.1, [::1]); use https.',
      );
    }
    if (trustAnchor !== undefined || clientCertificate !== undefined) {
      throw new Error('url: with plain http trustAnchor and clientCertificate mean nothing; leave them out.');
    }
    return {};
  }
  if (trustAnchor === undefined) {
    throw new Error("trustAnchor: name the CAs that the service's TLS certificate may come from.");
  }
  return {
    ca: await readTrustAnchor(trustAnchor),
    ...(clientCertificate && (await readClientCertificate(clientCertificate)).tls),
  };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new Error('url: expected a URL such as https://inventory.example/est.');
  return url;
}

/** `hostname` as class URL writes it: whatever form an address had, this is the usual one. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}

async function readToken(reference: string): Promise<string> {
  const token = await readSecret(reference);
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('token: expected visible ASCII characters, without spaces and line breaks.');
  }
  return token;
}

/** A server may end a connection that was kept open just when the next question is sent. */
function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof EstError) || error.code !== 'ca_unavailable') return false;
  const { code = '' } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** The cause is of this machine and its network. */
function reasonOf({ message, cause }: EstError): string {
  return cause instanceof Error && cause.message !== '' ? `${message} (${cause.message})` : message;
}

/** One field, without parameters that would change the meaning of the octets. */
const json = /^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i;

/** Of members of one name some readers take the first and some the last; JSON is YAML, whose reader looks for them. */
function hasTwins(body: Buffer): boolean {
  return parseDocument(body.toString('utf8'), { schema: 'json' }).errors.length > 0;
}

interface Said<Decision> {
  readonly decision: Decision;
  readonly reason?: string;
}

function answerReader<Decision extends string>(
  decisions: readonly Decision[],
): (answer: HttpAnswer) => WebhookAnswer<Decision> {
  const isSaid = new Ajv().compile<Said<Decision>>({
    type: 'object',
    properties: { decision: { enum: decisions }, reason: { type: 'string', maxLength: 1000 } },
    required: ['decision'],
    additionalProperties: false,
  });
  return function read({ status, contentType, contentCoding, body }) {
    if (status !== 200) return nonsense(`answers ${status} where 200 was expected`);
    if (!json.test(contentType)) return nonsense('answers something else than application/json in UTF-8');
    if (!/^(?:identity)?$/i.test(contentCoding)) return nonsense('answers with a content coding');
    if (!isUtf8(body)) return nonsense('answers octets that are not UTF-8');
    const said = parseJson(body);
    if (hasTwins(body)) return nonsense('answers JSON with a member that is there twice');
    return isSaid(said)
      ? { state: 'answered', ...said }
      : nonsense('answers JSON of another form than documented');
  };
}

function nonsense(what: string): WebhookAnswer<never> {
  return { state: 'unavailable', reason: `The webhook ${what}.` };
}

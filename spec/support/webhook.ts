import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { newServiceTls } from './service-tls.ts';

/** A question as the service got it. */
interface ReceivedQuestion {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As it came. */
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** How the service answers. */
export type WebhookListener = (question: ReceivedQuestion, response: ServerResponse) => void;

/** An operator's service, over TLS. */
export interface TestWebhook {
  readonly url: string;
  /** PEM. */
  readonly trustAnchor: string;
  /** A client certificate of the CA that it trusts, PEM. */
  readonly client: { readonly cert: string; readonly key: string };
  readonly questions: readonly ReceivedQuestion[];
  /** All connections that it ever had. */
  readonly connections: readonly Socket[];
  /** Answers so from now on, and forgets what it was asked. */
  answer(listener: WebhookListener): void;
  stop(): Promise<void>;
}

/**
 * Starts one that permits everything; `requireClient`: to nobody else than the holder of a certificate of its CA;
 * `namesHost` false: its own certificate does not name it.
 */
export async function startWebhook({ requireClient = false, namesHost = true } = {}): Promise<TestWebhook> {
  const { ca, trustAnchor, server: tls, client } = await newServiceTls();
  let listener: WebhookListener = sayJson({ decision: 'permit' });
  const questions: ReceivedQuestion[] = [];
  const connections: Socket[] = [];

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const question = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      text,
      json: JSON.parse(text) as ReceivedQuestion['json'],
    };
    questions.push(question);
    listener(question, response);
  }

  const server = createServer(
    {
      ...(namesHost ? tls : client),
      ca: [trustAnchor, ca.certificate],
      requestCert: requireClient,
      rejectUnauthorized: requireClient,
    },
    (request, response) => {
      serve(request, response).catch(() => response.destroy());
    },
  );
  server.on('connection', (socket: Socket) => connections.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}/decide`,
    trustAnchor,
    client,
    questions,
    connections,
    answer(next) {
      listener = next;
      questions.length = 0;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers 200 with this JSON. */
export function sayJson(value: unknown): WebhookListener {
  return say(200, { 'Content-Type': 'application/json' }, JSON.stringify(value));
}

/** Answers with these octets. */
export function say(
  status: number,
  headers: Readonly<Record<string, string | string[]>>,
  body: string | Buffer,
): WebhookListener {
  return (_question, response) => {
    response.writeHead(status, headers).end(body);
  };
}

const json = { 'Content-Type': 'application/json; charset=utf-8' };
const permit = JSON.stringify({ decision: 'permit' });

/** Answers that permit nothing though the word stands in most of them, for limits of a second and 1,000 octets. */
export const answersThatPermitNothing: readonly (readonly [string, WebhookListener])[] = [
  ['nothing at all', () => undefined],
  ['an end of the connection', (_question, response) => response.destroy()],
  [
    'half of an answer',
    (_question, response) => {
      response.writeHead(200, { ...json, 'Content-Length': permit.length + 1 }).write(permit);
      setImmediate(() => response.destroy());
    },
  ],
  ['500', say(500, json, permit)],
  ['201', say(201, json, permit)],
  ['204', say(204, {}, '')],
  ['401', say(401, json, permit)],
  [
    'a redirect',
    (question, response) => {
      if (question.path === '/other') sayJson({ decision: 'permit' })(question, response);
      else response.writeHead(307, { Location: '/other' }).end();
    },
  ],
  ['no content type', say(200, {}, permit)],
  ['text/plain', say(200, { 'Content-Type': 'text/plain' }, permit)],
  ['a page', say(200, { 'Content-Type': 'text/html' }, '<p>permit</p>')],
  ['no JSON', say(200, json, `${permit}}`)],
  ['an empty body', say(200, json, '')],
  ['compressed JSON', say(200, { ...json, 'Content-Encoding': 'gzip' }, gzipSync(permit))],
  ['a content coding that is none', say(200, { ...json, 'Content-Encoding': 'gzip' }, permit)],
  ['another charset', say(200, { 'Content-Type': 'application/json; charset=utf-16' }, permit)],
  ['two content types', say(200, { 'Content-Type': ['application/json', 'text/html'] }, permit)],
  ['one content type twice', say(200, { 'Content-Type': ['application/json', 'application/json'] }, permit)],
  [
    'octets that are not UTF-8',
    say(200, json, Buffer.from('{"decision":"refuse","reason":"\u00fc"}', 'latin1')),
  ],
  ['a decision twice', say(200, json, '{"decision":"refuse","decision":"permit"}')],
  ['a decision twice, once escaped', say(200, json, '{"decision":"permit","decisi\\u006fn":"permit"}')],
  ['a reason twice', say(200, json, '{"decision":"permit","reason":"a","reason":"b"}')],
  ['more octets than allowed', say(200, json, permit + ' '.repeat(1000))],
  ['null', sayJson(null)],
  ['a text', sayJson('permit')],
  ['a list', sayJson([{ decision: 'permit' }])],
  ['no decision', sayJson({})],
  ['another decision', sayJson({ decision: 'Permit' })],
  ['two decisions', sayJson({ decision: ['permit'] })],
  ['a member that there is not', sayJson({ decision: 'permit', until: '2030-01-01' })],
  ['a reason that is no text', sayJson({ decision: 'refuse', reason: 7 })],
];

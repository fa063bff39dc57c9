import httpProxy from 'http-proxy';
import { IncomingMessage, ServerResponse, type ClientRequest, type IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { AnswerTimeout, createAgent, toEstError, type ConnectionOptions } from '../../ops/connection.ts';

/** A request as it goes out. */
interface OutgoingRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Posted; undefined: GET. */
  readonly body: string | undefined;
}

/** Kept-alive TLS connections to one server, whose answers are streams. */
export interface RelayConnection {
  /** Gives the answer when its header is there, whatever its status; follows no redirect. Throws as `Connection` does. */
  send(request: OutgoingRequest, signal: AbortSignal): Promise<IncomingAnswer>;
  close(): void;
}

/** An answer that is coming in. */
export interface IncomingAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Fails, as `send` throws, when the server breaks off, falls silent, or the signal of the request aborts. */
  readonly body: Readable;
}

/** What belongs to a request that is under way. */
interface Exchange {
  readonly signal: AbortSignal;
  readonly answered: (answer: IncomingMessage) => void;
}

/** Nothing is connected until the first request. */
export function createRelayConnection({ peer, tls, timeouts, limits }: ConnectionOptions): RelayConnection {
  const agent = createAgent(tls, timeouts.connect * 1000, limits.concurrency);
  const exchanges = new WeakMap<IncomingMessage, Exchange>();
  const proxy = httpProxy.createProxyServer({
    agent,
    changeOrigin: true,
    ignorePath: true,
    selfHandleResponse: true,
  });

  // By itself http-proxy leaves the request open when nobody waits for the answer any more.
  proxy.on('proxyReq', (upstream, request) => {
    const signal = exchanges.get(request)?.signal;
    if (signal === undefined) return;
    endWith(signal, upstream);
    upstream.setTimeout(timeouts.answer * 1000, () => upstream.destroy(new AnswerTimeout()));
  });

  // By itself it pipes the answer, and the client hangs when the server breaks off: a stream fails then.
  proxy.on('proxyRes', (answer, request) => exchanges.get(request)?.answered(answer));

  return {
    async send({ url, headers, body }, signal) {
      const request = new IncomingMessage(new Socket());
      request.method = body === undefined ? 'GET' : 'POST';
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
      try {
        const answer = await new Promise<IncomingMessage>((resolve, reject) => {
          exchanges.set(request, { signal, answered: resolve });
          const options = {
            target: targetOf(url),
            headers: { ...headers, ...length },
            buffer: Readable.from(body === undefined ? [] : [body]),
          };
          proxy.web(request, new ServerResponse(request), options, reject);
        });
        const { statusCode: status = 0, headers: fields } = answer;
        return { status, headers: fields, body: Readable.from(octetsOf(answer, peer, signal)) };
      } catch (error) {
        throw toEstError(peer, error, signal);
      }
    },
    close() {
      agent.destroy();
    },
  };
}

async function* octetsOf(answer: IncomingMessage, peer: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw toEstError(peer, error, signal);
  }
}

/** http-proxy would parse a text with Node's old parser. */
function targetOf(text: string): httpProxy.ProxyTargetUrl {
  const { protocol, host, hostname, port, pathname } = new URL(text);
  return { protocol, host, hostname, port, path: pathname };
}

function endWith(signal: AbortSignal, upstream: ClientRequest): void {
  const end = (): void => {
    upstream.destroy();
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  upstream.once('close', () => {
    signal.removeEventListener('abort', end);
  });
}

/** One HTTP request to a handler as a listener behind a proxy would hand it over, without a socket. */
import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What is sent. */
export interface Sent {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What comes back. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** How Node's parser of HTTP gives header fields, names and values in one list. */
interface Parsed {
  _addHeaderLines(lines: readonly string[], count: number): void;
}

/** Resolves when the answer has gone out. */
export async function exchange(handler: RequestListener, sent: Sent): Promise<Answer> {
  const socket = new Unconnected() as unknown as Socket;
  const request = new IncomingMessage(socket);
  const { method, path, headers = {}, body = '' } = sent;
  const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  Object.assign(request, { method, url: path, httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 });
  const lines = Object.entries({ Host: 'est.example', ...headers, ...length }).flat();
  (request as unknown as Parsed)._addHeaderLines(lines, lines.length);
  if (body !== '') request.push(body);
  request.push(null);
  request.complete = true;
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  const finished = new Promise<void>((resolve) => {
    response.once('finish', resolve);
  });
  handler(request, response);
  await finished;
  response.detachSocket(socket);
  response.emit('close');
  const all = Buffer.concat((socket as unknown as Unconnected).written);
  return { status: response.statusCode, body: all.subarray(all.indexOf('\r\n\r\n') + 4) };
}

/** Keeps what is written. */
class Unconnected extends Duplex {
  readonly remoteAddress = '192.0.2.1';
  readonly written: Buffer[] = [];

  override _read(): void {
    // Nothing comes in.
  }

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.written.push(Buffer.from(chunk));
    done();
  }
}

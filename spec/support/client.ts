import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request, type RequestOptions } from 'node:https';
import {
  request as plainRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions as PlainRequestOptions,
} from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** One HTTPS request over a connection of its own, with Node's client. */
export async function send(
  url: string,
  options: RequestOptions & { readonly body?: string | Buffer },
): Promise<Answer> {
  const { body, ...rest } = options;
  return await answerTo(request(url, { agent: false, ...rest }), body);
}

/** One request to a Unix socket, without TLS, as a proxy sends it. */
export async function sendToSocket(
  socketPath: string,
  path: string,
  options: PlainRequestOptions & { readonly body?: string } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  return await answerTo(plainRequest({ agent: false, socketPath, path, ...rest }), body);
}

async function answerTo(outgoing: ClientRequest, body?: string | Buffer): Promise<Answer> {
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    body: Buffer.concat(chunks).toString('latin1'),
  };
}

/** Opens a TLS connection and waits for the handshake. */
export async function openTls(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ servername: 'localhost', ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends octets as they are and resolves with all that comes back until the server ends the connection. */
export async function exchangeRaw(options: ConnectionOptions, octets: string | Buffer): Promise<string> {
  const socket = await openTls(options);
  socket.write(octets);
  return await readToEnd(socket);
}

/** Sends octets without TLS and resolves with the first that come back; with none when the connection ends before. */
export async function exchangePlain(port: number, octets: string | Buffer): Promise<Buffer> {
  const socket = connectTcp(port, 'localhost');
  socket.on('error', () => undefined);
  socket.write(octets);
  return await new Promise((resolve) => {
    socket.once('data', resolve);
    socket.once('data', () => socket.destroy());
    socket.once('close', () => {
      resolve(Buffer.alloc(0));
    });
  });
}

/**
 * Runs `openssl s_client` with the given words after its own, types `input`, and resolves with all that it printed
 * when the connection has ended, whether it failed or not.
 */
export async function sClient(port: number, words: string, input = ''): Promise<string> {
  const own = ['s_client', '-connect', `localhost:${port}`, '-servername', 'localhost'];
  return await new Promise((resolve) => {
    const client = execFile('openssl', [...own, ...words.split(' ')], (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
    // It may have failed before it reads.
    client.stdin?.on('error', () => undefined);
    if (input === '') client.stdin?.end();
    else client.stdin?.write(input);
  });
}

/** All that comes until the end of the connection. */
export async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** Resolves with what has come once it holds `text`; rejects when the connection ends before. */
export async function readUntil(socket: TLSSocket, text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.includes(text)) resolve(received);
    });
    socket.on('close', () => {
      reject(new Error(`The connection ended after: ${received}`));
    });
  });
}

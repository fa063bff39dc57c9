import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { openTls, readToEnd } from './client.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  id,
  name,
  utf8String,
  type KeyPair,
} from './csr.ts';
import { basic } from './device.ts';
import type { TestGateway } from './gateway.ts';

/** What a client of RFC 5929 or RFC 9266 takes for the binding of its connection. */
export function bindingOf(socket: TLSSocket): Buffer {
  if (socket.getProtocol() === 'TLSv1.3') {
    return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  }
  const finished = socket.isSessionReused() ? socket.getPeerFinished() : socket.getFinished();
  return finished ?? Buffer.alloc(0);
}

/** The challengePassword that carries the binding of the connection. */
export function linkedBy(socket: TLSSocket): readonly Buffer[] {
  return [attribute(id.challengePassword, utf8String(bindingOf(socket).toString('base64')))];
}

/** Opens a connection to the gateway with one version of TLS. */
export async function connectWith(
  gateway: TestGateway,
  version: 'TLSv1.2' | 'TLSv1.3',
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const { port, trustAnchor: ca } = gateway;
  return await openTls({ port, ca, minVersion: version, maxVersion: version, ...options });
}

/** A session of TLS 1.2 to resume, as a client has it after a request that asked for credentials: answer 401. */
export async function sessionAfter401(
  gateway: TestGateway,
  options: ConnectionOptions = {},
): Promise<Buffer> {
  const socket = await connectWith(gateway, 'TLSv1.2', options);
  const session = socket.getSession();
  socket.write('POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n');
  socket.write('Connection: close\r\n\r\n');
  const answer = await readToEnd(socket);
  if (session === undefined || !answer.startsWith('HTTP/1.1 401 '))
    throw new Error(`expected 401: ${answer}`);
  return session;
}

/** What an enrolment may differ in. */
export interface LinkedEnrolment {
  readonly alias?: string;
  readonly commonName?: string;
  readonly key?: KeyPair;
  readonly operation?: 'simpleenroll' | 'simplereenroll';
}

/** The octets of a request whose CSR has these attributes. */
export async function enrolmentRequest(
  attributes: readonly Buffer[],
  { alias = 'est', commonName = 'linked', key, operation = 'simpleenroll' }: LinkedEnrolment = {},
): Promise<string> {
  const csr = await certificationRequest({
    key: key ?? (await generateKeyPair('P-256')),
    subject: name([id.commonName, utf8String(commonName)]),
    attributes,
  });
  const body = csr.toString('base64');
  const head = [
    `POST /.well-known/est/${alias}/${operation} HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${basic}`,
  ];
  const rest = ['Content-Type: application/pkcs10', `Content-Length: ${body.length}`, '', body];
  return [...head, ...rest].join('\r\n');
}

/** Enrols over the connection and resolves with all that comes until the gateway ends it. */
export async function enrolOver(
  socket: TLSSocket,
  attributes: readonly Buffer[],
  parts: LinkedEnrolment = {},
): Promise<string> {
  socket.write(await enrolmentRequest(attributes, parts));
  return await readToEnd(socket);
}

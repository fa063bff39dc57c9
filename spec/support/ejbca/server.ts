/** The HTTPS side: client certificates, bodies, faults, and a record of what was asked. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { setTimeout as wait } from 'node:timers/promises';
import { readCertificate } from '../../../src/pkix/certificate.ts';
import { authenticate, type Administrator } from './administrator.ts';
import { dnOf } from './distinguished-name.ts';
import type { Ejbca } from './ejbca.ts';
import type { Fault, Faults } from './fault.ts';
import { answerTokenRequest, tokenPath } from './identity-provider.ts';
import type { Pause } from './model/transaction.ts';
import type { Reply } from './rest/call.ts';
import { answerRest, restBase } from './rest/router.ts';
import { answerInState, createAvailability, type Availability, type State } from './state.ts';
import { answerWebService, webServicePath } from './soap/web-service.ts';
import { wsdl } from './soap/wsdl.ts';

/** A call as it came in. */
interface RecordedRequest {
  readonly at: Date;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The DN of the client certificate, in EJBCA's writing; undefined: none. */
  readonly client: string | undefined;
  /** Undefined until it is answered, or when the connection ended before. */
  status: number | undefined;
}

/** What the calls were like, taken together. */
export interface Traffic {
  readonly requests: RecordedRequest[];
  /** TLS connections since the start. */
  connections: number;
  inFlight: number;
  mostInFlight: number;
}

/** PEM texts of the TLS server. */
export interface TlsTexts {
  readonly key: string;
  readonly cert: string;
  /** The CAs whose client certificates are accepted. */
  readonly ca: readonly string[];
}

/** A running server. */
export interface RunningServer {
  readonly port: number;
  readonly traffic: Traffic;
  /** Fulfilled when connections are accepted, or refused, as the state has it. */
  setState(state: State): Promise<void>;
  stop(): Promise<void>;
}

/** What every request is served with. */
interface Service {
  readonly ejbca: Ejbca;
  readonly faults: Faults;
  readonly availability: Availability;
  readonly traffic: Traffic;
  /** Below the TLS connections, by the client's port. */
  readonly tcpSockets: Map<number, Socket>;
}

/** Listens on 127.0.0.1; port 0: any free one. */
export async function startServer(
  ejbca: Ejbca,
  faults: Faults,
  tls: TlsTexts,
  port: number,
): Promise<RunningServer> {
  const traffic: Traffic = { requests: [], connections: 0, inFlight: 0, mostInFlight: 0 };
  const availability = createAvailability();
  const service: Service = { ejbca, faults, availability, traffic, tcpSockets: new Map() };
  const server = createServer(
    { key: tls.key, cert: tls.cert, ca: [...tls.ca], requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      serve(service, request, response).catch(() => request.socket.destroy());
    },
  );
  server.on('connection', (socket: Socket) => {
    const clientPort = socket.remotePort ?? 0;
    service.tcpSockets.set(clientPort, socket);
    socket.once('close', () => service.tcpSockets.delete(clientPort));
  });
  server.on('secureConnection', (socket) => {
    traffic.connections += 1;
    refuseForeign(socket);
  });
  await listen(server, port);
  const { port: actualPort } = server.address() as AddressInfo;
  return {
    port: actualPort,
    traffic,
    setState: async (state) => {
      availability.change(state);
      if (state === 'stopped') await close(server);
      else if (!server.listening) await listen(server, actualPort);
    },
    stop: async () => {
      availability.change('running');
      if (server.listening) await close(server);
    },
  };
}

/** As the application server does it: no certificate is fine, one of a CA outside the truststore is not. */
function refuseForeign(socket: TLSSocket): void {
  if (socket.getPeerX509Certificate() !== undefined && !socket.authorized) socket.destroy();
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

async function serve(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { faults, availability, traffic } = service;
  traffic.inFlight += 1;
  traffic.mostInFlight = Math.max(traffic.mostInFlight, traffic.inFlight);
  response.once('close', () => {
    traffic.inFlight -= 1;
  });
  const recorded = await record(request);
  traffic.requests.push(recorded);
  const hits = faults.take(recorded.path);
  for (const fault of hits) if (fault.kind === 'latency') await wait(fault.milliseconds);
  if (hits.some((fault) => strike(service, fault, 'before', recorded, response))) return;
  const pause: Pause = async (step) => {
    await faults.pass(recorded.path, step);
  };
  await availability.deployed();
  const reply =
    answerInState(availability.state, recorded) ?? (await answer(service.ejbca, request, recorded, pause));
  if (hits.some((fault) => strike(service, fault, 'after', recorded, response))) return;
  recorded.status = reply.status;
  await send(hits.reduce(changed, reply), hits, response);
}

async function record(request: IncomingMessage): Promise<RecordedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const peer = tlsSocketOf(request).getPeerX509Certificate();
  return {
    at: new Date(),
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    body: Buffer.concat(chunks).toString('utf8'),
    client: peer === undefined ? undefined : dnOf(readCertificate(peer.raw).subject),
    status: undefined,
  };
}

function tlsSocketOf({ socket }: IncomingMessage): TLSSocket {
  if (socket instanceof TLSSocket) return socket;
  throw new Error('A request came without TLS.');
}

/** Does what the fault does at this moment; whether the call ends with it. */
function strike(
  { tcpSockets }: Service,
  fault: Fault,
  moment: 'before' | 'after',
  recorded: RecordedRequest,
  response: ServerResponse,
): boolean {
  if (!('when' in fault) || fault.when !== moment) return false;
  switch (fault.kind) {
    case 'reset':
      tcpSockets.get(response.socket?.remotePort ?? 0)?.resetAndDestroy();
      break;
    case 'silence':
      break;
    case 'answer':
      recorded.status = fault.status;
      response.writeHead(fault.status, {
        'Content-Type': fault.contentType ?? 'text/html',
        ...fault.headers,
      });
      response.end(fault.body ?? '<html><body>A page that no program expects.</body></html>');
      break;
  }
  return true;
}

async function answer(
  ejbca: Ejbca,
  request: IncomingMessage,
  recorded: RecordedRequest,
  pause: Pause,
): Promise<Reply> {
  const url = new URL(recorded.path, `https://${request.headers.host ?? 'localhost'}`);
  const administrator = (): Administrator =>
    authenticate(ejbca.administrators, tlsSocketOf(request), request.headers.authorization);
  const { method, headers, body } = recorded;
  if (url.pathname === '/ejbca/publicweb/healthcheck/ejbcahealth') return healthy;
  if (url.pathname === tokenPath) {
    return answerTokenRequest(ejbca.administrators, ejbca.oAuthClients, headers.authorization, body);
  }
  if (url.pathname.startsWith(`${restBase}/`)) {
    return await answerRest(ejbca, { method, url, headers, body, pause }, administrator);
  }
  if (url.pathname === webServicePath) {
    if (method === 'GET')
      return { status: 200, contentType: 'text/xml', body: wsdl(url.origin + url.pathname) };
    return await answerWebService(ejbca, body, { identify: administrator, pause });
  }
  return { status: 404, contentType: 'text/html', body: '<html><body>404 - Not Found</body></html>' };
}

const healthy: Reply = { status: 200, contentType: 'text/plain', body: 'ALLOK' };

function changed(reply: Reply, fault: Fault): Reply {
  if (fault.kind !== 'change') return reply;
  const body = JSON.parse(reply.body.toString()) as object;
  return { ...reply, body: JSON.stringify({ ...body, ...fault.members }) };
}

async function send(reply: Reply, hits: readonly Fault[], response: ServerResponse): Promise<void> {
  const body = Buffer.from(reply.body);
  if (reply.contentType !== undefined) response.setHeader('Content-Type', reply.contentType);
  response.writeHead(reply.status, { ...reply.headers, 'Content-Length': body.length });
  for (const fault of hits) {
    if (fault.kind === 'truncation') {
      response.write(body.subarray(0, body.length / 2), () => response.socket?.destroy());
      return;
    }
    if (fault.kind === 'trickle') {
      await trickle(body, fault.milliseconds, response);
      return;
    }
  }
  response.end(body);
}

async function trickle(body: Buffer, milliseconds: number, response: ServerResponse): Promise<void> {
  for (const octet of body) {
    if (response.destroyed) return;
    response.write(Buffer.of(octet));
    await wait(milliseconds);
  }
  response.end();
}

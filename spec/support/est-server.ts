import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { certsOnly } from '../../src/pkix/cms.ts';
import { receive } from './refused-csr.ts';
import { newRequest, openLocal, signal, type CaTexts } from '../ca/setup.ts';
import { newServiceTls } from './service-tls.ts';

/** A request as the server got it. */
interface ReceivedEstRequest {
  readonly operation: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (request: ReceivedEstRequest, response: ServerResponse) => void | Promise<void>;

/** An EST server of somebody else, as small as it can be: it issues what it is asked for, unless a spec says otherwise. */
export interface TestEstServer {
  readonly url: string;
  /** PEM of the root, of its TLS certificate and of what it issues. */
  readonly trustAnchor: string;
  /** What issues. */
  readonly ca: CaTexts;
  /** A client certificate that it accepts, PEM. */
  readonly client: { readonly cert: string; readonly key: string };
  readonly requests: ReceivedEstRequest[];
  readonly connections: ReadonlySet<Socket>;
  /** Answers POST and csrattrs so from now on; undefined: issues again, and has no attributes to ask for. */
  answer(how: Answer | undefined): void;
  /** The certificate for a CSR, as base64 of certs-only. */
  issue(body: string): Promise<Buffer>;
  stop(): Promise<void>;
}

/** Starts one, on a free port unless one is named. It knows repeats by the octets of the CSR. */
export async function startEstServer(port = 0): Promise<TestEstServer> {
  const { ca, trustAnchor, server: tls, client } = await newServiceTls();
  const local = await openLocal(ca);
  const requests: ReceivedEstRequest[] = [];
  const connections = new Set<Socket>();
  let answerPost: Answer | undefined;

  async function issue(body: string): Promise<Buffer> {
    const csr = await receive(Buffer.from(body, 'base64'));
    const idempotencyKey = createHash('sha256').update(csr.der).digest('hex');
    const names = { subject: csr.subject, subjectAltName: csr.subjectAltName ?? [] };
    const result = await local.ca.enroll({ ...newRequest(), ...names, csr, idempotencyKey }, signal);
    if (result.status !== 'issued') throw new Error('The CA put the request off.');
    return certsOnly([result.certificate]);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const operation = request.url?.split('/').at(-1) ?? '';
    const received = { operation, headers: request.headers, body: Buffer.concat(chunks).toString('latin1') };
    requests.push(received);
    if (operation === 'cacerts') {
      sendPkcs7(response, certsOnly(await local.ca.caCertificates(signal)));
      return;
    }
    if (answerPost !== undefined) await answerPost(received, response);
    else if (operation === 'csrattrs') response.writeHead(204).end();
    else sendPkcs7(response, await issue(received.body));
  }

  const server = createServer(
    {
      ...tls,
      ca: [trustAnchor, ca.certificate],
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      serve(request, response).catch(() => response.destroy());
    },
  );
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}/.well-known/est`,
    trustAnchor,
    ca,
    client,
    requests,
    connections,
    answer: (how) => {
      answerPost = how;
    },
    issue,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await local.close();
    },
  };
}

/** Answers with a certs-only message as the RFC's examples have it. */
export function sendPkcs7(response: ServerResponse, message: Buffer): void {
  const body = message.toString('base64').replace(/.{76}/g, '$&\n');
  response.writeHead(200, {
    'Content-Type': 'application/pkcs7-mime; smime-type=certs-only',
    'Content-Transfer-Encoding': 'base64',
    'Content-Length': body.length,
  });
  response.end(body);
}

/**
 * What every enrolment is measured against: a bare `https` server of the same Node that verifies a client
 * certificate and answers 1 kB to a POST. Arguments: certificate file, key file, file of the CAs of clients; with a
 * fourth, `signatures`, it also makes what no enrolment can do without: it verifies the signature of the CSR and signs
 * as much. Prints its port.
 */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readBitString, readDer } from '../../src/pkix/der.ts';

const [certificate = '', key = '', ca = '', signatures] = process.argv.slice(2);
const answer = 'x'.repeat(1000);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Takes base64 of a PKCS#10 with a P-256 key. */
function makeSignatures(body: string): void {
  const [info, , signature] = readDer(Buffer.from(body, 'base64')).children;
  const [, , spki] = info?.children ?? [];
  if (info === undefined || signature === undefined || spki === undefined) throw new Error('This is no CSR.');
  const publicKey = createPublicKey({ key: spki.bytes, format: 'der', type: 'spki' });
  if (!verify('sha256', info.bytes, publicKey, readBitString(signature).octets))
    throw new Error('The signature of the CSR is wrong.');
  sign('sha256', info.bytes, privateKey);
}

function onceRead(request: IncomingMessage, use: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    use(Buffer.concat(chunks).toString('latin1'));
  });
}

const server = createServer(
  {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(ca),
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    onceRead(request, (body) => {
      if (signatures === 'signatures') makeSignatures(body);
      response.writeHead(200, { 'Content-Length': answer.length });
      response.end(answer);
    });
  },
);
server.listen(0, 'localhost', () => {
  process.stdout.write(`https://localhost:${(server.address() as AddressInfo).port}\n`);
});

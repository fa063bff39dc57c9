/**
 * What every enrolment is measured against: a bare `https` server of the same Node that verifies a client certificate
 * and answers 1 kB to a POST. Arguments: certificate file, key file, file of the CAs of clients; prints its URL. With a
 * fourth argument it also does what no enrolment can do without, but checks nothing else: `signatures` verifies the
 * signature of the CSR and signs as much; `records` does so behind express, with the writes of an enrolment to a store,
 * whose SQLite file is the fifth argument, and the line of the log.
 */
import express from 'express';
import { createPublicKey, generateKeyPairSync, hash, randomUUID, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createLog } from '../../src/ops/log.ts';
import { readBitString, readDer } from '../../src/pkix/der.ts';
import { sqlite } from '../../src/store/sqlite.ts';

const [certificate = '', key = '', ca = '', mode = 'bare', file = ''] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Takes base64 of a PKCS#10 with a P-256 key; gives the new signature. */
function makeSignatures(body: string): Buffer {
  const [info, , signature] = readDer(Buffer.from(body, 'base64')).children;
  const [, , spki] = info?.children ?? [];
  if (info === undefined || signature === undefined || spki === undefined) throw new Error('This is no CSR.');
  const publicKey = createPublicKey({ key: spki.bytes, format: 'der', type: 'spki' });
  if (!verify('sha256', info.bytes, publicKey, readBitString(signature).octets))
    throw new Error('The signature of the CSR is wrong.');
  return sign('sha256', info.bytes, privateKey);
}

function onceRead(request: IncomingMessage, use: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    use(Buffer.concat(chunks).toString('latin1'));
  });
}

function answer(response: ServerResponse): void {
  const text = 'x'.repeat(1000);
  response.writeHead(200, { 'Content-Length': text.length });
  response.end(text);
}

function bare(request: IncomingMessage, response: ServerResponse): void {
  onceRead(request, () => {
    answer(response);
  });
}

function signatures(request: IncomingMessage, response: ServerResponse): void {
  onceRead(request, (body) => {
    makeSignatures(body);
    answer(response);
  });
}

/** Writes what an enrolment writes, in the order in which it must be durable. */
async function createRecording(): Promise<RequestListener> {
  const { enrollments, certificates } = await sqlite.open({ file });
  const log = createLog({ level: 'info', format: 'json' });
  const client = {
    alias: 'est',
    operation: 'simpleenroll',
    identity: 'certificate:bench',
    subject: 'CN=bench',
    isKeyShown: false,
    users: [],
    countedUser: undefined,
    certificates: [],
    client: 'holder:CN=bench',
    quotas: [],
  };

  async function record(body: string): Promise<void> {
    const requestId = randomUUID();
    const publicKey = hash('sha256', body);
    const now = new Date();
    const madeFor = { terms: 'bench', how: '{}' };
    const enrollment = { ...client, madeFor, requestId, fingerprint: publicKey, publicKey };
    const window = { now, issuedSince: now, underWayUntil: now, pendingSince: now };
    const opened = await enrollments.open(enrollment, window, undefined, 'written');
    if (opened.state !== 'opened') throw new Error(`The enrolment is ${opened.state}.`);
    const issued = { certificate: Buffer.alloc(600, makeSignatures(body)), serialNumber: requestId };
    const validity = { notBefore: now, notAfter: now };
    const { id: idempotencyKey } = opened;
    const owner = { ...client, ca: 'local', idempotencyKey, publicKey };
    await certificates.add({ ...issued, ...validity, ...owner }, 'written');
    await enrollments.issued(opened.id, { ...issued, ...validity, publicKey, names: publicKey }, now);
    log.info('request', { requestId, method: 'POST', ...client, outcome: 'ok', status: 200 });
  }

  return express().post('/.well-known/est/:operation', (request, response, next) => {
    onceRead(request, (body) => {
      record(body).then(() => {
        answer(response);
      }, next);
    });
  });
}

async function handler(): Promise<RequestListener> {
  if (mode === 'records') return await createRecording();
  return mode === 'signatures' ? signatures : bare;
}

const server = createServer(
  {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(ca),
    requestCert: true,
    rejectUnauthorized: false,
  },
  await handler(),
);
server.listen(0, 'localhost', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`https://localhost:${port}/.well-known/est/simpleenroll\n`);
});

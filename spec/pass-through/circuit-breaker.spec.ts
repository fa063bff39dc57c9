import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RequestListener } from 'node:http';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Has the form of an OCSPRequest as far as the gateway looks, and names no certificate. */
const malformed = Buffer.from('3006300430023000', 'hex');

/** Another one each time, so that no cache has the answer. */
const question = (serialNumber: number): Buffer =>
  Buffer.from([0x30, 9, 0x30, 7, 0x30, 5, 0x30, 3, 2, 1, serialNumber]);

/** OCSPResponse with the status tryLater. */
const tryLater = Buffer.from('30030a0103', 'hex');

/** A responder with a status of HTTP for what it cannot read. */
function responder(status: number): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(Buffer.concat(chunks).equals(malformed) ? status : 200, {
        'Content-Type': 'application/ocsp-response',
      });
      response.end(tryLater);
    });
  };
}

describe('An OCSP responder behind the gateway', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;

  beforeAll(async () => {
    upstream = await startUpstream();
    const paths = { '/ocsp': { kind: 'ocsp', upstream: `${upstream.url}/ocsp` } };
    gateway = await startTestGateway({ passThrough: { timeout: 1, paths } });
  });

  afterAll(async () => {
    await gateway.stop();
    await upstream.down();
  });

  async function ask(body: Buffer): Promise<number> {
    const headers = { 'Content-Type': 'application/ocsp-request' };
    const answer = await fetch(`${gateway.httpUrl}/ocsp`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  it.each([400, 403, 500])('is asked on when it answers %d to what somebody sends', async (status) => {
    upstream.answer(responder(status));
    for (let round = 0; round < 5; round += 1) expect(await ask(malformed)).toBe(502);
    expect(await ask(question(status / 100))).toBe(200);
  });

  it('is left alone for a while when it answers 503 again and again', async () => {
    upstream.answer(responder(503));
    for (let round = 0; round < 3; round += 1) await ask(malformed);
    expect(await ask(question(9))).toBe(503);
  });
});

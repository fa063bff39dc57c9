import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('the plain HTTP listener', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  it.each([
    ['/crl/local.crl', 'application/pkix-crl'],
    ['/ca/local.cer', 'application/pkix-cert'],
  ])('serves %s as %s, to GET and HEAD', async (path, type) => {
    const full = await supertest(gateway.httpUrl).get(path).expect(200).expect('Content-Type', type);
    const head = await supertest(gateway.httpUrl).head(path).expect(200).expect('Content-Type', type);
    expect(Number(full.headers['content-length'])).toBeGreaterThan(200);
    expect(head.headers['content-length']).toBe(full.headers['content-length']);
  });

  it.each([
    '/.well-known/est/cacerts',
    '/.well-known/est/simpleenroll',
    '/crl/local.cer',
    '/ca/local.crl',
    '/crl/nobody.crl',
    '/crl/mock.crl',
    '/crl/../ca/local.cer',
    '/crl/%2e%2e/local.crl',
    '/',
  ])('T-01 has nothing at %s, and sends nobody elsewhere', async (path) => {
    const answer = await supertest(gateway.httpUrl).get(path).redirects(0);
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('text/plain');
  });

  it('takes no other method', async () => {
    const answer = await supertest(gateway.httpUrl).post('/crl/local.crl');
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  it.each([
    ['get', '/nothing', 404, 'unknown_operation'],
    ['post', '/crl/local.crl', 405, 'method_not_allowed'],
  ] as const)(
    'S-42 logs that it refused %s %s, under the id in the answer',
    async (method, path, status, outcome) => {
      const before = gateway.log.entries.length;
      const answer = await supertest(gateway.httpUrl)[method](path).expect(status);
      const requestId = /^[ -~]+ \(request ([0-9a-f-]{36})\)\n$/.exec(answer.text)?.[1];
      const fields = { requestId, method: method.toUpperCase(), status, outcome, address: '127.0.0.1' };
      expect(gateway.log.entries.slice(before)).toMatchObject([
        { level: 'info', message: 'request', fields },
      ]);
    },
  );
});

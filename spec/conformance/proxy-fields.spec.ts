import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send, sendToSocket, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-fields-'));
  gateway = await startTestGateway({
    proxy: { socket: join(folder, 'est.sock'), clientCertificate: 'rfc9440' },
  });
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

/** One request over the proxy's socket. */
const viaProxy = async (path: string, options: Parameters<typeof sendToSocket>[2] = {}): Promise<Answer> =>
  await sendToSocket(gateway.proxyPlace, `/.well-known/est${path}`, options);

describe('fields of proxies that nobody believes', () => {
  it.each([
    ['Client-Cert', 'client-cert'],
    ['client-cert-chain', 'client-cert-chain'],
    ['X-SSL-Client-Cert', 'x-ssl-client-cert'],
    ['X_SSL_Client_Cert', 'x-ssl-client-cert'],
    ['X-Forwarded-Client-Cert', 'x-forwarded-client-cert'],
    ['SSL-Client-Cert', 'ssl-client-cert'],
    ['X-Client-Cert', 'x-client-cert'],
  ])('X-03 X-05 warns that %s was ignored where TLS ends at the gateway', async (name, logged) => {
    const options = { ca: gateway.trustAnchor, headers: { [name]: ['forged', 'forged'] } };
    expect((await send(`${gateway.url}/cacerts`, options)).status).toBe(200);
    const entry = gateway.log.entries.at(-1);
    expect(entry).toMatchObject({
      level: 'warn',
      message: 'request',
      fields: { outcome: 'ok', status: 200 },
    });
    expect(entry?.fields['ignoredProxyFields']).toEqual([logged]);
    expect(gateway.log.lines().at(-1)).not.toContain('forged');
  });

  it('X-05 warns of nothing where the proxy sets the field, or nobody does', async () => {
    const headers = { 'Client-Cert': `:${gateway.issuingCertificate.replace(/-----[^-]+-----|\n/g, '')}:` };
    await viaProxy('/cacerts', { headers });
    await send(`${gateway.url}/cacerts`, { ca: gateway.trustAnchor });
    for (const { level, fields } of gateway.log.entries.slice(-2)) {
      expect([level, fields['status'], 'ignoredProxyFields' in fields]).toEqual(['info', 200, false]);
    }
  });
});

describe('early data of TLS (RFC 8470)', () => {
  it.each(['1', '0', '', 'junk'])(
    'S-26 takes no POST that came in early data (Early-Data: %s)',
    async (value) => {
      const early = { 'Early-Data': value };
      const before = (await gateway.store.enrollments.list(1000)).length;
      const csr = await plainCsr('device-1', await generateKeyPair('P-256'));
      const answer = await viaProxy('/simpleenroll', enrolment(csr, { Authorization: basic, ...early }));
      expect([answer.status, answer.body]).toEqual([
        425,
        expect.stringMatching(/early data.* \(request [0-9a-f-]{36}\)\n$/),
      ]);
      expect(gateway.log.entries.at(-1)?.fields).toMatchObject({ outcome: 'too_early', status: 425 });
      expect((await gateway.store.enrollments.list(1000)).length).toBe(before);
      expect((await viaProxy('/cacerts', { headers: early })).status).toBe(200);
      expect((await viaProxy('/csrattrs', { headers: early })).status).toBeLessThan(300);
    },
  );

  it.each(['simpleenroll', 'simplereenroll'])(
    'S-26 answers 425 to %s before it asks who that is',
    async (operation) => {
      const { status } = await viaProxy(`/${operation}`, {
        method: 'POST',
        headers: { 'Early-Data': '1' },
        body: 'x',
      });
      expect(status).toBe(425);
    },
  );

  it('S-26 ignores Early-Data where TLS ends at the gateway, which takes none', async () => {
    const csr = await plainCsr('device-1', await generateKeyPair('P-256'));
    const parts = enrolment(csr, { Authorization: basic, 'Early-Data': '1' });
    expect((await send(`${gateway.url}/simpleenroll`, { ca: gateway.trustAnchor, ...parts })).status).toBe(
      200,
    );
  });
});

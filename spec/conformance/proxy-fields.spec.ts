import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../support/client.ts';
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
async function viaProxy(
  path: string,
  options: RequestOptions & { readonly body?: string } = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const { body, ...rest } = options;
  const { proxyPlace: socketPath } = gateway;
  const outgoing = request({ agent: false, socketPath, path: `/.well-known/est${path}`, ...rest });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return { status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('latin1') };
}

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

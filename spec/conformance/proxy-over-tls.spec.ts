import { describe, expect, it } from '@jest/globals';
import { send } from '../support/client.ts';
import { enrolDevice } from '../support/device.ts';
import { startTestGateway } from '../support/gateway.ts';

describe('a proxy that comes over TLS', () => {
  it('X-03 is let in by its certificate alone', async () => {
    const proxies = await startTestGateway();
    const proxy = await enrolDevice(proxies, 'proxy');
    const tls = {
      certificate: 'server.pem',
      privateKey: 'file:server.key',
      trustAnchors: [`${proxies.directory}/root.pem`, `${proxies.directory}/issuing.pem`],
    };
    const behind = await startTestGateway({
      proxy: { address: '0.0.0.0', port: 0, tls, clientCertificate: 'nginx' },
    });
    try {
      const url = `${behind.proxyPlace.replace('http:', 'https:')}/.well-known/est/cacerts`;
      const asProxy = { ca: behind.trustAnchor, key: proxy.key, cert: proxy.cert };
      expect((await send(url, asProxy)).status).toBe(200);
      const other = await enrolDevice(behind, 'other');
      await expect(send(url, { ca: behind.trustAnchor })).rejects.toThrow();
      await expect(send(url, { ca: behind.trustAnchor, key: other.key, cert: other.cert })).rejects.toThrow();
    } finally {
      await behind.stop();
      await proxies.stop();
    }
  });
});

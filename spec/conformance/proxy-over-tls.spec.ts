import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { named } from '../support/certificate.ts';
import { send } from '../support/client.ts';
import { generalName, subjectAltName } from '../support/csr.ts';
import { enrolDevice, issueByHand, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('a proxy that comes over TLS', () => {
  let behind: TestGateway;
  let proxies: TestGateway;
  let url: string;

  beforeAll(async () => {
    proxies = await startTestGateway();
    behind = await startTestGateway({
      proxy: {
        address: '0.0.0.0',
        port: 0,
        clientCertificate: 'nginx',
        tls: {
          certificate: 'server.pem',
          privateKey: 'file:server.key',
          trustAnchors: [`${proxies.directory}/root.pem`, `${proxies.directory}/issuing.pem`],
          names: ['proxy', 'nginx.plant.example'],
        },
      },
    });
    url = `${behind.proxyPlace.replace('http:', 'https:')}/.well-known/est`;
  });
  afterAll(async () => {
    await behind.stop();
    await proxies.stop();
  });

  async function statusFor({ key, cert }: Pick<Device, 'key' | 'cert'>): Promise<number> {
    return (await send(`${url}/cacerts`, { ca: behind.trustAnchor, key, cert })).status;
  }

  /** By the CA of the proxies. */
  async function certified(commonName: string, dnsNames: readonly string[]): Promise<Device> {
    const names = dnsNames.map((text) => generalName(2, text));
    const extensions = names.length === 0 ? [] : [subjectAltName(...names)];
    return await issueByHand(proxies, { subject: named(commonName), extensions });
  }

  it('is served by no certificate that does not belong to its key', async () => {
    const tls = { certificate: 'issuing.pem', privateKey: 'file:server.key', trustAnchors: ['root.pem'] };
    const proxy = {
      address: '127.0.0.1',
      port: 0,
      clientCertificate: 'nginx',
      tls: { ...tls, names: ['x'] },
    };
    await expect(startTestGateway({ proxy })).rejects.toThrow(
      'listeners.proxy: the private key does not belong to the first certificate of the file.',
    );
  });

  it('X-03 is let in by its certificate alone', async () => {
    expect(await statusFor(await enrolDevice(proxies, 'proxy'))).toBe(200);
    await expect(send(`${url}/cacerts`, { ca: behind.trustAnchor })).rejects.toThrow();
    await expect(statusFor(await enrolDevice(behind, 'proxy'))).rejects.toThrow();
  });

  it.each([
    ['proxy', []],
    ['frontend', ['other.example', 'NGINX.plant.example']],
  ])('X-03 takes a proxy of the name %s %j', async (commonName, dnsNames) => {
    expect(await statusFor(await certified(commonName, dnsNames))).toBe(200);
  });

  it.each([
    ['device-1', []],
    ['proxy', ['device-1.example']],
    ['device-1', ['*.plant.example']],
    ['device-1', ['x.nginx.plant.example']],
  ])('X-03 takes nobody else whom the same CA has certified: %s %j', async (commonName, dnsNames) => {
    const before = behind.log.entries.length;
    await expect(statusFor(await certified(commonName, dnsNames))).rejects.toThrow();
    expect(
      behind.log.entries.slice(before).map(({ message, fields }) => [message, fields['reason']]),
    ).toEqual([
      ['connection refused', 'The certificate has none of the names of listeners.proxy.tls.names.'],
    ]);
  });

  it('S-38 stays with its CA until a restart, since connections of proxies outlive a reload', async () => {
    const file = join(proxies.directory, 'root.pem');
    await writeFile(file, behind.trustAnchor);
    await expect(behind.reload()).rejects.toThrow(
      'listeners.proxy.tls.trustAnchors: other CAs take effect at a restart alone',
    );
    await writeFile(file, proxies.trustAnchor);
    await behind.reload();
    expect(await statusFor(await enrolDevice(proxies, 'proxy'))).toBe(200);
  });
});

import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { send, type Answer } from '../support/client.ts';
import { setDateAlone } from '../support/clock.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { describeWith } from '../support/programs.ts';
import { until } from '../support/upstream.ts';
import {
  openVendor,
  startCountingServer,
  type CountingServer,
  type Vendor,
  type VendorDevice,
} from '../support/vendor.ts';

/** Certificates of a vendor at aliases that look for revocations in different places. */
describeWith('openssl', 'revocation by CRLs', () => {
  let vendor: Vendor;
  let stranger: Vendor;
  let web: CountingServer;
  let gateway: TestGateway;
  let good: VendorDevice;
  let revoked: VendorDevice;
  /** What the web server answers, by path. */
  const documents = new Map<string, Buffer>();

  beforeAll(async () => {
    [vendor, stranger] = await Promise.all([openVendor(), openVendor()]);
    good = await vendor.issue('good');
    revoked = await vendor.issue('revoked');
    await vendor.revoke('revoked');
    web = await startCountingServer((request, response) => {
      const document = documents.get(request.url ?? '');
      if (request.url === '/redirect.crl') response.writeHead(302, { Location: '/elsewhere.crl' }).end();
      else if (document !== undefined) response.end(document);
      else if (request.url !== '/slow.crl') response.writeHead(404).end();
    });
    await makeCrls();
    const names = Object.entries(revocations());
    const soft = names.map(
      ([name, revocation]) => [`${name}-soft`, { ...revocation, onFailure: 'soft' }] as const,
    );
    gateway = await startTestGateway({
      proxy: { address: '127.0.0.1', port: 0, clientCertificate: 'rfc9440' },
      revocation: { allowedNetworks: ['127.0.0.0/8', '::1/128'], timeout: 1, maxBytes: 100_000 },
      aliases: {
        ...Object.fromEntries([...names, ...soft].map(([name, revocation]) => [name, aliasWith(revocation)])),
        own: {
          authentication: 'clientCertificate',
          explicitTrustAnchors: [vendor.file('both.pem')],
          revocation: { sources: ['crl'], crlFiles: [vendor.file('replaced.crl')] },
        },
      },
    });
  });

  afterAll(async () => {
    await Promise.all([gateway.stop(), web.stop(), vendor.remove(), stranger.remove()]);
  });

  async function makeCrls(): Promise<void> {
    const point = (words: string): string => `issuingDistributionPoint=critical,@idp\n[idp]\n${words}`;
    documents.set('/issuing.crl', await vendor.crl('issuing.crl'));
    documents.set('/shared.crl', await vendor.crl('shared.crl'));
    documents.set('/kept.crl', await vendor.crl('kept.crl'));
    documents.set('/elsewhere.crl', await vendor.crl('elsewhere.crl'));
    documents.set('/large.crl', Buffer.alloc(200_000, 0x30));
    documents.set('/garbage.crl', Buffer.from('<html>not here</html>'));
    documents.set('/delta.crl', await vendor.crl('delta.crl', '', 'deltaCRL=critical,ASN1:INTEGER:1'));
    documents.set('/indirect.crl', await vendor.crl('indirect.crl', '', point('indirectCRL=TRUE')));
    await vendor.crl('replaced.crl');
    await vendor.crl('old.crl', '-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z');
    await vendor.crl('users.crl', '', point('onlyuser=TRUE'));
    await vendor.crl('cas.crl', '', point('onlyCA=TRUE'));
    await vendor.crl('root.crl', '', undefined, 'root');
    await vendor.revoke('issuing', 'root');
    await vendor.crl('revoked-ca.crl', '', undefined, 'root');
    // The same name as the vendor's issuing CA, with another key.
    await stranger.crl('issuing.crl', '', 'issuerAltName=DNS:example');
  }

  function revocations(): Readonly<Record<string, object>> {
    const files = (...names: readonly string[]): object => ({
      sources: ['crl'],
      crlFiles: names.map((name) => vendor.file(name)),
    });
    const url = (path: string): object => ({ sources: ['crl'], crlUrls: [`${web.url}${path}`] });
    return {
      file: files('issuing.crl'),
      users: files('users.crl'),
      cas: { ...files('cas.crl'), withoutSource: 'refuse' },
      chain: { ...files('issuing.crl', 'root.crl'), withoutSource: 'refuse' },
      'revoked-ca': files('issuing.crl', 'revoked-ca.crl'),
      'root-only': { ...files('root.crl'), withoutSource: 'refuse' },
      old: files('old.crl'),
      stranger: { sources: ['crl'], crlFiles: [stranger.file('issuing.crl')] },
      url: url('/issuing.crl'),
      shared: url('/shared.crl'),
      kept: url('/kept.crl'),
      slow: url('/slow.crl'),
      missing: url('/missing.crl'),
      redirect: url('/redirect.crl'),
      large: url('/large.crl'),
      garbage: url('/garbage.crl'),
      delta: url('/delta.crl'),
      indirect: url('/indirect.crl'),
      follow: { sources: ['crl'], followCertificates: true },
      // Of another CA than the certificates that name a CRL.
      stay: files('root.crl'),
    };
  }

  function aliasWith(revocation: object): object {
    return {
      authentication: 'clientCertificate',
      implicitTrustAnchors: [vendor.file('both.pem')],
      revocation,
    };
  }

  /** `path` is alias and operation. */
  async function ask(path: string, { key, cert, name }: VendorDevice, agent?: Agent): Promise<Answer> {
    return await send(`${gateway.url}/${path}`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...(agent && { agent }),
      ...enrolment(await plainCsr(name, await generateKeyPair('P-256'))),
    });
  }

  /** The same by way of a proxy, which hands on the certificate and the one above it. */
  async function statusBehindProxy(path: string, device: VendorDevice, above: VendorDevice): Promise<number> {
    const sequenceOf = ({ cert }: VendorDevice): string => `:${cert.replace(/-----[^-]+-----|\n/g, '')}:`;
    const csr = await plainCsr(device.name, await generateKeyPair('P-256'));
    const { body, ...parts } = enrolment(csr, {
      'Client-Cert': sequenceOf(device),
      'Client-Cert-Chain': sequenceOf(above),
    });
    const outgoing = request(`${gateway.proxyPlace}/.well-known/est/${path}`, { agent: false, ...parts });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.resume();
    return incoming.statusCode ?? 0;
  }

  it('S-07 V-53 takes a certificate that is on no CRL, and refuses one that is', async () => {
    for (const alias of ['file', 'url', 'users']) {
      expect(await ask(`${alias}/simpleenroll`, good)).toMatchObject({ status: 200 });
      expect(await ask(`${alias}/simpleenroll`, revoked)).toMatchObject({
        status: 403,
        body: expect.stringContaining('it is revoked'),
      });
      expect(gateway.log.entries.at(-1)?.fields['refusedCertificate']).toMatch(
        /^CN=.*, serial number [0-9a-f]+, issued by CN=/,
      );
    }
  });

  it('R-14 V-54 S-07 renews nothing on a live connection for a certificate that a new CRL file lists', async () => {
    const device = await vendor.issue('revoked-later');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const renewal = async (): Promise<Answer> => await ask('own/simplereenroll', device, agent);
    expect(await renewal()).toMatchObject({ status: 200 });
    await vendor.revoke('revoked-later');
    await vendor.crl('replaced.crl');
    let answer = await renewal();
    while (answer.status === 200) answer = await renewal();
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('it is revoked') });
    expect(Object.values(agent.sockets).flat().length + Object.values(agent.freeSockets).flat().length).toBe(
      1,
    );
    agent.destroy();
  });

  it('S-07 checks the CAs of the path, too', async () => {
    expect(await ask('chain/simpleenroll', good)).toMatchObject({ status: 200 });
    expect(await ask('revoked-ca/simpleenroll', good)).toMatchObject({
      status: 403,
      body: expect.stringContaining('the certificate of a CA above it is revoked'),
    });
  });

  it.each([
    ['whose nextUpdate has passed', 'old'],
    ['that another CA of the same name signed', 'stranger'],
    ['that does not come in time', 'slow'],
    ['that is not there', 'missing'],
    ['that is somewhere else', 'redirect'],
    ['that is too large', 'large'],
    ['that is no CRL', 'garbage'],
    ['that is a delta CRL', 'delta'],
    ['that is an indirect CRL', 'indirect'],
  ])('S-07 S-08 knows nothing by a CRL %s: hard refuses, soft accepts and logs', async (_what, alias) => {
    const hard = await ask(`${alias}/simpleenroll`, good);
    expect(hard).toMatchObject({ status: 503, headers: { 'retry-after': '30' } });
    expect(hard.body).toMatch(/cannot be found out at the moment whether the client certificate is revoked/);
    const before = gateway.log.entries.length;
    expect(await ask(`${alias}-soft/simpleenroll`, good)).toMatchObject({ status: 200 });
    const warnings = gateway.log.entries.slice(before).filter(({ level }) => level === 'warn');
    expect(warnings).toContainEqual(
      expect.objectContaining({
        message: 'A certificate is accepted although nobody knows whether it is revoked.',
        fields: expect.objectContaining({ issuer: 'CN=Vendor Issuing', reason: expect.any(String) }),
      }),
    );
  });

  it('S-08 follows no redirect', () => {
    expect(web.visits).toContain('/redirect.crl');
    expect(web.visits).not.toContain('/elsewhere.crl');
  });

  it('S-07 refuses what no source speaks of, where the alias wants that', async () => {
    for (const alias of ['cas', 'root-only']) {
      expect(await ask(`${alias}/simpleenroll`, good)).toMatchObject({
        status: 403,
        body: expect.stringContaining('it cannot be checked for revocation here'),
      });
    }
  });

  it('fetches a CRL once for all who ask meanwhile, and keeps it', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(async () => await ask('shared/simpleenroll', good)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await ask('shared/simpleenroll', good);
    expect(web.visits.filter((path) => path === '/shared.crl')).toHaveLength(1);
  });

  it('S-07 fetches a CRL anew ahead of its end, and believes it until then and no longer', async () => {
    const begun = Date.now();
    const after = async (hours: number): Promise<number> => {
      setDateAlone(begun + hours * 3_600_000);
      return (await ask('kept/simpleenroll', good)).status;
    };
    const fetched = async (times: number): Promise<void> => {
      const visits = () => web.visits.filter((path) => path === '/kept.crl').length;
      await until(() => visits() === times, `the CRL is fetched ${times} times`);
    };
    try {
      expect(await after(0)).toBe(200);
      expect(await after(0.9)).toBe(200);
      await fetched(1);
      // After `revocation.refresh`; the CRL itself is good for a week.
      expect(await after(1.1)).toBe(200);
      await fetched(2);
      documents.delete('/kept.crl');
      expect(await after(167)).toBe(200);
      await fetched(3);
      expect(await after(169)).toBe(503);
    } finally {
      jest.useRealTimers();
    }
  });

  it('S-08 goes where certificates of configured CAs say, if the alias says so', async () => {
    const extensions = (path: string): string => `crlDistributionPoints=URI:${web.url}${path}`;
    const fine = await vendor.issue('named', extensions('/named.crl'));
    const bad = await vendor.issue('named-revoked', extensions('/named.crl'));
    await vendor.revoke('named-revoked');
    documents.set('/named.crl', await vendor.crl('named.crl'));
    expect(await ask('stay/simpleenroll', fine)).toMatchObject({ status: 200 });
    expect(web.visits).not.toContain('/named.crl');
    expect(await ask('follow/simpleenroll', fine)).toMatchObject({ status: 200 });
    expect(await ask('follow/simpleenroll', bad)).toMatchObject({ status: 403 });
    expect(web.visits.filter((path) => path === '/named.crl')).toHaveLength(1);
  });

  it('S-08 goes nowhere for a certificate whose CA only the client knows', async () => {
    const below = await vendor.issue(
      'below',
      'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash',
    );
    const device = await vendor.issue(
      'below-device',
      `crlDistributionPoints=URI:${web.url}/below.crl`,
      '-cert below.pem -keyfile below.key',
    );
    // Some releases of Node do not show the gateway what came along, and then it refuses; a proxy shows it.
    const { status } = await ask('follow/simpleenroll', { ...device, cert: device.cert + below.cert });
    expect([200, 403]).toContain(status);
    expect(await statusBehindProxy('follow/simpleenroll', device, below)).toBe(200);
    expect(web.visits).not.toContain('/below.crl');
  });

  it('S-08 goes to no private address unless its network is allowed', async () => {
    const { port } = new URL(web.url);
    const hosts = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0x7f.1',
      '2130706433',
      '0.0.0.0',
      '127.0.0.1.',
      '[::ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::1]',
      '168.63.129.16',
    ];
    const careful = await startTestGateway({
      aliases: Object.fromEntries(
        hosts.map((host, at) => [
          `host${at}`,
          aliasWith({ sources: ['crl'], crlUrls: [`http://${host}:${port}/private.crl`] }),
        ]),
      ),
    });
    try {
      for (const at of hosts.keys()) {
        const answer = await send(`${careful.url}/host${at}/simpleenroll`, {
          ca: careful.trustAnchor,
          key: good.key,
          cert: good.cert,
          ...enrolment(await plainCsr('good', await generateKeyPair('P-256'))),
        });
        expect(answer).toMatchObject({ status: 503 });
        expect(careful.log.entries.at(-1)?.fields).toMatchObject({
          reason: expect.stringContaining('an address that is not public'),
        });
      }
      expect(web.visits).not.toContain('/private.crl');
    } finally {
      await careful.stop();
    }
  });
});

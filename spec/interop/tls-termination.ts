import { beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { send, type Answer } from '../support/client.ts';
import { extension, generateKeyPair, id, name, tlv, utf8String } from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  issueByHand,
  plainCsr,
  privatePem,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

/** A gateway behind a proxy that ends TLS, which runs. */
export interface TlsTermination {
  readonly gateway: TestGateway;
  /** Of the proxy. */
  readonly port: number;
}

/** Where a proxy may differ from another. */
interface TlsTerminationTraits {
  /** What comes of enrolment and renewal by a certificate in a field that a client writes; by the field's name. */
  readonly forged: Readonly<Record<string, readonly [enrolled: number, renewed: number]>>;
  /** What the proxy says while the gateway is down. */
  readonly unreachable: string;
}

/** A gateway for the suite, at a Unix socket. */
export async function startGatewayBehind(
  socket: string,
  clientCertificate: 'nginx' | 'haproxy',
  aliases: TestGatewayOptions['aliases'] = {},
): Promise<TestGateway> {
  return await startTestGateway({
    proxy: { socket, clientCertificate, cipherSuite: 'X-SSL-Cipher' },
    aliases: {
      certificate: { authentication: 'clientCertificate' },
      strong: { serverKeyGeneration: { keys: ['P-384'] } },
      ...aliases,
    },
  });
}

type Credentials = Pick<Device, 'key' | 'cert'>;

/** Posts a CSR to a path below `/.well-known/est`, through the proxy. */
export async function postThrough(
  { gateway, port }: TlsTermination,
  path: string,
  csr: Buffer,
  headers: Readonly<Record<string, string>> = {},
  shown?: Credentials,
): Promise<Answer> {
  const tls = shown && { key: shown.key, cert: shown.cert };
  const url = `https://localhost:${port}/.well-known/est${path}`;
  return await send(url, { ca: gateway.trustAnchor, ...tls, ...enrolment(csr, headers) });
}

/** A CSR with a new key. */
export async function csrFor(commonName: string): Promise<Buffer> {
  return await plainCsr(commonName, await generateKeyPair('P-256'));
}

/** What holds behind every proxy that ends TLS, whatever its program is; `running` is asked when the tests run. */
export function tlsTerminationSuite(
  running: () => TlsTermination,
  { forged, unreachable }: TlsTerminationTraits,
): void {
  let gateway: TestGateway;
  let url: string;
  let device: Device;
  beforeAll(async () => {
    gateway = running().gateway;
    url = `https://localhost:${running().port}/.well-known/est`;
    device = await enrolDevice(gateway, 'device-1');
  });

  const post = async (
    path: string,
    csr: Buffer,
    headers: Readonly<Record<string, string>> = {},
    shown?: Credentials,
  ): Promise<Answer> => await postThrough(running(), path, csr, headers, shown);
  const enrolments = async (): Promise<number> => (await gateway.store.enrollments.list(1000)).length;
  const base64 = ({ cert }: Credentials): string => cert.replaceAll(/-----[^-]+-----|\n/g, '');

  it('gives the CA certificates to who has no certificate', async () => {
    const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/pkcs7-mime']);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'X-07 X-15 enrols by user and code, and renews by the certificate that came of it, over %s',
    async (version) => {
      const tls = { ca: gateway.trustAnchor, minVersion: version, maxVersion: version };
      const keyPair = await generateKeyPair('P-256');
      const enrolled = await send(`${url}/simpleenroll`, {
        ...tls,
        ...enrolment(await plainCsr(version, keyPair), { Authorization: basic, Expect: '100-continue' }),
      });
      const shown = { key: privatePem(keyPair.privateKey), cert: await certificateOf(enrolled) };
      const renewed = await send(`${url}/simplereenroll`, {
        ...{ ...tls, ...shown },
        ...enrolment(await csrFor(version)),
      });
      expect([enrolled.status, renewed.status]).toEqual([200, 200]);
      const verified = await openssl('verify -CAfile root.pem -untrusted issuing.pem renewed.pem', {
        'root.pem': gateway.trustAnchor,
        'issuing.pem': gateway.issuingCertificate,
        'renewed.pem': await certificateOf(renewed),
      });
      expect(verified).toContain('OK');
    },
  );

  it.each(Object.entries(forged))(
    'X-02 S-01 S-02 believes no certificate that a client writes into %s',
    async (field, statuses) => {
      const before = await enrolments();
      for (const value of [base64(device), `:${base64(device)}:`, encodeURIComponent(device.cert)]) {
        const csr = await csrFor('device-1');
        const enrolled = await post('/certificate/simpleenroll', csr, { [field]: value });
        const renewed = await post('/simplereenroll', csr, { [field]: value });
        expect([enrolled.status, renewed.status]).toEqual(statuses);
      }
      expect(await enrolments()).toBe(before);
    },
  );

  it('X-10 believes the certificate that is shown, whatever the fields of the client say', async () => {
    const other = await enrolDevice(gateway, 'device-2');
    const headers = { Connection: 'close, X-SSL-Client-Cert', 'X-SSL-Client-Cert': base64(other) };
    const answers = [
      await post('/simplereenroll', await csrFor('device-1'), headers, device),
      await post('/simplereenroll', await csrFor('device-2'), headers, device),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  });

  it('X-06 validates again what the proxy lets through, such as the certificate of a stranger', async () => {
    const other = await startTestGateway();
    const stranger = await enrolDevice(other, 'stranger');
    await other.stop();
    const answer = await post('/certificate/simpleenroll', await csrFor('stranger'), {}, stranger);
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('it leads to no trust anchor'),
    ]);
  });

  it('X-06 takes a certificate for itself, and not for one that is written inside it', async () => {
    const keyPair = await generateKeyPair('P-256');
    const inside = extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.from(`\n${device.cert}`)));
    const der = await certificateDer({ key: keyPair, subject: named('stranger'), extensions: [inside] });
    const stranger = { cert: certificateToPem(der), key: privatePem(keyPair.privateKey) };
    for (const path of ['/certificate/simpleenroll', '/simplereenroll']) {
      expect((await post(path, await csrFor('device-1'), {}, stranger)).status).toBe(403);
    }
  });

  it.each([
    ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256', 403],
    ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', 200],
    ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', 403],
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384', 200],
  ] as const)(
    'K-06 X-02 makes a key for who comes with %s %s, whatever it says itself: %d',
    async (version, ciphers, status) => {
      for (const claim of [
        { 'X-SSL-Cipher': 'TLS_AES_256_GCM_SHA384' },
        { Connection: 'close, X-SSL-Cipher' },
      ]) {
        const answer = await send(`${url}/strong/serverkeygen`, {
          ...{ ca: gateway.trustAnchor, ciphers, minVersion: version, maxVersion: version },
          ...enrolment(await csrFor('device-1'), { Authorization: basic, ...claim }),
        });
        expect(answer.status).toBe(status);
      }
    },
  );

  it('X-06 logs the address of the client, whatever the client says', async () => {
    const parts = fc.constantFrom(
      ...[
        'for=192.0.2.66',
        '192.0.2.66',
        '127.0.0.1',
        'unknown',
        '_hidden',
        'host=a',
        '"',
        '\\',
        ';',
        ', ',
        '[::1]:1',
      ],
    );
    const value = fc.array(parts, { maxLength: 6 }).map((some) => some.join(''));
    const names = [
      'X-Forwarded-For',
      'x-forwarded-for',
      'X_Forwarded_For',
      'Forwarded',
      'X-Real-IP',
      'Client-IP',
    ];
    const headers = fc.dictionary(fc.constantFrom(...names), value, { minKeys: 1, maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(headers, async (forged) => {
        const before = gateway.log.entries.length;
        // Every address of 127.0.0.0/8 is one of this host.
        await send(`${url}/cacerts`, {
          ...{
            ca: gateway.trustAnchor,
            host: '127.0.0.1',
            localAddress: '127.0.0.77',
            servername: 'localhost',
          },
          headers: forged,
        });
        const logged = gateway.log.entries.slice(before).map(({ fields }) => fields['address']);
        expect(logged.every((address) => address === '127.0.0.77')).toBe(true);
      }),
      { numRuns: 60 },
    );
    expect(gateway.log.entries.at(-1)?.fields['address']).toBe('127.0.0.77');
  });

  it('X-08 takes client certificates of 54 KB', async () => {
    const large = await issueByHand(gateway, {
      subject: name([id.commonName, utf8String('large')]),
      extensions: [extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.alloc(54_000, 1)))],
    });
    expect((await post('/certificate/simpleenroll', await csrFor('large'), {}, large)).status).toBe(200);
  });

  it('X-16 says in plain text when to come again while the gateway is down', async () => {
    await gateway.restart(async () => {
      const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
      expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([503, '10', unreachable]);
    });
    expect((await send(`${url}/cacerts`, { ca: gateway.trustAnchor })).status).toBe(200);
  });
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchangeRaw, openTls, readToEnd, send, sClient } from '../support/client.ts';
import { certificateDer, named, caConstraints, keyUsage } from '../support/certificate.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  keyPair,
  objectIdentifier,
  sequence,
  tlv,
  utf8String,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

let gateway: TestGateway;
let directory: string;
let innocent: Server;
let visits = 0;

/** A vendor's device whose certificates name places to look at, all of which lead to `innocent`. */
let vendorDevice: { readonly key: string; readonly cert: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'neighbours-'));
  innocent = createServer((_request, response) => {
    visits += 1;
    response.end();
  });
  innocent.on('connection', () => (visits += 1));
  innocent.listen(0, '127.0.0.1');
  await once(innocent, 'listening');
  vendorDevice = await makeVendorDevice();
  gateway = await startTestGateway({
    aliases: {
      vendor: { authentication: 'clientCertificate', implicitTrustAnchors: [join(directory, 'vendor.pem')] },
    },
    limits: { bodyBytes: 131_072 },
  });
});
afterAll(async () => {
  await gateway.stop();
  innocent.close();
  await rm(directory, { recursive: true });
});

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

async function makeVendorDevice(): Promise<{ key: string; cert: string }> {
  const address = innocent.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
  const uri = generalName(6, url);
  const access = (oid: string): Buffer => sequence(objectIdentifier(oid), uri);
  const vendor = await keyPair('P-384');
  const key = await generateKeyPair('P-256');
  const root = await certificateDer({
    subject: named('Vendor'),
    key: vendor,
    extensions: [caConstraints(), keyUsage(2, 0x04)],
  });
  const leaf = await certificateDer({
    subject: named('vendor-device'),
    issuer: named('Vendor'),
    key,
    issuerKey: vendor,
    extensions: [
      extension('2.5.29.31', sequence(sequence(tlv(0xa0, tlv(0xa0, uri))))),
      extension('1.3.6.1.5.5.7.1.1', sequence(access('1.3.6.1.5.5.7.48.1'), access('1.3.6.1.5.5.7.48.2'))),
    ],
  });
  await writeFile(join(directory, 'vendor.pem'), pem(root));
  return { key: privatePem(key.privateKey), cert: pem(leaf) };
}

const status = async (method: string, path: string): Promise<number> =>
  (await send(`https://localhost:${gateway.port}${path}`, { ca: gateway.trustAnchor, method })).status;

describe('specifications beside EST', () => {
  it.each(['requestvoucher', 'voucher_status', 'requestauditlog', 'enrollstatus'])(
    'O-10 O-15 has no BRSKI registrar: %s',
    async (operation) => {
      expect(await status('POST', `/.well-known/brski/${operation}`)).toBe(404);
    },
  );

  it.each(['crts', 'sen', 'sren', 'skg', 'skc', 'att'])(
    'O-20 does not serve the short name %s',
    async (name) => {
      expect(await status('GET', `/.well-known/est/${name}`)).toBe(404);
      expect(await status('POST', `/.well-known/est/${name}`)).toBe(404);
    },
  );

  it('O-11 serves cacerts and simpleenroll over one connection', async () => {
    const body = (await plainCsr('pledge', await generateKeyPair('P-256'))).toString('base64');
    const socket = await openTls({ port: gateway.port, ca: gateway.trustAnchor });
    socket.write(
      [
        'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n',
        `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${basic}\r\n`,
        `Content-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      ].join(''),
    );
    expect((await readToEnd(socket)).match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  });
});

describe('keys and signatures of tomorrow', () => {
  it('PQ-05 takes as large a body as the limit says, and no larger', async () => {
    const csr = (await plainCsr('large', await generateKeyPair('P-256'))).toString('base64');
    const post = async (size: number) =>
      await send(`${gateway.url}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(Buffer.alloc(0), { Authorization: basic }),
        body: csr.padEnd(size, '\n'),
      });
    expect(await post(70_000)).toMatchObject({ status: 200 });
    expect(await post(200_000)).toMatchObject({ status: 413 });
  });

  it('PQ-11 PQ-14 renews an EC certificate with a key of ML-DSA', async () => {
    const device = await enrolDevice(gateway, 'agile');
    const csr = await plainCsr('agile', await generateKeyPair('ML-DSA-65'));
    const { key, cert } = device;
    const answer = await send(`${gateway.url}/simplereenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(csr),
    });
    expect(answer.status).toBe(200);
    const text = await openssl('x509 -in renewed.pem -noout -text', {
      'renewed.pem': await certificateOf(answer),
    });
    expect(text).toMatch(/Public Key Algorithm: 2\.16\.840\.1\.101\.3\.4\.3\.18/);
  });
});

describe('what an attacker may try', () => {
  it('S-08 follows no address that a client certificate names', async () => {
    const csr = await plainCsr('vendor-device', await generateKeyPair('P-256'));
    const answer = await send(`${gateway.url}/vendor/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...vendorDevice,
      ...enrolment(csr),
    });
    expect(answer.status).toBe(200);
    expect(visits).toBe(0);
  });

  it('S-01 S-02 V-55 believes no header field that names a certificate', async () => {
    const { cert } = await enrolDevice(gateway, 'impersonated');
    const der = cert.replace(/-----[^-]+-----|\n/g, '');
    const values = [`:${der}:`, encodeURIComponent(cert), `Hash=00;Cert="${encodeURIComponent(cert)}"`];
    const names = [
      'Client-Cert',
      'Client_Cert',
      'CLIENT-CERT',
      'X-SSL-Client-Cert',
      'X-Forwarded-Client-Cert',
    ];
    const csr = await plainCsr('impersonated', await generateKeyPair('P-256'));
    for (const name of names) {
      for (const value of values) {
        const headers = { [name]: value, 'X-SSL-Client-Verify': 'SUCCESS', 'X-Forwarded-For': '127.0.0.1' };
        const answer = await send(`${gateway.url}/simplereenroll`, {
          ca: gateway.trustAnchor,
          ...enrolment(csr, headers),
        });
        expect(answer.status).toBe(401);
      }
    }
  });

  it('S-02 V-55 refuses header fields that are larger than any certificate', async () => {
    const head = `GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nClient-Cert: ${'a'.repeat(40_000)}\r\n\r\n`;
    expect(await exchangeRaw({ port: gateway.port, ca: gateway.trustAnchor }, head)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('S-26 takes no early data of TLS 1.3', async () => {
    const port = gateway.port;
    const session = join(directory, 'session');
    const request = join(directory, 'request');
    await writeFile(
      request,
      'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    await sClient(port, `-tls1_3 -ign_eof -sess_out ${session}`, 'GET / HTTP/1.0\r\n\r\n');
    const output = await sClient(port, `-tls1_3 -sess_in ${session} -early_data ${request}`);
    expect(output).toContain('Reused, TLSv1.3');
    expect(output).toContain('Early data was not sent');
  });

  it('S-45 chooses the alias by the path alone, whatever SNI and Host say', async () => {
    const request = (host: string): string =>
      `GET /.well-known/est/vendor/cacerts HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const options = { port: gateway.port, ca: gateway.trustAnchor };
    const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n'));
    const plain = await exchangeRaw(options, request('localhost'));
    const other = await exchangeRaw({ ...options, servername: 'localhost' }, request('other.example'));
    expect(plain).toMatch(/^HTTP\/1\.1 200 /);
    expect(bodyOf(other)).toBe(bodyOf(plain));
  });

  it('S-41 V-53 reads the dates that a device may carry, up to the year 9999, and refuses one that is not valid yet', async () => {
    const key = await generateKeyPair('P-256');
    const leaf = await certificateDer({
      subject: named('eternal'),
      issuer: named('Vendor'),
      key,
      issuerKey: await keyPair('P-384'),
      notBefore: '20500101000000Z',
      notAfter: '99991231235959Z',
    });
    const answer = await send(`${gateway.url}/vendor/simpleenroll`, {
      ca: gateway.trustAnchor,
      key: privatePem(key.privateKey),
      cert: pem(leaf),
      ...enrolment(await plainCsr('eternal', await generateKeyPair('P-256'))),
    });
    expect(answer).toMatchObject({ status: 403 });
  });

  it('S-22 E-21 certifies exactly the names and the key that were checked', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await certificationRequest({
      key,
      subject: named('exact'),
      extensions: [extension(id.subjectAltName, sequence(generalName(2, 'exact.example')))],
    });
    const answer = await enrolWithBasic(gateway, csr);
    const text = await openssl('x509 -in exact.pem -noout -subject -pubkey -ext subjectAltName', {
      'exact.pem': await certificateOf(answer),
    });
    expect(text).toContain('subject=CN = exact\n');
    expect(text).toContain('DNS:exact.example\n');
    expect(text).toContain(key.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  });

  it('S-23 logs and keeps no challengePassword', async () => {
    const secret = `secret-${randomBytes(8).toString('hex')}`;
    const csr = await certificationRequest({
      attributes: [attribute(id.challengePassword, utf8String(secret))],
    });
    expect(await enrolWithBasic(gateway, csr)).toMatchObject({ status: 400 });
    expect(gateway.log.lines().join('\n')).not.toContain(secret);
    expect(JSON.stringify(await gateway.store.enrollments.list(1000))).not.toContain(secret);
  });

  it('S-10 is quick with names that are made to keep a matcher busy', async () => {
    const values = ['a'.repeat(40_000), 'a.'.repeat(20_000), '-'.repeat(40_000), `${'a-'.repeat(20_000)}!`];
    for (const value of values) {
      for (const type of [1, 2, 6] as const) {
        const csr = await certificationRequest({
          extensions: [extension(id.subjectAltName, sequence(generalName(type, value)))],
        });
        const before = performance.now();
        const answer = await enrolWithBasic(gateway, csr);
        expect([400, 403]).toContain(answer.status);
        expect(performance.now() - before).toBeLessThan(2000);
      }
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { loadConfiguration } from '../../src/config/load.ts';
import { startGateway } from '../../src/server.ts';
import { exchangePlain, readToEnd, sClient } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

let gateway: TestGateway;
let anchor: string;
beforeAll(async () => {
  gateway = await startTestGateway({ aliases: { other: { backend: 'mock', profile: 'issue' } } });
  anchor = `-CAfile ${join(gateway.directory, 'root.pem')}`;
});
afterAll(async () => {
  await gateway.stop();
});

const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const alert = 0x15;
const handshake = 0x16;
const handshakeFailure = 40;
const protocolVersion = 70;
const ecdheEcdsaAes128Gcm = 0xc02b;

const uint16 = (...values: readonly number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.of(value >> 8, value & 0xff)));
const helloExtension = (type: number, content: Buffer): Buffer =>
  Buffer.concat([uint16(type, content.length), content]);

/** A ClientHello of TLS 1.2 or before with these cipher suites (RFC 5246, section 7.4.1.2). */
function clientHello(version: number, suites: readonly number[]): Buffer {
  const extensions = Buffer.concat([
    helloExtension(10, uint16(4, 0x001d, 0x0017)),
    helloExtension(11, Buffer.of(1, 0)),
    helloExtension(13, uint16(4, 0x0403, 0x0804)),
  ]);
  const sessionId = Buffer.of(0);
  const noCompression = Buffer.of(1, 0);
  const body = Buffer.concat([
    ...[uint16(version), randomBytes(32), sessionId, uint16(2 * suites.length, ...suites)],
    ...[noCompression, uint16(extensions.length), extensions],
  ]);
  const message = Buffer.concat([Buffer.of(1, 0), uint16(body.length), body]);
  return Buffer.concat([Buffer.of(handshake), uint16(0x0301, message.length), message]);
}

/** The content type of the first record that answers, and for an alert its description. */
async function answerTo(hello: Buffer): Promise<{ type: number; description: number | undefined }> {
  const record = await exchangePlain(gateway.port, hello);
  const type = record.readUInt8(0);
  return { type, description: type === alert ? record.readUInt8(6) : undefined };
}

describe('hellos that no program of today sends', () => {
  it.each([
    ['SSL 3.0', 0x0300, handshakeFailure],
    ['TLS 1.0', 0x0301, protocolVersion],
    ['TLS 1.1', 0x0302, protocolVersion],
  ])('T-02 A-14 refuses %s', async (_name, version, description) => {
    // Suites of those days, and one that the server likes.
    const suites = [0x002f, 0x0035, 0xc009, 0xc00a, ecdheEcdsaAes128Gcm];
    expect(await answerTo(clientHello(version, suites))).toEqual({ type: alert, description });
    expect(await answerTo(clientHello(0x0303, suites))).toMatchObject({ type: handshake });
  });

  it.each([
    ['T-05', 'NULL', [0x0001, 0x0002, 0x003b, 0xc001, 0xc006, 0xc00b, 0xc010]],
    ['T-06', 'anonymous', [0x0018, 0x001b, 0x0034, 0x003a, 0x006c, 0x00a6, 0x00a7, 0xc018, 0xc019]],
    ['T-07', 'EXPORT', [0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019]],
    ['T-07', 'DES', [0x0009, 0x000c, 0x000f, 0x0012, 0x0015, 0x001a]],
    ['T-07 T-08', '3DES', [0x000a, 0x000d, 0x0010, 0x0013, 0x0016, 0xc003, 0xc008, 0xc00d, 0xc012]],
    ['T-07', 'RC4', [0x0004, 0x0005, 0xc002, 0xc007, 0xc00c, 0xc011]],
  ])('%s has no %s suite', async (_id, _what, suites) => {
    expect(await answerTo(clientHello(0x0303, suites))).toEqual({
      type: alert,
      description: handshakeFailure,
    });
    // The same hello with a good suite at its end is answered, so it was the suites.
    const withGoodOne = clientHello(0x0303, [...suites, ecdheEcdsaAes128Gcm]);
    expect(await answerTo(withGoodOne)).toMatchObject({ type: handshake });
  });
});

describe('sessions', () => {
  it('T-09 L-09 says that renegotiation would be secure, and refuses it', async () => {
    const words = `-tls1_2 ${anchor} -crlf`;
    const request = get.replaceAll('\r\n', '\n');
    const untouched = await sClient(gateway.port, words, request);
    expect(untouched).toContain('Secure Renegotiation IS supported');
    expect(untouched).toMatch(/HTTP\/1\.1 200 /);
    const output = await sClient(gateway.port, words, `R\n${request}`);
    expect(output).toContain('RENEGOTIATING');
    expect(output).not.toMatch(/HTTP\/1\.1 /);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('T-03 T-10 resumes sessions of %s', async (version) => {
    const options = {
      ...{ port: gateway.port, servername: 'localhost', ca: gateway.trustAnchor },
      ...{ minVersion: version, maxVersion: version },
    };
    const first = connect(options);
    const ticket = once(first, 'session') as Promise<[Buffer]>;
    first.write(get);
    const [[session]] = await Promise.all([ticket, readToEnd(first)]);
    const second = connect({ ...options, session });
    await once(second, 'secureConnect');
    expect([second.isSessionReused(), second.getProtocol()]).toEqual([true, version]);
    second.write(get);
    expect(await readToEnd(second)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('H-29 S-44 has nothing for a client that speaks HTTP/2 alone', async () => {
    expect(await sClient(gateway.port, `${anchor} -alpn h2`)).toContain('alert no application protocol');
  });
});

describe('the certificates of the handshake', () => {
  it('T-04 T-21 shows the whole chain, good for this name and no other', async () => {
    const words = `${anchor} -showcerts -x509_strict -verify_return_error -verify_hostname`;
    const output = await sClient(gateway.port, `${words} localhost`);
    expect(output).toContain('Verify return code: 0 (ok)');
    expect(output.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(2);
    expect(await sClient(gateway.port, `${words} other.example`)).toMatch(/hostname mismatch/i);
  });

  it('T-11 T-22 asks for a client certificate, and names the CAs of its aliases, each once', async () => {
    const output = await sClient(gateway.port, anchor);
    const [, names = ''] = /\nAcceptable client certificate CA names\n((?:CN.*\n)+)/.exec(output) ?? [];
    expect(names.trim().split('\n').toSorted()).toEqual([
      'CN = "Mock CA, not to be trusted"',
      'CN = Test Issuing CA',
      'CN = Test Root CA',
    ]);
  });

  it('T-19 serves with a certificate that has id-kp-cmcRA', async () => {
    const { issuingKey, issuingCertificate, passphrase, directory } = gateway;
    const key = await openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256');
    const files = {
      'req.pem': await openssl('req -new -key key.pem -subj /CN=localhost', { 'key.pem': key }),
      'ca.pem': issuingCertificate,
      'ca.key': issuingKey,
      extensions: 'extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28\nsubjectAltName=DNS:localhost\n',
    };
    const issue = `x509 -req -in req.pem -CA ca.pem -CAkey ca.key -passin pass:${passphrase} -days 9 -extfile extensions`;
    const [pem = ''] =
      /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(await openssl(issue, files)) ?? [];
    const [certificate, privateKey] = [join(directory, 'registrar.pem'), join(directory, 'registrar.key')];
    await writeFile(certificate, pem + issuingCertificate);
    await writeFile(privateKey, key, { mode: 0o600 });
    const { listeners, ...configuration } = await loadConfiguration(gateway.configurationFile);
    const { est: before } = listeners;
    if (before === undefined) throw new Error('no listener');
    const est = { ...before, certificate, privateKey: `file:${privateKey}` };
    const registrar = await startGateway({ ...configuration, listeners: { ...listeners, est } }, gateway.log);
    const port = Number(new URL(registrar.estUrl ?? '').port);
    const output = await sClient(port, `${anchor} -verify_return_error -showcerts -ign_eof`, get);
    await registrar.stop();
    expect(output).toContain(pem);
    expect(output).toMatch(/HTTP\/1\.1 200 /);
  });
});

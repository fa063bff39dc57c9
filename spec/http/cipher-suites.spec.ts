import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type SecureVersion } from 'node:tls';
import { cipherSuites } from '../../src/http/cipher-suites.ts';
import { send } from '../support/client.ts';
import { keyPair } from '../support/csr.ts';
import { basic, enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('listeners.est.ciphers', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      est: { ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384' },
      aliases: { keys: { serverKeyGeneration: { keys: ['P-384'] } } },
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function negotiated(version: SecureVersion, ciphers?: string): Promise<string> {
    const versions = { minVersion: version, maxVersion: version };
    const options = { port: gateway.port, ca: gateway.trustAnchor, servername: 'localhost', ...versions };
    const socket = connect({ ...options, ...(ciphers !== undefined && { ciphers }) });
    await once(socket, 'secureConnect');
    const { name } = socket.getCipher();
    socket.destroy();
    return name;
  }

  it('says which suites there are, for each version of TLS', async () => {
    expect(await negotiated('TLSv1.3')).toBe('TLS_AES_128_GCM_SHA256');
    expect(await negotiated('TLSv1.2')).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
    await expect(negotiated('TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256')).rejects.toThrow(/handshake/i);
    await expect(negotiated('TLSv1.3', 'TLS_AES_256_GCM_SHA384')).rejects.toThrow(/handshake/i);
  });

  it.each([
    ['TLSv1.3', 403],
    ['TLSv1.2', 200],
  ] as const)(
    'K-08 gives a key only over a suite that is as strong: with %s, %i',
    async (version, status) => {
      const { status: found } = await send(`${gateway.url}/keys/serverkeygen`, {
        ca: gateway.trustAnchor,
        minVersion: version,
        maxVersion: version,
        ...enrolment(await plainCsr('device-suite', await keyPair('P-256')), { Authorization: basic }),
      });
      expect(found).toBe(status);
    },
  );
});

describe('cipherSuites()', () => {
  it.each(['ECDHE+AESGCM', 'HIGH:!kRSA', 'TLS_AES_256_GCM_SHA384', '!CAMELLIA', 'DEFAULT', 'ALL'])(
    'leaves what is broken out of %s',
    (list) => {
      expect(cipherSuites(list)).toMatch(/:!aNULL:!eNULL:!EXPORT:!LOW:!RC4:!DES:!3DES:/);
    },
  );

  it('leaves the default of a version about which the list says nothing', () => {
    expect(cipherSuites('ECDHE+AESGCM')).toMatch(/^TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:/);
    expect(cipherSuites('TLS_AES_256_GCM_SHA384')).toMatch(/^TLS_AES_256_GCM_SHA384:ECDHE-/);
    expect(cipherSuites('!AES128')).toContain(':HIGH:');
  });

  it.each([
    'NULL',
    'eNULL',
    'NULL-SHA256',
    'aNULL',
    'ADH-AES256-GCM-SHA384',
    'PSK',
    'SRP',
    'MD5',
    'COMPLEMENTOFALL',
  ])('T-05 T-06 T-07 refuses %s as too weak, beside good ones too', (weak) => {
    const sentence = `ciphers: ${weak} stands for cipher suites that are too weak; take it out.`;
    expect(() => cipherSuites(weak)).toThrow(sentence);
    expect(() => cipherSuites(`ECDHE+AESGCM:${weak}:!CAMELLIA`)).toThrow(sentence);
  });

  it.each([
    ['NONSENSE', /knows no cipher suite of TLS 1\.2 by NONSENSE/],
    ['RC4', /RC4/],
    ['EXPORT', /EXPORT/],
    ['DES-CBC3-SHA', /DES-CBC3-SHA/],
    ['TLS_SHA256_SHA256', /TLS_SHA256_SHA256 is not accepted; of TLS 1\.3 there are/],
    ['TLS_AES_128_CCM_8_SHA256', /is not accepted/],
    ['!ALL', /takes out every cipher suite/],
    ['ECDHE+AESGCM:!ECDHE', /takes out every cipher suite/],
  ])('T-07 refuses %s with a sentence', (list, sentence) => {
    expect(() => cipherSuites(list)).toThrow(sentence);
  });

  it('is asked before anything is served', async () => {
    await expect(startTestGateway({ est: { ciphers: 'NULL' } })).rejects.toThrow(
      'listeners.est: ciphers: NULL stands for cipher suites that are too weak; take it out.',
    );
    await expect(startTestGateway({ est: { ciphers: 'DEFAULT:@SECLEVEL=0' } })).rejects.toThrow(/ciphers/);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  spkiOf,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { certificateOf, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { output, run } from './command-line.ts';

describe('est-gateway ca pending, approve and deny, beside a running gateway', () => {
  let gateway: TestGateway;
  let config: readonly string[];

  beforeAll(async () => {
    gateway = await startTestGateway({
      backends: {
        local: {
          driver: 'local',
          certificate: 'issuing.pem',
          privateKey: 'file:issuing.key',
          passphrase: 'file:passphrase',
          chain: ['root.pem'],
          profiles: { device: { approval: 'all' } },
        },
      },
    });
    config = ['--config', gateway.configurationFile];
  });

  afterAll(async () => {
    await gateway.stop();
  });

  interface Pending {
    readonly reference: string;
    readonly subject: string;
  }

  async function pending(): Promise<readonly Pending[]> {
    return JSON.parse(await output(['ca', 'pending', '--json', ...config])) as readonly Pending[];
  }

  async function referenceOf(commonName: string): Promise<string> {
    return (await pending()).find(({ subject }) => subject === `CN=${commonName}`)?.reference ?? '';
  }

  it('S-34 shows who asks for which names with which key, escaped', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await certificationRequest({
      key,
      subject: name([id.commonName, utf8String('\u00e4rger')]),
      extensions: [subjectAltName(generalName(2, 'a.example'), generalName(7, Buffer.of(192, 0, 2, 1)))],
    });
    expect((await enrolWithBasic(gateway, csr)).status).toBe(202);
    const digest = (await openssl('dgst -sha256 -r spki', { spki: spkiOf(key.publicKey) })).slice(0, 64);
    const reference = await referenceOf('\u00e4rger');
    expect(await output(['ca', 'pending', ...config])).toMatch(
      new RegExp(
        '^REFERENCE +SINCE +ALIAS +OPERATION +IDENTITY +SUBJECT +SUBJECT ALT NAME +KEY \\(SHA-256\\)\\n' +
          `${reference} +20\\S+Z +est +simpleenroll +device +CN=\u00e4rger +dNSName=a.example, iPAddress=192.0.2.1 +P-256 ${digest}\\n$`,
      ),
    );
    expect(await pending()).toEqual([
      {
        reference,
        identity: 'device',
        alias: 'est',
        operation: 'simpleenroll',
        subject: 'CN=\u00e4rger',
        subjectAltName: ['dNSName=a.example', 'iPAddress=192.0.2.1'],
        keyType: 'P-256',
        publicKeySha256: digest,
        since: expect.stringMatching(/^20/),
      },
    ]);
  });

  it('approves several, and the running gateway issues at once', async () => {
    const csrs = await Promise.all(
      ['first', 'second'].map(async (commonName) => plainCsr(commonName, await generateKeyPair('P-256'))),
    );
    for (const csr of csrs) expect((await enrolWithBasic(gateway, csr)).status).toBe(202);
    const references = [await referenceOf('first'), await referenceOf('second')];
    expect(await output(['ca', 'approve', ...references, ...config])).toBe(
      references.map((reference) => `${reference} is approved.\n`).join(''),
    );
    expect(await output(['ca', 'pending', ...config])).not.toContain('CN=first');
    for (const csr of csrs) expect(await certificateOf(await enrolWithBasic(gateway, csr))).not.toBe('');
    expect(await output(['ca', 'deny', ...references, ...config])).toBe(
      references.map((reference) => `${reference} was decided before; nothing was changed.\n`).join(''),
    );
  });

  it('denies, and the client reads why', async () => {
    const csr = await plainCsr('denied', await generateKeyPair('P-256'));
    await enrolWithBasic(gateway, csr);
    const reference = await referenceOf('denied');
    expect(await output(['ca', 'deny', reference, '--reason', 'Not ours.', ...config])).toBe(
      `${reference} is denied.\n`,
    );
    expect(await enrolWithBasic(gateway, csr)).toMatchObject({
      status: 403,
      body: expect.stringContaining('Not ours.'),
    });
  });

  it('says that no such request waits', async () => {
    const { code, stderr } = await run(['ca', 'approve', 'abcdef', ...config]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'No request abcdef waits at the CA local; see "est-gateway ca pending".\n',
    });
  });

  it.each(['two\nlines', 'ein \u00c4rger', ''])(
    'takes no reason that cannot stand in an answer',
    async (reason) => {
      const { code, stderr } = await run(['ca', 'deny', 'abcdef', '--reason', reason, ...config]);
      expect(code).toBe(2);
      expect(stderr).toContain('Expected one line of at most 200 ASCII characters.');
    },
  );
});

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { hashCode } from '../../src/auth/code.ts';
import { encodeSecretBase64 } from '../../src/http/base64.ts';
import type { Alias } from '../../src/est/alias.ts';
import { encodeMultipart, multipartMediaType } from '../../src/est/multipart.ts';
import { operationReply } from '../../src/est/reply.ts';
import { send as sendReply, type Reply } from '../../src/http/reply.ts';
import { send } from '../support/client.ts';
import { certificationRequest, id, keyPair, name, utf8String } from '../support/csr.ts';
import { enrolment } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  askForKey,
  grantedBy,
  partsOf,
  privateKeyOf,
  watchExportedKeys,
  watchKeyMaker,
  type KeyAndCertificate,
} from '../support/key-generation.ts';

let gateway: TestGateway;
beforeAll(async () => {
  const mock = { backend: 'mock', serverKeyGeneration: {} };
  const approving = {
    ...{ driver: 'local', certificate: 'issuing.pem', privateKey: 'file:issuing.key' },
    ...{ passphrase: 'file:passphrase', chain: ['root.pem'], profiles: { device: { approval: 'all' } } },
  };
  gateway = await startTestGateway({
    backends: { approving },
    aliases: {
      keys: { serverKeyGeneration: { keys: ['P-256', 'RSA-2048', 'ML-DSA-44'] } },
      approved: { backend: 'approving', serverKeyGeneration: {} },
      pending: { ...mock, profile: 'pending' },
      down: { ...mock, profile: 'down' },
      rejected: { ...mock, profile: 'rejected' },
      'wrong-key': { ...mock, profile: 'wrong-key' },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
});
afterEach(() => {
  jest.restoreAllMocks();
});

const named = (commonName: string): Buffer => name([id.commonName, utf8String(commonName)]);

describe('a repeat', () => {
  it('K-22 gets another key and another certificate, never those of before', async () => {
    const csr = await certificationRequest({ subject: named('k-22-repeat') });
    const first = await grantedBy(await askForKey(gateway, 'keys', csr));
    const second = await grantedBy(await askForKey(gateway, 'keys', csr));
    expect(second.key.equals(first.key)).toBe(false);
    expect(second.certificate.serialNumber).not.toBe(first.certificate.serialNumber);
    const [newest, before] = await gateway.store.enrollments.list(2);
    expect([newest?.operation, before?.operation]).toEqual(['serverkeygen', 'serverkeygen']);
  });

  it('uses up the code of a user, as an enrolment does', async () => {
    const user = { alias: 'keys', name: 'once', codeHash: await hashCode('once-code'), remainingUses: 1 };
    await gateway.store.users.add({ ...user, createdAt: new Date() });
    const csr = await certificationRequest({ subject: named('k-22-once') });
    const ask = async (): Promise<number> => {
      const Authorization = `Basic ${Buffer.from('once:once-code').toString('base64')}`;
      const options = { ca: gateway.trustAnchor, ...enrolment(csr, { Authorization }) };
      return (await send(`${gateway.url}/keys/serverkeygen`, options)).status;
    };
    expect([await ask(), await ask()]).toEqual([200, 403]);
  });
});

describe('a refusal (RFC 7030, section 4.4.2)', () => {
  it.each([
    ['the CA is down', 'down', 503],
    ['the CA refuses', 'rejected', 403],
    ['the CA certifies another key', 'wrong-key', 502],
  ])('K-21 is plain text when %s, and holds no key', async (_, alias, status) => {
    const answer = await askForKey(gateway, alias, await certificationRequest());
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(answer.body).toMatch(/^[ -~]+\n$/);
    expect(answer.body.length).toBeLessThan(300);
  });

  it('K-21 is plain text when no key can be made, and the CA is not asked', async () => {
    watchKeyMaker(new Error('no entropy'));
    const before = await gateway.store.certificates.list(gateway.ca);
    const answer = await askForKey(gateway, 'keys', await certificationRequest());
    expect([answer.status, answer.headers['content-type']]).toEqual([500, 'text/plain']);
    expect(answer.body).toContain('The gateway failed to handle the request.');
    expect(await gateway.store.enrollments.list(1)).toMatchObject([{ alias: 'keys', state: 'refused' }]);
    expect(await gateway.store.certificates.list(gateway.ca)).toEqual(before);
  });

  it('P-12 is what a client gets whose request a person must approve, and nobody is asked about it', async () => {
    const answer = await askForKey(
      gateway,
      'approved',
      await certificationRequest({ subject: named('p-12') }),
    );
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('cannot wait; use simpleenroll'),
    ]);
    expect(await gateway.store.heldRequests.undecided(gateway.ca, new Date(0))).toEqual([]);
  });

  it('P-12 is what a client gets whose request the CA would decide on later, never 202', async () => {
    const csr = await certificationRequest({ subject: named('p-12') });
    for (let time = 0; time < 2; time++) {
      const answer = await askForKey(gateway, 'pending', csr);
      expect([answer.status, answer.headers['content-type']]).toEqual([403, 'text/plain']);
      expect(answer.body).toContain('cannot wait; use simpleenroll');
    }
    const [entry] = await gateway.store.enrollments.list(1);
    expect(entry).toMatchObject({ alias: 'pending', operation: 'serverkeygen', state: 'refused' });
  });
});

/** Octets of the key that nobody but its owner knows: the exponent, the scalar or the seed. */
function secretOf(answer: KeyAndCertificate): Buffer {
  const { d, priv } = privateKeyOf(answer).export({ format: 'jwk' });
  return Buffer.from(String(d ?? priv), 'base64url');
}

/** What the octets look like within base64, at each of the three places that they can have there. */
function withinBase64(octets: Buffer): readonly string[] {
  return [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), octets])
      .toString('base64')
      .slice(4, -4),
  );
}

describe('the private key', () => {
  it.each(['P-256', 'RSA-2048', 'ML-DSA-44'] as const)(
    'K-22 is in no file of the gateway, and in no line of the log: %s',
    async (kind) => {
      const csr = await certificationRequest({ key: await keyPair(kind), subject: named(`k-22-${kind}`) });
      const reply = await askForKey(gateway, 'keys', csr);
      const secret = secretOf(await grantedBy(reply));
      const traces = [secret, secret.toString('hex'), secret.toString('base64url'), ...withinBase64(secret)];
      const files = await readdir(gateway.directory);
      const contents = await Promise.all(files.map((file) => readFile(join(gateway.directory, file))));
      const places = [...contents, Buffer.from(gateway.log.lines().join('\n'))];
      expect(places.some((place) => place.includes(`CN=k-22-${kind}`))).toBe(true);
      expect(traces.filter((trace) => places.some((place) => place.includes(trace)))).toEqual([]);
      // The same search finds it where it is.
      const sent = Buffer.from(reply.body.replaceAll('\r\n', ''));
      expect(traces.some((trace) => sent.includes(trace))).toBe(true);
    },
  );

  it.each([
    ['when the answer was sent', false],
    ['when the client went away before', true],
  ])('K-22 is wiped %s', async (_, goesAway) => {
    const key = { mediaType: 'application/pkcs8', body: Buffer.from('a private key') };
    const replies: Reply[] = [];
    const server = createServer((request, response) => {
      const outcome = { status: 'ok', secretParts: [key] } as const;
      const reply = operationReply(request, { wrap: 'auto' } as Alias, 'id', outcome);
      replies.push(reply);
      if (goesAway) request.socket.destroy();
      sendReply(request, response, { ...reply, close: true }, 1000);
    }).listen();
    const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
    const received = await fetch(url).then(
      (response) => response.text(),
      () => 'nothing',
    );
    server.close();
    await once(server, 'close');
    const sent = Buffer.from('a private key').toString('base64');
    expect(received).toMatch(goesAway ? /^nothing$/ : new RegExp(`\r\n\r\n${sent}\r\n`));
    const [body] = replies.map((reply) => Buffer.from(reply.body));
    expect(body?.length).toBeGreaterThan(sent.length);
    expect([key.body, body].map((octets) => octets?.every((octet) => octet === 0))).toEqual([true, true]);
  });
});

describe('the exported private key', () => {
  it.each([
    ['keys', 200],
    ['down', 503],
    ['rejected', 403],
    ['wrong-key', 502],
  ])('K-22 is wiped, whether the answer holds it or not: %s', async (alias, status) => {
    const exported = await watchExportedKeys();
    expect((await askForKey(gateway, alias, await certificationRequest())).status).toBe(status);
    expect(exported().map((octets) => octets.every((octet) => octet === 0))).toEqual([true]);
  });
});

describe('base64 of secrets, and multipart messages', () => {
  const octets = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

  it('K-09 is what Node makes of the same octets, in lines', () => {
    fc.assert(
      fc.property(octets, (bytes) => {
        const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
        expect(encodeSecretBase64(bytes, '64').toString()).toBe(lines.join('\r\n'));
        expect(encodeSecretBase64(bytes, 'none').toString()).toBe(bytes.toString('base64'));
      }),
    );
  });

  it('K-08 never holds its boundary in a part', () => {
    fc.assert(
      fc.property(fc.array(octets, { minLength: 1, maxLength: 3 }), (bodies) => {
        const parts = bodies.map((body) => ({ mediaType: 'application/pkcs8', body }));
        const headers = { 'content-type': multipartMediaType };
        const read = partsOf({
          status: 200,
          headers,
          rawHeaders: [],
          body: encodeMultipart(parts, '64').toString(),
        });
        expect(read.map(({ body }) => Buffer.from(body, 'base64'))).toEqual(bodies);
      }),
    );
  });
});

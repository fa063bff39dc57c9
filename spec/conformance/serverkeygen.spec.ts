import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import crypto from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { openTls, readToEnd, send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  keyPair,
  name,
  null_,
  objectIdentifier,
  rsaSpki,
  sequence,
  spki,
  subjectAltName,
  true_,
  utf8String,
  type CertificationRequestParts,
  type KeyKind,
} from '../support/csr.ts';
import { basic, enrolDevice, enrolment, enrolWithBasic } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  askForKey,
  countThreads,
  grantedBy,
  octetsOf,
  partsOf,
  privateKeyOf,
  watchKeyMaker,
  type KeyAndCertificate,
} from '../support/key-generation.ts';
import { openssl } from '../support/openssl.ts';
import { describeWith, openWorkplace } from '../support/programs.ts';

const everyKind = [
  ...(['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'Ed25519'] as const),
  ...(['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const),
];

let gateway: TestGateway;
beforeAll(async () => {
  const mock = { backend: 'mock', serverKeyGeneration: {} };
  gateway = await startTestGateway({
    aliases: {
      keys: { serverKeyGeneration: {} },
      strong: { serverKeyGeneration: { keys: ['P-384'] } },
      ...Object.fromEntries(everyKind.map((kind) => [kind, { serverKeyGeneration: { keys: [kind] } }])),
      hinted: { serverKeyGeneration: { keys: ['P-384', 'RSA-3072', 'RSA-2048', 'P-256'] } },
      'one-line': { serverKeyGeneration: {}, wrap: 'none' },
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

const dummy = Buffer.alloc(0);
const named = (commonName: string): Buffer => name([id.commonName, utf8String(commonName)]);

/** Asks an alias of the gateway for a key and a certificate. */
async function ask(
  parts: CertificationRequestParts & { readonly alias?: string; readonly tls?: ConnectionOptions } = {},
): Promise<Answer> {
  const { alias = 'keys', tls = {}, ...csr } = parts;
  return await post(alias, await certificationRequest(csr), tls);
}

async function post(alias: string, csr: Buffer, tls: ConnectionOptions = {}): Promise<Answer> {
  return await askForKey(gateway, alias, csr, tls);
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('whether there is such an operation (RFC 7030, section 6)', () => {
  it.each(['POST', 'GET'])('K-01 H-03 is off unless the alias switches it on: %s', async (method) => {
    const { status, body } = await send(`${gateway.url}/serverkeygen`, { ca: gateway.trustAnchor, method });
    expect([status, body]).toEqual([
      404,
      expect.stringContaining('serverkeygen is switched off at this alias.'),
    ]);
  });

  it('H-10 is used with POST', async () => {
    const answer = await send(`${gateway.url}/keys/serverkeygen`, { ca: gateway.trustAnchor });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
  });

  it('K-23 gives no receipts and no other forms of RFC 8295', async () => {
    const url = `${gateway.url}/keys/serverkeygen/return`;
    expect((await send(url, { ca: gateway.trustAnchor, method: 'POST' })).status).toBe(404);
  });

  it('refuses to start with a kind of key that the policy of the alias does not allow', async () => {
    const alias = {
      serverKeyGeneration: { keys: ['P-256', 'RSA-2048'] },
      policy: { keys: ['P-256', 'RSA-4096'] },
    };
    await expect(startTestGateway({ aliases: { bad: alias } })).rejects.toThrow(
      'aliases.bad: serverKeyGeneration: keys holds RSA-2048, which policy.keys does not allow.',
    );
  });
});

describe('who gets a key (RFC 7030, section 4.4)', () => {
  it('K-02 asks for credentials before the body is read, and makes no key without them', async () => {
    const made = watchKeyMaker();
    const answer = await send(`${gateway.url}/keys/serverkeygen`, {
      ca: gateway.trustAnchor,
      ...enrolment(await certificationRequest()),
    });
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^Basic /),
    ]);
    expect(made).not.toHaveBeenCalled();
  });

  it('K-02 gives one to a client that shows a certificate of the CA', async () => {
    const { key, cert } = await enrolDevice(gateway, 'k-02');
    const answer = await send(`${gateway.url}/keys/serverkeygen`, {
      ...{ ca: gateway.trustAnchor, key, cert },
      ...enrolment(await certificationRequest({ subject: named('k-02') })),
    });
    expect((await grantedBy(answer)).certificate.subject).toBe('CN=k-02');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'K-06 gives a key of more than 128 bits of strength only over a stronger cipher suite: %s',
    async (version) => {
      const made = watchKeyMaker();
      const suites = {
        'TLSv1.2': ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
        'TLSv1.3': ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
      } as const;
      const [weak = {}, fit = {}] = suites[version].map((ciphers) => ({
        ciphers,
        minVersion: version,
        maxVersion: version,
      }));
      expect(await ask({ alias: 'keys', tls: weak })).toMatchObject({ status: 200 });
      expect(await ask({ alias: 'strong', tls: fit })).toMatchObject({ status: 200 });
      made.mockClear();
      const refused = await ask({ alias: 'strong', tls: weak });
      expect(refused.status).toBe(403);
      expect(refused.body).toContain('only over a TLS cipher suite of 256 bits');
      expect(made).not.toHaveBeenCalled();
    },
  );
});

describe('what is asked (RFC 7030, section 4.4.1)', () => {
  it.each([
    ['a wrong signature', { mutateSignature: (signature) => signature.fill(1) }],
    [
      'a signature of another key',
      { signWith: crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey },
    ],
    ['an empty signature', { mutateSignature: () => dummy }],
    ['a signature algorithm that nobody knows', { signatureAlgorithm: sequence(objectIdentifier('1.2.3')) }],
    ['an RSA key of 512 bits', { spki: rsaSpki((1n << 511n) + 1n, 3n) }],
    [
      'a key without octets',
      { spki: spki(sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_), dummy) },
    ],
    ['a key of an unknown algorithm', { spki: spki(sequence(objectIdentifier('1.2.3')), dummy) }],
    ['a key on no curve', { spki: spki(sequence(objectIdentifier('1.2.840.10045.2.1'), null_), dummy) }],
  ] satisfies readonly (readonly [string, CertificationRequestParts])[])(
    'K-03 ignores key and signature of the CSR: %s',
    async (_, parts) => {
      const answer = await grantedBy(await ask(parts));
      expect(answer.certificate.checkPrivateKey(privateKeyOf(answer))).toBe(true);
    },
  );

  it('K-03 does not certify the key of the CSR, not even a good one', async () => {
    const own = await generateKeyPair('P-256');
    const { certificate } = await grantedBy(await ask({ key: own }));
    expect(certificate.checkPrivateKey(own.privateKey)).toBe(false);
  });

  it('K-04 certifies the subject and the subjectAltName of the CSR', async () => {
    const { certificate } = await grantedBy(
      await ask({ subject: named('k-04'), extensions: [subjectAltName(generalName(2, 'k-04.example'))] }),
    );
    expect([certificate.subject, certificate.subjectAltName]).toEqual(['CN=k-04', 'DNS:k-04.example']);
  });

  it.each([
    [
      'a subjectAltName that the policy refuses',
      403,
      { extensions: [subjectAltName(generalName(1, 'a@b.example'))] },
    ],
    ['a wildcard', 403, { extensions: [subjectAltName(generalName(2, '*.example'))] }],
    ['V-17 the rights of a CA', 403, { extensions: [extension(id.basicConstraints, sequence(true_), true)] }],
    ['V-33 an unknown critical extension', 400, { extensions: [extension('1.2.3', null_, true)] }],
    ['V-29 no name at all', 400, { subject: sequence() }],
    ['V-10 another version', 400, { version: null_ }],
    [
      'L-01 a wrong channel binding',
      400,
      { attributes: [attribute(id.challengePassword, utf8String('AAAA'))] },
    ],
    [
      'an attribute twice',
      400,
      { attributes: [1, 2].map(() => attribute(id.challengePassword, utf8String('A'))) },
    ],
  ] satisfies readonly (readonly [string, number, CertificationRequestParts])[])(
    'K-04 K-21 refuses what simpleenroll refuses, in plain text: %s',
    async (_, status, parts) => {
      const csr = await certificationRequest(parts);
      for (const answer of [await post('keys', csr), await enrolWithBasic(gateway, csr)]) {
        expect(answer.status).toBe(status);
        expect(answer.headers['content-type']).toBe('text/plain');
        expect(answer.body).not.toContain('multipart');
      }
    },
  );

  it('K-04 verifies a channel binding that is there, and ends the connection after it', async () => {
    const socketOptions = {
      host: 'localhost',
      port: gateway.port,
      servername: 'localhost',
      ca: gateway.trustAnchor,
    };
    const socket = await openTls(socketOptions);
    const binding = socket
      .exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      .toString('base64');
    const csr = await certificationRequest({
      attributes: [attribute(id.challengePassword, utf8String(binding))],
    });
    const body = csr.toString('base64');
    socket.write(
      `POST /.well-known/est/keys/serverkeygen HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${basic}\r\n` +
        `Content-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const answer = await readToEnd(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('\r\nConnection: close\r\n');
  });

  it.each([
    ['RSA-2048', 'rsa', 3072],
    ['P-256', 'ec', 'prime256v1'],
    ['P-384', 'ec', 'secp384r1'],
    ['Ed25519', 'ec', 'secp384r1'],
  ] as const)(
    'K-05 takes the kind of key in the CSR as a hint within the policy: %s',
    async (kind, type, size) => {
      const answer = await grantedBy(await ask({ alias: 'hinted', key: await keyPair(kind) }));
      const { asymmetricKeyType, asymmetricKeyDetails } = privateKeyOf(answer);
      expect(asymmetricKeyType).toBe(type);
      expect([asymmetricKeyDetails?.modulusLength, asymmetricKeyDetails?.namedCurve]).toContain(size);
    },
  );

  it('K-05 makes the key of the policy for a CSR with another one', async () => {
    const answer = await grantedBy(await ask({ alias: 'keys', key: await keyPair('RSA-2048') }));
    expect(privateKeyOf(answer).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});

describe('what is answered (RFC 7030, section 4.4.2)', () => {
  it.each(everyKind)(
    'K-07 K-08 K-09 K-10 gives a key of the kind %s, which the certificate is for',
    async (kind) => {
      const made = watchKeyMaker();
      let answer: KeyAndCertificate | undefined;
      const threads = await countThreads(async () => {
        answer = await grantedBy(await ask({ alias: kind }));
      });
      // RSA keys are made in threads of their own.
      expect([made.mock.calls.length, threads]).toEqual(kind.startsWith('RSA') ? [0, 1] : [1, 0]);
      expect(answer?.certificate.checkPrivateKey(privateKeyOf(answer))).toBe(true);
    },
  );

  it.each(['P-256', 'P-521', 'RSA-2048', 'Ed25519'] satisfies readonly KeyKind[])(
    'K-09 gives a key that openssl reads as PKCS#8, of the kind %s',
    async (kind) => {
      const { key, certificate } = await grantedBy(await ask({ alias: kind }));
      const pkcs8 = await openssl('pkcs8 -inform DER -nocrypt -in key.der', { 'key.der': key });
      const publicKey = await openssl('pkey -in key.pem -pubout', { 'key.pem': pkcs8 });
      expect(publicKey).toBe(certificate.publicKey.export({ type: 'spki', format: 'pem' }));
    },
  );

  it.each([
    ['ML-DSA-44', 2560],
    ['ML-DSA-65', 4032],
    ['ML-DSA-87', 4896],
  ] as const)(
    'PQ-03 gives the seed of a key of the kind %s beside the expanded key',
    async (kind, octets) => {
      const { key } = await grantedBy(await ask({ alias: kind }));
      const text = await openssl('asn1parse -inform DER -in key.der', { 'key.der': key });
      const offset = /^ *(\d+):d=1 +hl=(\d).*OCTET STRING/m.exec(text);
      const inside = await openssl(`asn1parse -inform DER -in key.der -strparse ${offset?.[1] ?? ''}`, {
        'key.der': key,
      });
      expect(inside).toMatch(/d=1 .* l= +32 prim: OCTET STRING/);
      expect(inside).toMatch(new RegExp(`d=1 .* l= *${octets} prim: OCTET STRING`));
    },
  );

  it('K-08 has a Content-Length, no Content-Transfer-Encoding for the whole, and nothing that may be cached', async () => {
    const { headers, body } = await ask();
    expect(headers['content-length']).toBe(String(body.length));
    expect(headers['content-transfer-encoding']).toBeUndefined();
    expect(headers['cache-control']).toBe('no-store');
  });

  it('K-08 has each part in one line where the alias wants no line breaks', async () => {
    for (const { body } of partsOf(await ask({ alias: 'one-line' })))
      expect(body).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it('K-10 has a certificate part with the fields and the structure of the answer to simpleenroll', async () => {
    const csr = await certificationRequest({ key: await generateKeyPair('P-256') });
    const enrolled = await enrolWithBasic(gateway, csr);
    const [, part] = partsOf(await post('keys', csr));
    expect(part?.headers).toEqual({
      'Content-Type': enrolled.headers['content-type'],
      'Content-Transfer-Encoding': enrolled.headers['content-transfer-encoding'],
    });
    const structure = async (base64: string): Promise<string> => {
      const printed = await openssl('pkcs7 -inform DER -in a.p7 -print -noout', {
        'a.p7': Buffer.from(base64, 'base64'),
      });
      return printed.replace(/cert:[\s\S]*?(?=\n {4}crl:)/, '');
    };
    expect(await structure(part?.body ?? '')).toBe(await structure(enrolled.body));
  });

  describeWith('python3', 'a MIME parser of others', () => {
    it('K-08 finds two parts in it, and no defects', async () => {
      const { headers, body } = await ask();
      const place = await openWorkplace();
      const message = `Content-Type: ${headers['content-type'] ?? ''}\r\n\r\n${body}`;
      await writeFile(join(place.directory, 'answer.eml'), message);
      await writeFile(join(place.directory, 'parse.py'), parse);
      const found = await place.bash('python3 parse.py');
      await place.remove();
      const [key, certificate] = partsOf({ ...(await ask()), headers, body });
      expect(JSON.parse(found)).toEqual([
        ['application/pkcs8', null, key && octetsOf(key).toString('hex')],
        ['application/pkcs7-mime', 'certs-only', certificate && octetsOf(certificate).toString('hex')],
      ]);
    });
  });
});

const parse = `
import email, email.policy, json
message = email.message_from_bytes(open('answer.eml', 'rb').read(), policy=email.policy.strict)
assert message.is_multipart() and not message.defects and not message.preamble and not message.epilogue
print(json.dumps([[part.get_content_type(), part.get_param('smime-type'), part.get_payload(decode=True).hex()] for part in message.iter_parts()]))
`;

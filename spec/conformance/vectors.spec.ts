import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  checkPrimeSync,
  createPrivateKey,
  createPublicKey,
  generatePrimeSync,
  randomBytes,
} from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { hashCode } from '../../src/auth/code.ts';
import { send } from '../support/client.ts';
import {
  attribute,
  bitString,
  certificationRequest,
  extension,
  generateKeyPair,
  id,
  keyPair,
  name,
  null_,
  primeModulus,
  rsaKeyPair,
  utf8String,
  sequence,
} from '../support/csr.ts';
import { basic, enrolDevice, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { debianFingerprint } from '../support/known-keys.ts';
import { refusedKeys } from './refused-keys.ts';
import { refusedRequests } from './refused-requests.ts';

let gateway: TestGateway;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vectors-'));
  const knownKeys = join(directory, 'known-keys');
  await writeFile(knownKeys, `${debianFingerprint((await keyPair('RSA-2048')).publicKey)}\n`);
  gateway = await startTestGateway({
    aliases: {
      strict: { backend: 'mock', profile: 'issue', strict: true },
      lenient: { backend: 'mock', profile: 'issue' },
      known: { backend: 'mock', profile: 'issue', knownKeys: [knownKeys] },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await rm(directory, { recursive: true });
});

/** How often the mock CA was asked so far. */
const callsToCa = (): number =>
  gateway.log.entries.filter(({ message }) => message === 'The mock CA is asked.').length;

/** Every run of seven printable characters in what was sent: if any of them comes back, it is an echo. */
function printableRuns(octets: Buffer): readonly string[] {
  const runs = octets.toString('latin1').match(/[\x20-\x7e]{7,}/g) ?? [];
  return runs.flatMap((run) => Array.from({ length: run.length - 6 }, (_, at) => run.slice(at, at + 7)));
}

/** What came of a body: all that a refusal must be, and must not do. */
async function outcomeOf(
  alias: string,
  body: string | Buffer,
  der: Buffer = Buffer.alloc(0),
): Promise<object> {
  const [journal, calls] = [await gateway.store.enrollments.list(1000), callsToCa()];
  const answer = await post(alias, body);
  const sent = [...printableRuns(Buffer.from(body)), ...printableRuns(der)];
  return {
    status: answer.status,
    type: answer.headers['content-type'],
    isSentenceWithRequestId: /^[\x20-\x7e]{1,900} \(request [0-9a-f-]{36}\)\n$/.test(answer.body),
    echoed: sent.filter((run) => answer.body.includes(run)),
    callsToCa: callsToCa() - calls,
    journalled: isDeepStrictEqual(await gateway.store.enrollments.list(1000), journal)
      ? 'nothing'
      : 'something',
  };
}

const refusal = (status: number): object => ({
  status,
  type: 'text/plain',
  isSentenceWithRequestId: true,
  echoed: [],
  callsToCa: 0,
  journalled: 'nothing',
});

const post = (alias: string, body: string | Buffer) =>
  send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    method: 'POST',
    headers: { Authorization: basic, 'Content-Type': 'application/pkcs10', Accept: '*/*' },
    body,
  });

/** Base64 of a good CSR that has padding and both characters that the URL alphabet writes otherwise. */
async function base64WithEveryTrait(): Promise<string> {
  for (;;) {
    const text = (await plainCsr('device-base64', await generateKeyPair('P-256'))).toString('base64');
    if (text.includes('+') && text.includes('/') && text.endsWith('=')) return text;
  }
}

/** The letter of base64 after the first one of the text: the same but for its lowest bit, which padding leaves unused. */
function nextLetter(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return alphabet.charAt(alphabet.indexOf(text.charAt(0)) + 1);
}

describe('malformed and forbidden requests', () => {
  it.each([...refusedRequests, ...refusedKeys])(
    '%s refuses %s with %d, and asks no CA',
    async (_id, _what, status, der) => {
      const octets = await der(gateway);
      expect(await outcomeOf('lenient', octets.toString('base64'), octets)).toEqual(refusal(status));
    },
  );

  it.each<[id: string, what: string, spoil: (base64: string) => string]>([
    ['V-01', 'an empty body', () => ''],
    ['V-02', 'white space only', () => '\r\n \t'],
    ['V-03', 'random octets', () => randomBytes(1024).toString('base64')],
    ['V-04', 'an illegal character', (base64) => `${base64.slice(0, 99)}!${base64.slice(99)}`],
    ['V-05', 'the URL alphabet', (base64) => base64.replaceAll('+', '-').replaceAll('/', '_')],
    ['V-06', 'missing padding', (base64) => base64.replaceAll('=', '')],
    ['V-06', 'octets after the padding', (base64) => `${base64}QUJD`],
    [
      'V-06',
      'spare bits that are not zero',
      (base64) => base64.replace(/.=/, (end) => `${nextLetter(end)}=`),
    ],
  ])('E-05 %s refuses %s', async (_id, _what, spoil) => {
    const body = spoil(await base64WithEveryTrait());
    for (const alias of ['strict', 'lenient']) expect(await outcomeOf(alias, body)).toEqual(refusal(400));
  });

  it('accepts what the base64 vectors were before they were spoilt', async () => {
    const body = await base64WithEveryTrait();
    const calls = callsToCa();
    for (const alias of ['strict', 'lenient']) expect(await post(alias, body)).toMatchObject({ status: 200 });
    expect(callsToCa()).toBe(calls + 2);
  });

  it.each([
    ['V-09', 'no list of attributes', { attributes: 'missing' }],
    ['M-02', 'an empty list of attributes', { attributes: [] }],
    [
      'V-16',
      'an extensionRequest without extensions',
      { attributes: [attribute(id.extensionRequest, sequence())] },
    ],
    [
      'V-25',
      'attributes out of order',
      { attributes: [attribute('1.2.3.5', null_), attribute('1.2.3.4', null_)] },
    ],
    [
      'E-07',
      'a key that may not sign',
      { extensions: [extension(id.keyUsage, bitString(Buffer.of(0x08), 3))] },
    ],
  ] as const)('%s accepts %s', async (_id, _what, parts) => {
    const der = await certificationRequest({ key: await generateKeyPair('P-256'), ...parts });
    expect(await post('lenient', der.toString('base64'))).toMatchObject({ status: 200 });
  });

  it('B-08 B-09 takes PEM and raw DER unless the alias is strict', async () => {
    const der = await plainCsr('device-form', await keyPair('P-256'));
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    for (const body of [der, pem]) {
      expect(await post('lenient', body)).toMatchObject({ status: 200 });
      expect(await post('strict', body)).toMatchObject({ status: 400 });
    }
    expect(await post('strict', der.toString('base64'))).toMatchObject({ status: 200 });
  });

  it('V-34 names what came instead of a CSR, and shows nothing of it', async () => {
    const key = privatePem((await keyPair('P-256')).privateKey);
    expect(await outcomeOf('lenient', key)).toEqual(refusal(400));
    expect(gateway.log.lines().join('\n')).not.toContain(key.split('\n')[1]);
  });

  it('V-23 refuses RSA keys that anybody can factor', async () => {
    const prime = generatePrimeSync(1024, { bigint: true });
    let near = prime + 2n;
    while (!checkPrimeSync(near)) near += 2n;
    const der = await certificationRequest({ key: rsaKeyPair(prime, near) });
    expect(await outcomeOf('lenient', der.toString('base64'), der)).toEqual(refusal(403));
  });

  it('S-13 refuses an RSA key whose modulus is a prime, the second time at once', async () => {
    const der = await certificationRequest(await primeModulus());
    const times = [performance.now()];
    for (let time = 0; time < 2; time += 1) {
      expect(await outcomeOf('lenient', der.toString('base64'), der)).toEqual(refusal(400));
      times.push(performance.now());
    }
    expect((await post('lenient', der.toString('base64'))).body).toContain('The RSA modulus is a prime');
    const [begun = 0, first = 0, second = 0] = times;
    expect(second - first).toBeLessThan((first - begun) / 2);
  });

  it('V-23 refuses a key that the list of the alias names, and only there', async () => {
    const der = await certificationRequest({
      key: await keyPair('RSA-2048'),
      subject: name([id.commonName, utf8String('device')]),
    });
    expect(await outcomeOf('known', der.toString('base64'), der)).toEqual(refusal(403));
    expect(await post('lenient', der.toString('base64'))).toMatchObject({ status: 200 });
  });

  it("V-24 S-17 refuses the CA's key", async () => {
    const { issuingKey: key, passphrase } = gateway;
    const privateKey = createPrivateKey({ key, passphrase });
    const der = await certificationRequest({ key: { privateKey, publicKey: createPublicKey(privateKey) } });
    expect(await outcomeOf('est', der.toString('base64'), der)).toEqual(refusal(403));
  });

  it("V-24 S-17 refuses another device's key under another name, and lets its holder use it again", async () => {
    const device = await enrolDevice(gateway, 'device-holder');
    const other = { name: 'other', code: 'another-code' };
    await gateway.store.users.add({
      alias: 'est',
      name: other.name,
      codeHash: await hashCode(other.code),
      remainingUses: undefined,
      createdAt: new Date(),
    });
    const as = async ({ name: user, code }: typeof other, commonName: string) =>
      await send(`${gateway.url}/simpleenroll`, {
        ca: gateway.trustAnchor,
        auth: `${user}:${code}`,
        ...enrolment(await plainCsr(commonName, device.keyPair)),
      });
    expect(await as(other, 'device-thief')).toMatchObject({ status: 403 });
    expect(await as(other, 'device-holder')).toMatchObject({ status: 200 });
  });
});

/** ECPrivateKey of RFC 5915: the private key 1 on P-256, whose public key is the base point. */
const p256KeyOfOne = Buffer.from(`30310201010420${'00'.repeat(31)}01a00a06082a8648ce3d030107`, 'hex');

it('S-13 certifies no key that anybody knows, without any list', async () => {
  const asked = callsToCa();
  const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32)]);
  const keys = [
    createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }),
    createPrivateKey({ key: p256KeyOfOne, format: 'der', type: 'sec1' }),
  ];
  for (const privateKey of keys) {
    const publicKey = createPublicKey(privateKey);
    const answer = await post('lenient', await plainCsr('known', { privateKey, publicKey }));
    expect(answer.status).toBe(403);
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({ rule: 'knownKeys' });
  }
  expect(callsToCa()).toBe(asked);
});

import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import type { Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolWithBasic, plainCsr, privatePem } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  algorithms,
  askForKey,
  asymmetricDecryptKeyIdentifier,
  decryptKeyIdentifier,
  grantedBy,
  octetsOf,
  openKey,
  partsOf,
  privateKeyOf,
  recipient,
  smimeCapabilities,
  watchExportedKeys,
  watchKeyMaker,
  type RecipientFiles,
} from '../support/key-generation.ts';
import { openssl, type Files } from '../support/openssl.ts';

const sharedKeys = { short: '01'.repeat(16), middle: '02'.repeat(24), long: '03'.repeat(32) } as const;
const hex = (text: string): string => Buffer.from(text).toString('hex');

let gateway: TestGateway;
let signer: RecipientFiles;
let recipients: Readonly<Record<string, RecipientFiles>>;
beforeAll(async () => {
  signer = await recipient('P-384', undefined, 'digitalSignature');
  recipients = {
    rsa: await recipient('RSA-2048', 'rsa', 'keyEncipherment'),
    'rsa-4096': await recipient('RSA-4096', 'rsa-4096', 'keyEncipherment'),
    'rsa-free': await recipient('RSA-3072', 'rsa-free'),
    'p-256': await recipient('P-256', 'p-256', 'keyAgreement'),
    'p-384': await recipient('P-384', 'p-384', 'keyAgreement'),
    'p-521': await recipient('P-521', 'p-521', 'keyAgreement'),
    'only-signs': await recipient('RSA-2048', 'only-signs', 'digitalSignature'),
    'only-signs-ec': await recipient('P-256', 'only-signs-ec', 'digitalSignature'),
    expired: await recipient('RSA-2048', 'expired', 'keyEncipherment', '20210101000000Z'),
    ed25519: await recipient('Ed25519', 'ed25519'),
  };
  const encryption = {
    signer: { certificate: 'signer.pem', privateKey: 'file:signer.key' },
    keyEncryptionKeys: 'file:shared-keys',
    recipients: ['recipients.pem'],
  };
  gateway = await startTestGateway({
    aliases: {
      clear: { serverKeyGeneration: {} },
      keys: { serverKeyGeneration: { keys: ['P-256', 'RSA-2048'], encryption } },
      'ml-dsa': { serverKeyGeneration: { keys: ['ML-DSA-87'], encryption } },
      required: { serverKeyGeneration: { encryption: { ...encryption, required: true } } },
    },
    files: {
      'signer.pem': signer.certificate,
      'signer.key': signer.key,
      'recipients.pem': Object.values(recipients)
        .map(({ certificate }) => certificate)
        .join(''),
      'shared-keys': Object.entries(sharedKeys)
        .map(([name, key]) => `${hex(name)}:${key}\n`)
        .join('# of devices\n\n'),
    },
  });
});
afterAll(async () => {
  await gateway.stop();
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function ask(attributes: readonly Buffer[], alias = 'keys'): Promise<Answer> {
  return await askForKey(gateway, alias, await certificationRequest({ attributes }));
}

const everything = smimeCapabilities('aes128-CBC', 'aes256-CBC', 'aes128-wrap', 'aes192-wrap', 'aes256-wrap');

/** The encrypted key of an answer. */
function encryptedKey(answer: Answer): Buffer {
  const [key, certificate, ...more] = answer.status === 200 ? partsOf(answer) : [];
  const types = [key, certificate, ...more].map((part) => part?.headers['Content-Type']).join();
  const expected =
    'application/pkcs7-mime; smime-type=server-generated-key,application/pkcs7-mime; smime-type=certs-only';
  if (key === undefined || types !== expected)
    throw new Error(`No encrypted key: ${answer.status} ${answer.body}`);
  return octetsOf(key);
}

/** What openssl prints of the envelope. */
async function printed(message: Buffer): Promise<string> {
  return await openssl('cms -cmsout -print -inform DER -in key.p7', { 'key.p7': message });
}

/** Opens the key with openssl, and expects that the certificate of the answer is for it. */
async function expectKey(answer: Answer, words: string, files: Files = {}): Promise<void> {
  const opened = await openKey(encryptedKey(answer), words, files, signer.certificate);
  expect(opened.contentType).toBe('2.16.840.1.101.2.1.2.78.5');
  const [, certificate] = partsOf(answer);
  const issued = new X509Certificate(await certificateOf({ ...answer, body: certificate?.body ?? '' }));
  expect(issued.checkPrivateKey(privateKeyOf({ key: opened.privateKeyInfo }))).toBe(true);
}

function recipientOf(name: string): { readonly words: string; readonly files: Files } {
  const { certificate = '', key = '' } = recipients[name] ?? {};
  return { words: '-recip r.pem -inkey r.key', files: { 'r.pem': certificate, 'r.key': key } };
}

describe('a shared key (RFC 7030, section 4.4.1.1)', () => {
  it.each([
    ['short', 'id-aes128-wrap'],
    ['middle', 'id-aes192-wrap'],
    ['long', 'id-aes256-wrap'],
  ] as const)('K-15 K-16 opens the answer for the holder of a %s one, wrapped by %s', async (name, wrap) => {
    const answer = await ask([decryptKeyIdentifier(name), everything]);
    await expectKey(answer, `-secretkey ${sharedKeys[name]} -secretkeyid ${hex(name)}`);
    const text = await printed(encryptedKey(answer));
    expect(text).toMatch(/d\.kekri: \s+version: 4\s+kekid: \s+keyIdentifier: /);
    expect(text).toMatch(
      new RegExp(`keyEncryptionAlgorithm: \\s+algorithm: ${wrap} \\S+\\s+parameter: <ABSENT>`),
    );
    expect(text).toMatch(
      /contentType: pkcs7-signedData .*\s+contentEncryptionAlgorithm: \s+algorithm: aes-256-cbc/,
    );
  });

  it('K-16 protects every kind of key, ML-DSA too', async () => {
    const answer = await ask([decryptKeyIdentifier('long'), everything], 'ml-dsa');
    expect(encryptedKey(answer).length).toBeGreaterThan(4896);
    await expectKey(answer, `-secretkey ${sharedKeys.long} -secretkeyid ${hex('long')}`);
  });

  it('K-22 wipes what was encrypted', async () => {
    const exported = await watchExportedKeys();
    encryptedKey(await ask([decryptKeyIdentifier('long'), everything]));
    expect(exported().map((octets) => octets.every((octet) => octet === 0))).toEqual([true]);
  });

  it('K-15 K-16 opens nothing for the holder of another key', async () => {
    const message = encryptedKey(await ask([decryptKeyIdentifier('long'), everything]));
    const words = `-secretkey ${'04'.repeat(32)} -secretkeyid ${hex('long')}`;
    await expect(openKey(message, words, {}, signer.certificate)).rejects.toThrow('unwrap');
  });
});

describe('a public key (RFC 7030, section 4.4.1.2)', () => {
  it.each([
    ['rsa', []],
    ['rsa-4096', []],
    ['rsa-free', []],
    ['rsa', [sequence(objectIdentifier(algorithms.oaep), sequence())]],
    ['rsa', ['oaep' as const]],
  ])('K-15 K-17 opens the answer for the holder of an RSA key: %s', async (name, capabilities) => {
    const answer = await ask([
      asymmetricDecryptKeyIdentifier(name),
      smimeCapabilities('aes256-CBC', ...capabilities),
    ]);
    const { words, files } = recipientOf(name);
    await expectKey(answer, words, files);
    const text = await printed(encryptedKey(answer));
    expect(text).toMatch(
      /version: 2\s+originatorInfo: <ABSENT>\s+recipientInfos:\s+d\.ktri: \s+version: 2\s+d\.subjectKeyIdentifier: /,
    );
    expect(text).toMatch(/keyEncryptionAlgorithm: \s+algorithm: rsaesOaep/);
  });

  it('K-17 takes the hash of OAEP from the capability', async () => {
    const sha384 = sequence(objectIdentifier('2.16.840.1.101.3.4.2.2'), null_);
    const parameters = sequence(
      tlv(0xa0, sha384),
      tlv(0xa1, sequence(objectIdentifier('1.2.840.113549.1.1.8'), sha384)),
    );
    const oaep = sequence(objectIdentifier(algorithms.oaep), parameters);
    const answer = await ask([asymmetricDecryptKeyIdentifier('rsa'), smimeCapabilities('aes256-CBC', oaep)]);
    const { words, files } = recipientOf('rsa');
    await expectKey(answer, words, files);
    expect(encryptedKey(answer).includes(parameters)).toBe(true);
  });

  it.each([
    ['p-256', 'sha256kdf', ['aes128-wrap'], 'id-aes128-wrap'],
    ['p-384', 'sha384kdf', ['aes128-wrap', 'aes256-wrap', 'aes192-wrap'], 'id-aes256-wrap'],
    ['p-521', 'sha512kdf', ['aes192-wrap'], 'id-aes192-wrap'],
  ] as const)('K-15 K-18 opens the answer for the holder of a key on %s', async (name, kdf, wraps, wrap) => {
    const answer = await ask([
      asymmetricDecryptKeyIdentifier(name),
      smimeCapabilities('aes128-CBC', ...wraps),
    ]);
    const { words, files } = recipientOf(name);
    await expectKey(answer, words, files);
    const text = await printed(encryptedKey(answer));
    expect(text).toMatch(/d\.kari: \s+version: 3\s+d\.originatorKey: /);
    expect(text).toMatch(/d\.rKeyId: \s+subjectKeyIdentifier: /);
    expect(text).toContain(`dhSinglePass-stdDH-${kdf}-scheme`);
    expect(text).toMatch(new RegExp(`OBJECT +:${wrap}\n`));
  });

  it('K-18 agrees on a key by the scheme and the wrapping that the capabilities name', async () => {
    const scheme = sequence(
      objectIdentifier(algorithms['stdDH-sha256kdf']),
      sequence(objectIdentifier(algorithms['aes128-wrap'])),
    );
    const capabilities = smimeCapabilities('aes256-CBC', 'stdDH-sha1kdf', scheme, 'aes256-wrap');
    const answer = await ask([asymmetricDecryptKeyIdentifier('p-384'), capabilities]);
    const { words, files } = recipientOf('p-384');
    await expectKey(answer, words, files);
    const text = await printed(encryptedKey(answer));
    expect(text).toContain('dhSinglePass-stdDH-sha256kdf-scheme');
    expect(text).toMatch(/OBJECT +:id-aes128-wrap\n/);
  });

  it('K-17 is found in the certificate that the client shows in TLS', async () => {
    const key = await generateKeyPair('RSA-2048');
    const cert = await certificateOf(await enrolWithBasic(gateway, await plainCsr('k-17', key)));
    const tls = { key: privatePem(key.privateKey), cert };
    const attributes = [asymmetricDecryptKeyIdentifier(await keyIdentifierOf(cert)), everything];
    const answer = await askForKey(gateway, 'keys', await certificationRequest({ attributes }), tls);
    await expectKey(answer, '-recip r.pem -inkey r.key', { 'r.pem': tls.cert, 'r.key': tls.key });
    expect(await printed(encryptedKey(answer))).toContain('d.ktri');
  });

  it('K-13 K-14 is refused when it is in that of another client, or only signs', async () => {
    const { key, cert } = await enrolDevice(gateway, 'k-14');
    const attributes = [asymmetricDecryptKeyIdentifier(await keyIdentifierOf(cert)), everything];
    const csr = await certificationRequest({ attributes });
    const answer = await askForKey(gateway, 'keys', csr, { key, cert });
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.stringContaining('lacks the keyUsage keyAgreement'),
    ]);
    const stranger = await askForKey(gateway, 'keys', csr);
    expect([stranger.status, stranger.body]).toEqual([400, expect.stringContaining('of no certificate')]);
  });

  it.each(['rsa-4096', 'p-384'])('K-19 encrypts with AES-256 for a strong key: %s', async (name) => {
    const text = await printed(encryptedKey(await ask([asymmetricDecryptKeyIdentifier(name), everything])));
    expect(text).toMatch(/contentEncryptionAlgorithm: \s+algorithm: aes-256-cbc/);
  });
});

/** The subjectKeyIdentifier of a certificate, PEM. */
async function keyIdentifierOf(cert: string): Promise<Buffer> {
  const text = await openssl('x509 -in c.pem -noout -ext subjectKeyIdentifier', { 'c.pem': cert });
  return Buffer.from(/[0-9A-F:]{20,}/.exec(text)?.[0].replaceAll(':', '') ?? '', 'hex');
}

describe('what cannot be encrypted is not given at all', () => {
  it.each([
    ['K-11 an identifier without capabilities', [decryptKeyIdentifier('long')], 'add SMIMECapabilities'],
    ['K-11 its twin without capabilities', [asymmetricDecryptKeyIdentifier('rsa')], 'add SMIMECapabilities'],
    [
      'K-11 both identifiers',
      [decryptKeyIdentifier('long'), asymmetricDecryptKeyIdentifier('rsa'), everything],
      'name one of them',
    ],
    ['K-12 an unknown identifier', [decryptKeyIdentifier('nobody'), everything], 'not known here'],
    ['K-12 an empty identifier', [decryptKeyIdentifier(''), everything], 'not known here'],
    ['K-13 an unknown key', [asymmetricDecryptKeyIdentifier('nobody'), everything], 'of no certificate'],
    ['K-13 an empty one', [asymmetricDecryptKeyIdentifier(''), everything], 'of no certificate'],
    [
      'K-13 the name of a shared key',
      [asymmetricDecryptKeyIdentifier('long'), everything],
      'of no certificate',
    ],
    [
      'K-14 an RSA key that only signs',
      [asymmetricDecryptKeyIdentifier('only-signs'), everything],
      'keyEncipherment',
    ],
    [
      'K-14 an EC key that only signs',
      [asymmetricDecryptKeyIdentifier('only-signs-ec'), everything],
      'keyAgreement',
    ],
    ['K-14 a key that cannot encrypt', [asymmetricDecryptKeyIdentifier('ed25519'), everything], 'Ed25519'],
    ['K-13 an expired certificate', [asymmetricDecryptKeyIdentifier('expired'), everything], 'has expired'],
    ['K-20 3DES alone', [decryptKeyIdentifier('long'), smimeCapabilities('3des')], 'id-aes256-wrap'],
    [
      'K-20 3DES alone, for RSA',
      [asymmetricDecryptKeyIdentifier('rsa'), smimeCapabilities('3des')],
      'aes256-CBC',
    ],
    [
      'K-20 no content encryption',
      [decryptKeyIdentifier('long'), smimeCapabilities('aes256-wrap')],
      'content encryption that is supported here: aes256-CBC',
    ],
    [
      'K-20 a wrapping that does not fit the shared key',
      [decryptKeyIdentifier('long'), smimeCapabilities('aes256-CBC', 'aes128-wrap')],
      'id-aes256-wrap',
    ],
    [
      'K-20 no key agreement',
      [asymmetricDecryptKeyIdentifier('p-256'), smimeCapabilities('aes256-CBC')],
      'key agreement that is supported here',
    ],
    [
      'K-20 an old key agreement',
      [
        asymmetricDecryptKeyIdentifier('p-256'),
        smimeCapabilities('aes256-CBC', 'stdDH-sha1kdf', 'aes256-wrap'),
      ],
      'key agreement that is supported here',
    ],
    [
      'K-20 an old key transport',
      [asymmetricDecryptKeyIdentifier('rsa'), smimeCapabilities('aes256-CBC', 'rsaEncryption')],
      'id-RSAES-OAEP',
    ],
    [
      'K-11 capabilities that are none',
      [decryptKeyIdentifier('long'), attribute('1.2.840.113549.1.9.15', null_)],
      'SMIMECapabilities',
    ],
    [
      'K-12 an identifier that is no OCTET STRING',
      [attribute('1.2.840.113549.1.9.16.2.37', utf8String('long')), everything],
      'not a valid PKCS#10',
    ],
    [
      'K-12 two identifiers',
      [
        attribute('1.2.840.113549.1.9.16.2.37', octetString(Buffer.of(1)), octetString(Buffer.of(2))),
        everything,
      ],
      'more than one value',
    ],
  ])('%s is refused, before a key is made', async (_, attributes, sentence) => {
    const made = watchKeyMaker();
    const answer = await ask(attributes);
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(answer.body).toContain(sentence);
    expect(made).not.toHaveBeenCalled();
  });

  it.each([
    ['K-12', decryptKeyIdentifier('long')],
    ['K-13', asymmetricDecryptKeyIdentifier('rsa')],
  ])('%s is refused by an alias without encryption', async (_, identifier) => {
    const made = watchKeyMaker();
    const answer = await ask([identifier, everything], 'clear');
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('this alias has no encryption'),
    ]);
    expect(made).not.toHaveBeenCalled();
  });

  it('K-12 is given in clear to who asks for none, unless the alias demands it', async () => {
    await grantedBy(await ask([everything]));
    const answer = await ask([everything], 'required');
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('This alias encrypts every key'),
    ]);
    await expectKey(
      await ask([decryptKeyIdentifier('short'), everything], 'required'),
      `-secretkey ${sharedKeys.short} -secretkeyid ${hex('short')}`,
    );
  });
});

describe('the configuration of encryption', () => {
  it.each([
    ['a shared key of an odd length', { 'shared-keys': 'aa:0102' }, 'keyEncryptionKeys: line 1 is not'],
    ['a line of something else', { 'shared-keys': '\nsecret' }, 'keyEncryptionKeys: line 2 is not'],
    [
      'an identifier twice',
      { 'shared-keys': `aa:${sharedKeys.short}\nAA:${sharedKeys.long}` },
      'line 2 has an identifier',
    ],
    ['a certificate that cannot be named', { 'recipients.pem': 'signer' }, 'without subjectKeyIdentifier'],
    ['the key of somebody else', { 'signer.key': 'other' }, 'signer: The private key does not belong'],
  ])('refuses %s at the start, and shows no key', async (_, files, sentence) => {
    const texts: Readonly<Record<string, string>> = {
      signer: signer.certificate,
      other: recipients['rsa']?.key ?? '',
    };
    const encryption = {
      signer: { certificate: 'signer.pem', privateKey: 'file:signer.key' },
      keyEncryptionKeys: 'file:shared-keys',
      recipients: ['recipients.pem'],
    };
    const given = {
      ...{
        'signer.pem': signer.certificate,
        'signer.key': signer.key,
        'shared-keys': '',
        'recipients.pem': '',
      },
      ...Object.fromEntries(Object.entries(files).map(([name, text]) => [name, texts[text] ?? text])),
    };
    const started = startTestGateway({
      aliases: { bad: { serverKeyGeneration: { encryption } } },
      files: given,
    });
    const error = await started.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toContain(`aliases.bad: serverKeyGeneration: encryption: `);
    expect(String(error)).toContain(sentence);
    expect(String(error)).not.toContain('secret');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { Answer } from '../support/client.ts';
import {
  failInfo,
  openSigner,
  pkiData,
  postFullCmc,
  readFullPkiResponse,
  requestFor,
  requestId,
  requestOf,
  selfSigned,
  responseType,
  senderNonce,
  signedByRequestedKey,
  signMessage,
  usualTcr,
  type FullPkiResponse,
  type TestSigner,
} from '../support/cmc.ts';
import {
  attribute,
  extension,
  generateKeyPair,
  id,
  keyPair,
  name,
  objectIdentifier,
  octetString,
  printableString,
  sequence,
  true_,
  utf8String,
  type CertificationRequestParts,
  type KeyKind,
} from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const caExtension = extension(id.basicConstraints, sequence(true_), true);
const unknownExtension = extension('1.2.3.4.5', octetString(Buffer.of(1)), true);
const wrongBinding = attribute(id.challengePassword, printableString('Z2FyYmFnZQ=='));
const spoilt = (signature: Buffer): Buffer =>
  Buffer.concat([signature.subarray(0, -1), Buffer.of((signature.at(-1) ?? 0) ^ 1)]);

describe('F-05 F-09 fullcmc says why, with a status of 4xx or 5xx:', () => {
  let signer: TestSigner;
  let gateway: TestGateway;

  beforeAll(async () => {
    signer = await openSigner();
    const fullCmc = { signer: signer.files };
    const scripted = (profile: string): object => ({ backend: 'mock', profile, fullCmc });
    gateway = await startTestGateway({
      aliases: {
        cmc: { fullCmc },
        cnsa: { fullCmc, policy: { keys: ['P-384'] } },
        identity: { fullCmc, policy: { names: 'identity' } },
        rejected: scripted('rejected'),
        down: scripted('down'),
        garbage: scripted('garbage'),
      },
    });
  });

  afterAll(async () => {
    await gateway.stop();
    await signer.remove();
  });

  /** Reads a refusal that must be a 4xx or 5xx, signed, and recorded nowhere. */
  async function refusal(answer: Answer, status = 400): Promise<FullPkiResponse> {
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe(responseType);
    return await readFullPkiResponse(answer, signer.cert);
  }

  async function enrolments(): Promise<number> {
    return (await gateway.store.enrollments.list(1000)).length;
  }

  it('badMessageCheck for another signature than that of the named signer', async () => {
    const message = await requestFor();
    message.writeUInt8(message.readUInt8(message.length - 1) ^ 1, message.length - 1);
    const response = await refusal(await postFullCmc(gateway, message));
    expect(response).toMatchObject({ status: 2n, failInfo: failInfo.badMessageCheck });
  });

  it('badMessageCheck for content that was changed after it was signed', async () => {
    const key = await keyPair('P-256');
    const controls = [senderNonce(Buffer.from('the nonce'))];
    const message = await signedByRequestedKey(await plainCsr('device', key), key, controls);
    message.write('The', message.indexOf('the nonce'));
    const response = await refusal(await postFullCmc(gateway, message));
    expect(response.failInfo).toBe(failInfo.badMessageCheck);
  });

  it('badMessageCheck for a key that nothing in the message shows', async () => {
    const content = pkiData({ requests: [await usualTcr()] });
    const stranger = await selfSigned(await keyPair('P-384'));
    for (const words of ['-keyid -nocerts', '-nocerts']) {
      const response = await refusal(await postFullCmc(gateway, await signMessage(content, stranger, words)));
      expect(response.failInfo).toBe(failInfo.badMessageCheck);
    }
  });

  it('badAlg for SHA-1', async () => {
    const content = pkiData({ requests: [await usualTcr()] });
    const response = await refusal(await postFullCmc(gateway, await requestOf(content, '-md sha1')));
    expect(response.failInfo).toBe(failInfo.badAlg);
  });

  it('badAlg for a message without a signature (RFC 5272, section 3.2)', async () => {
    const message = await requestFor();
    // ecdsa-with-SHA256 becomes id-alg-noSignature of the same length.
    const ecdsa = objectIdentifier('1.2.840.10045.4.3.2');
    Buffer.from('06082b06010505070602', 'hex').copy(message, message.lastIndexOf(ecdsa));
    const response = await refusal(await postFullCmc(gateway, message));
    expect(response.failInfo).toBe(failInfo.badAlg);
  });

  it('F-13 badAlg for RSA where the alias wants P-384 alone', async () => {
    const answerTo = async (kind: KeyKind): Promise<Answer> => {
      const key = await keyPair(kind);
      const message = await signedByRequestedKey(await plainCsr('device', key), key);
      return await postFullCmc(gateway, message, { alias: 'cnsa' });
    };
    expect((await refusal(await answerTo('RSA-2048'), 403)).failInfo).toBe(failInfo.badAlg);
    expect((await answerTo('P-384')).status).toBe(200);
  });

  it.each<[string, keyof typeof failInfo, CertificationRequestParts, number]>([
    ['E-10 an extension that is never granted', 'unsupportedExt', { extensions: [caExtension] }, 403],
    [
      'E-10 a critical extension that nobody knows',
      'unsupportedExt',
      { extensions: [unknownExtension] },
      400,
    ],
    [
      'a subject that the alias does not grant',
      'badRequest',
      { subject: name(['2.5.4.12', utf8String('x')]) },
      403,
    ],
    ['a PKCS#10 that its key did not sign', 'popFailed', { mutateSignature: spoilt }, 400],
    ['L-14 E-19 a wrong channel binding', 'popFailed', { attributes: [wrongBinding] }, 400],
  ])('%s: %s', async (_what, expected, parts, status) => {
    const before = await enrolments();
    const response = await refusal(await postFullCmc(gateway, await requestFor(parts)), status);
    expect(response).toMatchObject({ status: 2n, bodyPartId: requestId, failInfo: failInfo[expected] });
    expect(await enrolments()).toBe(before);
  });

  it("badIdentity for names that are not the client's", async () => {
    const message = await requestFor({ subject: name([id.commonName, utf8String('somebody else')]) });
    const response = await refusal(await postFullCmc(gateway, message, { alias: 'identity' }), 403);
    expect(response.failInfo).toBe(failInfo.badIdentity);
  });

  it.each([
    ['rejected', 403, 'badRequest'],
    ['down', 503, 'tryLater'],
    ['garbage', 502, 'internalCAError'],
  ] as const)('what a CA does that is scripted as %s: %d, %s', async (alias, status, expected) => {
    const key = await generateKeyPair('P-256');
    const message = await signedByRequestedKey(await plainCsr('device', key), key);
    const answer = await postFullCmc(gateway, message, { alias });
    expect((await refusal(answer, status)).failInfo).toBe(failInfo[expected]);
    expect(answer.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
  });

  it('with the request id that the log quotes', async () => {
    const answer = await postFullCmc(gateway, randomBytes(100));
    const { statusString = '' } = await refusal(answer);
    const requestId = /\(request ([0-9a-f-]{36})\)$/.exec(statusString)?.[1];
    expect(gateway.log.entries.find(({ fields }) => fields['requestId'] === requestId)).toMatchObject({
      fields: { operation: 'fullcmc', outcome: 'malformed_request', status: 400 },
    });
  });
});

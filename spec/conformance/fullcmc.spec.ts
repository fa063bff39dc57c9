import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, X509Certificate } from 'node:crypto';
import type { Answer } from '../support/client.ts';
import { send } from '../support/client.ts';
import {
  control,
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
  tcr,
  transactionId,
  usualTcr,
  type FullPkiResponse,
  type TestSigner,
} from '../support/cmc.ts';
import {
  generateKeyPair,
  integer,
  keyPair,
  objectIdentifier,
  octetString,
  sequence,
  tlv,
  type KeyKind,
} from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

describe('fullcmc (RFC 7030, section 4.3)', () => {
  let signer: TestSigner;
  let gateway: TestGateway;

  beforeAll(async () => {
    signer = await openSigner();
    const fullCmc = { signer: signer.files };
    gateway = await startTestGateway({
      aliases: {
        cmc: { fullCmc },
        pending: { backend: 'mock', profile: 'pending', fullCmc },
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

  it('F-01 is off unless the alias has a signer: 404 and a text, whatever the method', async () => {
    const answer = await postFullCmc(gateway, await requestFor(), { alias: 'est' });
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('text/plain');
    const options = { ca: gateway.trustAnchor };
    expect((await send(`${gateway.url}/est/fullcmc`, options)).status).toBe(404);
    const got = await send(`${gateway.url}/cmc/fullcmc`, options);
    expect([got.status, got.headers.allow]).toEqual([405, 'POST']);
  });

  it('E-01 wants the authentication of simpleenroll before it reads the request', async () => {
    const answer = await postFullCmc(gateway, 'junk', { headers: { Authorization: 'Basic eDp5' } });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
  });

  it.each([
    ['junk', async () => await Promise.resolve(randomBytes(200))],
    ['a PKCS#10', async () => await plainCsr('device', await keyPair('P-256'))],
    [
      'a signed message of another type',
      async () => await requestOf(pkiData({}), '-econtent_type 1.2.840.113549.1.7.1'),
    ],
    ['a PKIData that is cut off', async () => await requestOf(pkiData({}).subarray(0, 6))],
    ['a PKIData of three parts', async () => await requestOf(sequence(sequence(), sequence(), sequence()))],
    ['a PKIData that asks for nothing', async () => await requestOf(pkiData({}))],
    [
      'BER',
      async () => Buffer.concat([Buffer.of(0x30, 0x80), (await requestFor()).subarray(4), Buffer.alloc(2)]),
    ],
    [
      'a body part id that two parts share',
      async () =>
        await requestOf(
          pkiData({ controls: [control(requestId, 5, integer(1n))], requests: [await usualTcr()] }),
        ),
    ],
    [
      'a body part id of 0',
      async () =>
        await requestOf(pkiData({ requests: [tcr(await plainCsr('device', await keyPair('P-256')), 0n)] })),
    ],
    [
      'two signers',
      async () => {
        const other = await selfSigned(await keyPair('P-384'));
        const message = await requestFor();
        const pem = await openssl(
          'cms -resign -binary -nodetach -inform DER -in m.der -signer c.pem -inkey k.pem -outform PEM',
          {
            'm.der': message,
            'c.pem': other.cert,
            'k.pem': other.key,
          },
        );
        return Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64');
      },
    ],
    [
      'no signed attributes',
      async () => await requestOf(pkiData({ requests: [await usualTcr()] }), '-noattr'),
    ],
  ])('F-02 refuses %s', async (_what, make) => {
    const before = await enrolments();
    const response = await refusal(await postFullCmc(gateway, await make()));
    expect(response).toMatchObject({ status: 2n, failInfo: failInfo.badRequest });
    expect(await enrolments()).toBe(before);
  });

  it.each([
    ['what is no base64', '!', 400],
    ['nothing', '', 400],
    ['more than a request may have', 'A'.repeat(70_000), 413],
  ])('D-01 refuses %s by a text, since there is no message to answer', async (_what, body, status) => {
    const answer = await postFullCmc(gateway, body);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'text/plain']);
  });

  it.each([
    ['application/pkcs7-mime; smime-type=CMC-request', 200],
    ['application/pkcs7-mime; smime-type=cmc-request', 200],
    ['application/pkcs7-mime;smime-type="CMC-Request"; name=smime.p7m', 200],
    ['application/pkcs7-mime', 415],
    ['application/pkcs7-mime; smime-type=certs-only', 415],
    ['application/pkcs10', 415],
  ])('F-03 answers the type %s with %d', async (type, status) => {
    const answer = await postFullCmc(gateway, await requestFor(), { headers: { 'Content-Type': type } });
    expect(answer.status).toBe(status);
    expect(answer.headers.accept).toBe(
      status === 415 ? 'application/pkcs7-mime; smime-type=CMC-request' : undefined,
    );
  });

  it('F-04 F-07 gives the certificate in a signed response of the matching type, with its chain', async () => {
    const key = await generateKeyPair('P-256');
    const answer = await postFullCmc(gateway, await signedByRequestedKey(await plainCsr('device', key), key));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(responseType);
    const response = await readFullPkiResponse(answer, signer.cert);
    expect(response).toMatchObject({
      status: 0n,
      bodyPartId: requestId,
      failInfo: undefined,
      statusString: undefined,
    });
    const bag = response.certificates.map((pem) => new X509Certificate(pem));
    expect(bag.map(({ subject }) => subject).sort()).toEqual([
      'CN=Test Issuing CA',
      'CN=device',
      'CN=gateway',
    ]);
    const issued = bag.find(({ subject }) => subject === 'CN=device');
    expect(issued?.publicKey.equals(key.publicKey)).toBe(true);
    await expect(
      openssl('verify -CAfile root.pem -untrusted bag.pem issued.pem', {
        'root.pem': gateway.trustAnchor,
        'bag.pem': response.certificates.join(''),
        'issued.pem': issued?.toString() ?? '',
      }),
    ).resolves.toMatch(/OK/);
  });

  it.each<KeyKind>(['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-4096'])(
    'F-06 issues to a key %s that signs its own request, named by its key identifier alone',
    async (kind) => {
      const key = await keyPair(kind);
      const answer = await postFullCmc(
        gateway,
        await signedByRequestedKey(await plainCsr('device', key), key),
      );
      expect(await readFullPkiResponse(answer, signer.cert)).toMatchObject({ status: 0n });
    },
  );

  it.each([
    ['a self-signed certificate in the message', ''],
    ['RSA-PSS', '-keyid -nocerts -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1'],
    ['SHA-512', '-keyid -nocerts -md sha512'],
  ])('F-06 issues to a key that signs its own request with %s', async (_how, words) => {
    const key = await keyPair('RSA-2048');
    const content = pkiData({ requests: [tcr(await plainCsr('device', key))] });
    const answer = await postFullCmc(gateway, await signMessage(content, await selfSigned(key), words));
    expect(await readFullPkiResponse(answer, signer.cert)).toMatchObject({ status: 0n });
  });

  it('F-06 takes PEM of CMS too, as openssl writes it', async () => {
    const pem = `-----BEGIN CMS-----\n${(await requestFor()).toString('base64')}\n-----END CMS-----\n`;
    expect((await postFullCmc(gateway, pem)).status).toBe(200);
  });

  it('F-06 answers AuthenticatedData with noSupport', async () => {
    const authenticated = sequence(objectIdentifier('1.2.840.113549.1.9.16.1.2'), tlv(0xa0, sequence()));
    const response = await refusal(await postFullCmc(gateway, authenticated));
    expect(response).toMatchObject({ status: 4n, bodyPartId: 0n, failInfo: failInfo.badRequest });
  });

  it('F-06 answers CRMF with noSupport', async () => {
    const crmf = tlv(0xa1, sequence(integer(5n), sequence()));
    const response = await refusal(
      await postFullCmc(gateway, await requestOf(pkiData({ requests: [crmf] }))),
    );
    expect(response).toMatchObject({ status: 4n, statusString: expect.stringMatching(/only PKCS#10 is/) });
  });

  it('F-06 refuses a second certification request, and calls no CA for the first', async () => {
    const before = await enrolments();
    const requests = [await usualTcr(), tcr(await plainCsr('other', await keyPair('P-384')), 8n)];
    const response = await refusal(await postFullCmc(gateway, await requestOf(pkiData({ requests }))));
    expect(response).toMatchObject({
      status: 2n,
      failInfo: failInfo.badRequest,
      statusString: expect.stringMatching(/exactly one certificate/),
    });
    expect(await enrolments()).toBe(before);
  });

  it('F-08 gives transactionId and nonce back, the nonce beside a new one of the gateway', async () => {
    const nonce = randomBytes(16);
    const controls = [transactionId(0x00ffee00112233445566n), senderNonce(nonce)];
    const key = await keyPair('P-256');
    const message = await signedByRequestedKey(await plainCsr('device', key), key, controls);
    const first = await readFullPkiResponse(await postFullCmc(gateway, message), signer.cert);
    const second = await readFullPkiResponse(await postFullCmc(gateway, message), signer.cert);
    expect(first.controls.get(5)?.toString('hex')).toBe('00ffee00112233445566');
    expect(first.controls.get(7)).toEqual(nonce);
    expect(first.controls.get(6)).toHaveLength(16);
    expect(second.controls.get(6)).not.toEqual(first.controls.get(6));
  });

  it('F-08 gives them back with a refusal too, and none where none came', async () => {
    const nonce = randomBytes(8);
    const controls = [transactionId(77n), senderNonce(nonce), control(3n, 21, octetString(nonce))];
    const content = pkiData({ controls, requests: [await usualTcr()] });
    const refused = await refusal(await postFullCmc(gateway, await requestOf(content)));
    expect([...refused.controls.keys()]).toEqual([25, 5, 7, 6]);
    expect(refused.controls.get(7)).toEqual(nonce);
    const plain = await readFullPkiResponse(await postFullCmc(gateway, await requestFor()), signer.cert);
    expect([...plain.controls.keys()]).toEqual([25]);
  });

  it.each([
    ['queryPending', 21],
    ['identityProofV2', 34],
    ['revokeRequest', 17],
    ['one that nobody knows', 99],
  ])('F-10 answers the control %s with noSupport', async (_name, number) => {
    const before = await enrolments();
    const content = pkiData({
      controls: [control(1n, number, octetString(Buffer.of(1)))],
      requests: [await usualTcr()],
    });
    const response = await refusal(await postFullCmc(gateway, await requestOf(content)));
    expect(response).toMatchObject({
      status: 4n,
      failInfo: failInfo.badRequest,
      statusString: expect.stringMatching(/only transactionId and senderNonce are/),
    });
    expect(await enrolments()).toBe(before);
  });

  it('F-10 answers another kind of message inside with noSupport', async () => {
    const others = [sequence(integer(2n), objectIdentifier('1.2.3'), octetString(Buffer.of(1)))];
    const content = pkiData({ requests: [await usualTcr()], others });
    expect(await refusal(await postFullCmc(gateway, await requestOf(content)))).toMatchObject({ status: 4n });
  });

  it('D-04 never answers with problem+json', async () => {
    const headers = { Accept: 'application/problem+json' };
    const response = await refusal(await postFullCmc(gateway, randomBytes(100), { headers }));
    expect(response.status).toBe(2n);
  });

  it('F-12 P-01 puts the client off by 202 with a pending status, until the CA has decided', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr('device', key);
    const post = async (): Promise<Answer> =>
      await postFullCmc(gateway, await signedByRequestedKey(csr, key, [transactionId(1n)]), {
        alias: 'pending',
      });
    const answer = await post();
    expect([answer.status, answer.headers['retry-after']]).toEqual([202, '1']);
    expect(answer.headers['content-type']).toBe(responseType);
    const response = await readFullPkiResponse(answer, signer.cert);
    expect(response).toMatchObject({
      status: 3n,
      bodyPartId: requestId,
      pendTime: expect.stringMatching(/^20\d{12}Z$/),
    });
    expect(response.certificates).toHaveLength(1);
    expect((await post()).status).toBe(202);
    expect(await readFullPkiResponse(await post(), signer.cert)).toMatchObject({ status: 0n });
  });

  it('E-22 gives the same certificate when the same request comes again, signed anew', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr('device', key);
    const issued = async (): Promise<readonly string[]> => {
      const answer = await postFullCmc(gateway, await signedByRequestedKey(csr, key));
      return (await readFullPkiResponse(answer, signer.cert)).certificates;
    };
    expect(await issued()).toEqual(await issued());
  });
});

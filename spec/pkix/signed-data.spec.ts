import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificateToPem, readCertificate } from '../../src/pkix/certificate.ts';
import { readDer } from '../../src/pkix/der.ts';
import { createMessageSigner, type MessageSigner } from '../../src/pkix/signed-data.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { keyPair, octetString, sequence, type KeyKind } from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';

/** Of a PKIResponse. */
const contentType = '1.3.6.1.5.5.7.12.3';
const content = sequence(octetString(Buffer.from('what is signed')));

interface TestSigner {
  readonly signer: MessageSigner;
  /** DER. */
  readonly certificate: Buffer;
}

async function testSigner(kind: KeyKind): Promise<TestSigner> {
  const issuerKey = await keyPair('P-256');
  const key = await keyPair(kind);
  const names = { subject: named(`signer ${kind}`), issuer: named('issuer') };
  const certificate = await certificateDer({ ...names, key, issuerKey });
  const signer = await createMessageSigner([readCertificate(certificate)], key.privateKey);
  return { signer, certificate };
}

describe('a signed message (RFC 5652, section 5)', () => {
  it.each(['RSA-2048', 'P-256', 'P-384', 'P-521'] as const)(
    'is verified by openssl with a key of the kind %s, and holds the content',
    async (kind) => {
      const { signer } = await testSigner(kind);
      const files = { 'message.p7': await signer.sign(contentType, content) };
      const opened = await openssl('cms -verify -inform DER -in message.p7 -noverify', files);
      expect(opened).toContain('what is signed');
      expect(opened).toContain('CMS Verification successful');
    },
  );

  it('is not verified when an octet of the content was changed', async () => {
    const { signer } = await testSigner('P-256');
    const message = await signer.sign(contentType, content);
    message.write('What', message.indexOf('what is signed'));
    const verified = openssl('cms -verify -inform DER -in message.p7 -noverify', { 'message.p7': message });
    await expect(verified).rejects.toThrow('verification failure');
  });

  describe('in detail', () => {
    let printed: string;
    let message: Buffer;
    let others: readonly Buffer[];
    beforeAll(async () => {
      const { signer, certificate } = await testSigner('P-384');
      others = await Promise.all(
        ['one', 'two', 'three'].map(async (name) => await certificateDer({ subject: named(name) })),
      );
      message = await signer.sign(contentType, content, [...others, certificate]);
      printed = await openssl('cms -cmsout -print -inform DER -in message.p7', { 'message.p7': message });
    });

    it('names the type of its content, and signs the type, the digest and the time', () => {
      expect(printed).toContain('contentType: pkcs7-signedData');
      expect(printed).toMatch(/version: 3\s+digestAlgorithms:\s+algorithm: sha384 /);
      expect(printed).toMatch(/eContentType: id-cct-PKIResponse/);
      const signed = printed.slice(printed.indexOf('signedAttrs:'), printed.indexOf('signatureAlgorithm:'));
      expect(signed.match(/object: \w+/g)?.sort()).toEqual([
        'object: contentType',
        'object: messageDigest',
        'object: signingTime',
      ]);
      expect(printed).toMatch(/signatureAlgorithm:\s+algorithm: ecdsa-with-SHA384/);
    });

    it("holds the signer's certificate and the others, each once", async () => {
      const files = { 'message.p7': message };
      const listed = await openssl('pkcs7 -inform DER -in message.p7 -print_certs -noout', files);
      expect(listed.match(/^subject=.*$/gm)?.sort()).toEqual([
        'subject=CN = one',
        'subject=CN = signer P-384',
        'subject=CN = three',
        'subject=CN = two',
      ]);
    });

    it('M-08 is DER: definite lengths, each SET OF sorted', () => {
      const [, signedData] = readDer(message).children;
      const [, , , certificates, signerInfos] = signedData?.children[0]?.children ?? [];
      const signedAttributes = signerInfos?.children[0]?.children[3];
      for (const set of [certificates, signedAttributes]) {
        const members = set?.children.map(({ bytes }) => bytes.toString('hex')) ?? [];
        expect(members.length).toBeGreaterThan(2);
        expect(members).toEqual(members.toSorted());
      }
    });
  });

  it('is not possible with a key that belongs to another certificate, or without any', async () => {
    const { certificate } = await testSigner('P-256');
    const { privateKey } = await keyPair('P-384');
    for (const certificates of [[readCertificate(certificate)], []]) {
      await expect(createMessageSigner(certificates, privateKey)).rejects.toThrow(
        'The private key does not belong to the first certificate of the file.',
      );
    }
  });

  it('is not possible with a key that cannot sign such messages', async () => {
    const key = await keyPair('Ed25519');
    const pem = await openssl('req -x509 -key key.pem -subj /CN=signer', {
      'key.pem': key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    });
    const certificate = readCertificate(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
    expect(certificateToPem(certificate.der)).toBe(pem);
    await expect(createMessageSigner([certificate], key.privateKey)).rejects.toThrow(
      'The key of the signer must be RSA of 2048 to 8192 bits, P-256, P-384 or P-521.',
    );
  });
});

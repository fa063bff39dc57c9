import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EstError } from '../../src/errors.ts';
import { readKeyGenerationRequest, withKey } from '../../src/pkix/key-generation-request.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  id,
  keyPair,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { decryptKeyIdentifier, smimeCapabilities } from '../support/key-generation.ts';
import { openssl } from '../support/openssl.ts';
import { thrownBy } from '../support/thrown.ts';

const attributes = [
  smimeCapabilities('aes256-CBC'),
  decryptKeyIdentifier('one'),
  attribute(id.challengePassword, utf8String('linked')),
];
const extensions = [subjectAltName(generalName(2, 'device.example'))];

describe('a request for a key', () => {
  it.each(['RSA-2048', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const)(
    'K-03 becomes a PKCS#10 with a new key that openssl verifies, and asks for the same: %s',
    async (kind) => {
      const received = await certificationRequest({ attributes, extensions });
      const { privateKey } = await keyPair(kind);
      const type = kind === 'RSA-2048' ? 'RSA' : kind;
      const { der } = await withKey(readKeyGenerationRequest(received), type, privateKey);
      const before = await openssl('req -inform DER -in csr.der -noout -text', { 'csr.der': received });
      const after = await openssl('req -inform DER -in csr.der -noout -text -verify', { 'csr.der': der });
      expect(after).toContain('Certificate request self-signature verify OK');
      const asked = (text: string): string =>
        /Attributes:[\s\S]*(?=\n {4}Signature Alg)/.exec(text)?.[0] ?? '';
      expect(asked(after)).toBe(asked(before));
      expect(asked(after)).toContain('DNS:device.example');
    },
  );

  it('K-03 gets a field of attributes when it came without one', async () => {
    const received = await certificationRequest({ attributes: 'missing' });
    const { privateKey } = await keyPair('P-256');
    const { der } = await withKey(readKeyGenerationRequest(received), 'P-256', privateKey);
    const text = await openssl('asn1parse -inform DER -in csr.der', { 'csr.der': der });
    expect(text).toMatch(/:d=2 +hl=2 l= +0 cons: cont \[ 0 \]/);
  });

  it('S-09 is read or refused with an EstError, whatever its octets are', async () => {
    const received = await certificationRequest({ attributes, extensions });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(received.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const changed = Buffer.from(received);
          for (const [at, octet] of changes) changed[at] = octet;
          const thrown = thrownBy(() => readKeyGenerationRequest(changed));
          expect(thrown === undefined || thrown instanceof EstError).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

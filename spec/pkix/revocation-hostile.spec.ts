import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { readRevocationList } from '../../src/pkix/crl-read.ts';
import { DerError } from '../../src/pkix/der.ts';
import { EstError } from '../../src/errors.ts';
import { readOcspResponse } from '../../src/pkix/ocsp.ts';
import { openVendor, type Vendor } from '../support/vendor.ts';

/** Octets with some of them changed, and cut off somewhere. */
const damages = fc.record({
  at: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  cut: fc.option(fc.nat()),
});

function damaged(octets: Buffer, { at, cut }: { at: [number, number][]; cut: number | null }): Buffer {
  const copy = Buffer.from(octets);
  for (const [position, octet] of at) copy[position % copy.length] = octet;
  return cut === null ? copy : copy.subarray(0, cut % copy.length);
}

function isRefusal(error: unknown): boolean {
  return error instanceof DerError || error instanceof EstError;
}

describe('S-09 what CRL servers and OCSP responders send', () => {
  let vendor: Vendor;
  let crl: Buffer;
  let answer: Buffer;
  let certificate: Certificate;
  let issuer: Certificate;

  beforeAll(async () => {
    vendor = await openVendor();
    const { cert } = await vendor.issue('device');
    await vendor.revoke('device');
    crl = await vendor.crl('issuing.crl');
    await vendor.bash(`openssl ocsp -index issuing.index -CA issuing.pem -rsigner issuing.pem -rkey issuing.key \
      -issuer issuing.pem -cert device.pem -no_nonce -nmin 5 -respout answer.der`);
    answer = await readFile(vendor.file('answer.der'));
    [certificate, issuer] = [cert, await readFile(vendor.file('issuing.pem'), 'utf8')].map(
      (pem) => certificatesFromPem(pem)[0],
    ) as [Certificate, Certificate];
  });
  afterAll(async () => {
    await vendor.remove();
  });

  it('is refused or understood, whatever it is', async () => {
    const list = await readRevocationList(crl);
    expect(list.revocationOf(certificate.serialNumber)).toEqual({
      reason: 'unspecified',
      since: expect.any(Date),
    });
    expect(list.revocationOf('01')).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(damages, async (damage) => {
        const outcome = await readRevocationList(damaged(crl, damage)).catch((error: unknown) => error);
        expect(outcome instanceof Error ? isRefusal(outcome) : true).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('says revoked, or nothing, however it is damaged', async () => {
    const intact = await readOcspResponse(answer, { certificate, issuer }, new Date());
    expect(intact.status).toBe('revoked');
    await fc.assert(
      fc.asyncProperty(damages, async (damage) => {
        try {
          const response = damaged(answer, damage);
          const { status } = await readOcspResponse(response, { certificate, issuer }, new Date());
          expect(status).toBe('revoked');
        } catch (error) {
          if (!isRefusal(error)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

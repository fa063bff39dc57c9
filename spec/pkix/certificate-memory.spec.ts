import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { createCertificateMemory } from '../../src/pkix/certificate-memory.ts';
import { newKey, opensslCertificate } from '../ca/local/openssl-ca.ts';

describe('createCertificateMemory', () => {
  let ders: readonly Buffer[];
  beforeAll(async () => {
    const made = ['One', 'Two', 'Three'].map(
      async (name) => await opensslCertificate({ key: newKey.p256(), name }),
    );
    ders = (await Promise.all(made))
      .flatMap(({ certificate }) => certificatesFromPem(certificate))
      .map(({ der }) => der);
  });
  const octets = (index: number): Buffer => Buffer.from(ders[index] ?? []);

  it('gives the same value for the same octets', () => {
    const read = createCertificateMemory(2);
    expect(read(octets(0))).toBe(read(octets(0)));
    expect(read(octets(0)).der).toEqual(octets(0));
    expect(read(octets(1))).not.toBe(read(octets(0)));
  });

  it('forgets the one that was not asked for the longest', () => {
    const read = createCertificateMemory(2);
    const [first, second] = [read(octets(0)), read(octets(1))];
    expect(read(octets(0))).toBe(first);
    read(octets(2));
    expect(read(octets(0))).toBe(first);
    expect(read(octets(1))).not.toBe(second);
  });
});

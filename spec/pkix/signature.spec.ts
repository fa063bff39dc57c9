import { describe, expect, it } from '@jest/globals';
import { constants } from 'node:crypto';
import { integer, keyPair, null_, objectIdentifier, opensslCsr, sequence, tlv } from '../support/csr.ts';
import { accepted, refused, sentenceAgainst } from '../support/refused-csr.ts';

describe('verifySignature (row S-16, vectors V-13, V-32)', () => {
  const algorithm = (oid: string, ...parameters: readonly Buffer[]): Buffer =>
    sequence(objectIdentifier(oid), ...parameters);
  const sha = { 1: '1.3.14.3.2.26', 256: '2.16.840.1.101.3.4.2.1', 384: '2.16.840.1.101.3.4.2.2' } as const;
  const pss = (
    hash: keyof typeof sha,
    maskHash: keyof typeof sha,
    salt: Buffer | undefined,
    ...rest: readonly Buffer[]
  ): Buffer =>
    algorithm(
      '1.2.840.113549.1.1.10',
      sequence(
        tlv(0xa0, algorithm(sha[hash], null_)),
        tlv(0xa1, algorithm('1.2.840.113549.1.1.8', algorithm(sha[maskHash], null_))),
        ...(salt === undefined ? [] : [tlv(0xa2, salt)]),
        ...rest,
      ),
    );
  const padding = (saltLength: number): { padding: number; saltLength: number } => ({
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength,
  });

  it.each(['sha1', 'md5'])('V-13 refuses %s and says what is accepted', async (hash) => {
    const der = await opensslCsr('-newkey', 'rsa:2048', `-${hash}`);
    expect(await sentenceAgainst(der)).toContain('Accepted: SHA-256, SHA-384 or SHA-512 with RSA');
  });

  it('V-13 refuses algorithms that do not fit the key', async () => {
    const ecdsa = algorithm('1.2.840.10045.4.3.2');
    const [rsa, ed25519] = [await keyPair('RSA-2048'), await keyPair('Ed25519')];
    expect(await refused({ key: rsa, signatureAlgorithm: ecdsa })).toContain('does not fit');
    expect(await refused({ key: ed25519, signatureAlgorithm: ecdsa })).toContain('does not fit');
    expect(await refused({ signatureAlgorithm: algorithm('1.2.840.113549.1.1.11', null_) })).toContain(
      'does not fit',
    );
    expect(
      await refused({
        key: await keyPair('ML-DSA-44'),
        signatureAlgorithm: algorithm('2.16.840.1.101.3.4.3.18'),
      }),
    ).toContain('does not fit');
  });

  it('S-16 wants NULL or nothing with RSA, and nothing with the others', async () => {
    const rsa = await keyPair('RSA-2048');
    expect(
      (await accepted({ key: rsa, signatureAlgorithm: algorithm('1.2.840.113549.1.1.11') })).publicKey.type,
    ).toBe('RSA');
    const withInteger = algorithm('1.2.840.113549.1.1.11', integer(1n));
    expect(await refused({ key: rsa, signatureAlgorithm: withInteger })).toContain('parameters');
    const withNull = {
      P: '1.2.840.10045.4.3.2',
      Ed25519: '1.3.101.112',
      'ML-DSA': '2.16.840.1.101.3.4.3.17',
    };
    expect(await refused({ signatureAlgorithm: algorithm(withNull.P, null_) })).toContain('parameters');
    for (const [kind, oid] of [
      ['Ed25519', withNull.Ed25519],
      ['ML-DSA-44', withNull['ML-DSA']],
    ] as const) {
      expect(
        await refused({ key: await keyPair(kind), signatureAlgorithm: algorithm(oid, null_) }),
      ).toContain('parameters');
    }
  });

  it.each([
    ['no algorithm', sequence()],
    ['an unknown algorithm', algorithm('1.2.3.4')],
    ['HashML-DSA', algorithm('2.16.840.1.101.3.4.3.32')],
    ['a number for an algorithm', sequence(integer(1n))],
    ['three parts', algorithm('1.2.840.10045.4.3.2', null_, null_)],
  ])('S-16 refuses %s', async (_, signatureAlgorithm) => {
    await expect(refused({ signatureAlgorithm })).resolves.toMatch(/accepted|Accepted|OBJECT IDENTIFIER/);
  });

  it.each([
    [256, 32],
    [256, 20],
    [256, 0],
    [256, 33],
    [256, 222],
    [384, 48],
    [384, 206],
  ] as const)('V-32 accepts RSASSA-PSS with SHA-%i and a salt of %i octets', async (hash, saltLength) => {
    const salt = saltLength === 20 ? undefined : integer(BigInt(saltLength));
    const csr = await accepted({
      key: await keyPair('RSA-2048'),
      hash: `sha${hash}`,
      padding: padding(saltLength),
      signatureAlgorithm: pss(hash, hash, salt),
    });
    expect(csr.publicKey.type).toBe('RSA');
  });

  it.each([
    ['a salt that fits no key', pss(256, 256, integer(1025n))],
    ['a negative salt', pss(256, 256, tlv(0x02, Buffer.of(0xff)))],
    ['SHA-1', pss(1, 1, integer(20n))],
    ['another hash in the mask', pss(256, 384, integer(32n))],
    ['the trailer spelled out', pss(256, 256, integer(32n), tlv(0xa3, integer(1n)))],
    ['no parameters, which means SHA-1', algorithm('1.2.840.113549.1.1.10')],
    ['empty parameters, which mean SHA-1', algorithm('1.2.840.113549.1.1.10', sequence())],
    ['NULL', algorithm('1.2.840.113549.1.1.10', null_)],
    ['fields that are empty', algorithm('1.2.840.113549.1.1.10', sequence(tlv(0xa0), tlv(0xa1), tlv(0xa2)))],
  ])('V-32 refuses RSASSA-PSS with %s', async (_, signatureAlgorithm) => {
    const key = await keyPair('RSA-2048');
    expect(await refused({ key, padding: padding(32), signatureAlgorithm })).toContain('Accepted');
  });

  it('S-16 refuses ECDSA signatures that are not DER or out of range', async () => {
    const spoiled: readonly ((signature: Buffer) => Buffer)[] = [
      (signature) => Buffer.concat([signature, Buffer.of(0)]),
      (signature) => Buffer.concat([Buffer.of(0x30, 0x81), signature.subarray(1)]),
      () => sequence(integer(0n), integer(0n)),
      () => sequence(integer(1n), integer((1n << 256n) + 1n)),
      (signature) => sequence(...paddedIntegers(signature)),
    ];
    for (const mutateSignature of spoiled) expect(await refused({ mutateSignature })).toContain('signature');
  });

  /** r and s of an ECDSA signature, each with a needless leading zero. */
  function paddedIntegers(signature: Buffer): readonly Buffer[] {
    const rLength = signature.readUInt8(3);
    const [r, s] = [signature.subarray(4, 4 + rLength), signature.subarray(6 + rLength)];
    return [r, s].map((octets) => tlv(0x02, Buffer.of(0), octets));
  }
});

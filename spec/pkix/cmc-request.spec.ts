import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { claimedSigner } from '../../src/auth/message-signer.ts';
import { EstError } from '../../src/errors.ts';
import { onlyBodyPart, readFullPkiRequest } from '../../src/pkix/cmc-request.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import { control, pkiData, requestOf, senderNonce, transactionId, usualTcr } from '../support/cmc.ts';
import { integer, sequence, set, tlv } from '../support/csr.ts';
import { milliseconds } from '../support/thrown.ts';

/** All that is done with a message before anybody is asked. */
async function read(der: Buffer): Promise<string> {
  const { signedData, pkiData: data } = readFullPkiRequest(der);
  const part = onlyBodyPart(data);
  if (part.kind === 'nested') return 'nested';
  const { publicKey } = readCertificationRequest(part.certificationRequest);
  await claimedSigner(signedData, { requestedKey: publicKey }).verify();
  return 'signed by the requested key';
}

describe('a Full PKI Request with hostile input', () => {
  let message: Buffer;

  beforeAll(async () => {
    const controls = [transactionId(1n), senderNonce(Buffer.from('nonce'))];
    message = await requestOf(pkiData({ controls, requests: [await usualTcr()] }));
  });

  it('is read when it is as it should be', async () => {
    expect(await read(message)).toBe('signed by the requested key');
  });

  it('is refused with an EstError and nothing else when any octet is another', async () => {
    const changed = fc.asyncProperty(
      fc.nat(message.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, by) => {
        const other = Buffer.from(message);
        other.writeUInt8(other.readUInt8(at) ^ by, at);
        const thrown: unknown = await read(other).catch((error: unknown) => error);
        return thrown instanceof EstError || hasSameContent(other);
      },
    );
    expect(await fc.check(changed, { numRuns: 3000 })).toMatchObject({ failed: false });
  });

  /** Not signed, and not believed: by which name the signer goes, and the versions. */
  function hasSameContent(other: Buffer): boolean {
    const { signedData } = readFullPkiRequest(other);
    return signedData.content.equals(readFullPkiRequest(message).signedData.content);
  }

  it('is refused with an EstError when it is cut off anywhere', async () => {
    const lengths = Array.from({ length: message.length }, (_, length) => length);
    for (const length of lengths) {
      await expect(read(message.subarray(0, length))).rejects.toBeInstanceOf(EstError);
    }
  });

  it.each([
    [
      '4,000 requests',
      () =>
        pkiData({
          requests: Array.from({ length: 4000 }, (_, n) => tlv(0xa0, integer(BigInt(n + 1)), sequence())),
        }),
    ],
    [
      '2,000 controls',
      () =>
        pkiData({ controls: Array.from({ length: 2000 }, (_, n) => control(BigInt(n + 1), 5, integer(1n))) }),
    ],
    [
      'a transactionId of 1 MB',
      () => pkiData({ controls: [control(1n, 5, tlv(0x02, Buffer.alloc(1_000_000, 1)))] }),
    ],
    ['30 levels of nothing', () => pkiData({ controls: [nest(28)] })],
    ['a bodyPartID of 5 octets', () => pkiData({ controls: [sequence(integer(1n << 33n), set())] })],
  ])('is refused with %s, within 100 ms', async (_what, content) => {
    const bomb = await requestOf(content());
    // All of it is done before the first await.
    expect(milliseconds(() => void read(bomb).catch(() => undefined))).toBeLessThan(100);
    await expect(read(bomb)).rejects.toBeInstanceOf(EstError);
  });

  function nest(levels: number): Buffer {
    return levels === 0 ? sequence() : sequence(nest(levels - 1));
  }
});

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Nonces that only this gateway can make, and how often each was used (RFC 7616, section 3.3). */
export interface DigestNonces {
  create(now: Date): string;
  /** Whether it is one of ours and not too old. */
  isFresh(nonce: string, now: Date): boolean;
  /**
   * Notes that a request used the nonce with this count; false when it, or a later one, was used before. Only for
   * requests that proved the code: so nobody else can fill the memory.
   */
  use(nonce: string, count: number, now: Date): boolean;
}

/** Milliseconds in which a nonce can be used. */
const lifetime = 300_000;

/** Nonces whose counts are remembered; when there are more, the oldest can no longer be used. */
const mostNonces = 10_000;

const timeLength = 6;
const randomLength = 10;
const tagLength = 16;

/** The same `key` makes the same nonces: it is shared by all that share a store. */
export function createDigestNonces(key: Buffer, realm: string): DigestNonces {
  const counts = new Map<string, number>();
  let notBefore = 0;

  function tagOf(content: Buffer): Buffer {
    return createHmac('sha256', key).update(content).update(realm).digest().subarray(0, tagLength);
  }

  function timeOf(nonce: string): number | undefined {
    const octets = Buffer.from(nonce, 'base64url');
    if (octets.length !== timeLength + randomLength + tagLength) return undefined;
    const content = octets.subarray(0, timeLength + randomLength);
    const isOurs = timingSafeEqual(tagOf(content), octets.subarray(timeLength + randomLength));
    return isOurs && octets.toString('base64url') === nonce ? content.readUIntBE(0, timeLength) : undefined;
  }

  return {
    create(now) {
      const content = Buffer.concat([Buffer.alloc(timeLength), randomBytes(randomLength)]);
      content.writeUIntBE(now.getTime(), 0, timeLength);
      return Buffer.concat([content, tagOf(content)]).toString('base64url');
    },

    isFresh(nonce, now) {
      const time = timeOf(nonce);
      return time !== undefined && time > notBefore && Math.abs(now.getTime() - time) < lifetime;
    },

    use(nonce, count, now) {
      if (count <= (counts.get(nonce) ?? 0)) return false;
      counts.set(nonce, count);
      for (const known of counts.keys()) {
        const time = timeOf(known) ?? 0;
        if (counts.size <= mostNonces && now.getTime() - time < lifetime) break;
        counts.delete(known);
        notBefore = Math.max(notBefore, time);
      }
      return true;
    },
  };
}

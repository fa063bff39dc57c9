import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How often each nonce was used, of all aliases. */
export interface NonceUses {
  /** Nonces of this time (milliseconds since 1970) and earlier are good no more, since their uses were forgotten. */
  readonly forgottenUntil: number;
  /** Notes a use of a nonce of this time with this count; false when it, or a later one, was used before. */
  note(nonce: string, time: number, count: number, now: Date): boolean;
}

/** Nonces that only this gateway can make, each good for every count once (RFC 7616, section 3.3). */
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

/** In the memory of this process: one for its whole life, so that a reload makes no nonce good for a second time. */
export function createNonceUses(): NonceUses {
  const uses = new Map<string, { readonly time: number; readonly count: number }>();
  let forgottenUntil = 0;
  return {
    get forgottenUntil() {
      return forgottenUntil;
    },
    note(nonce, time, count, now) {
      if (count <= (uses.get(nonce)?.count ?? 0)) return false;
      uses.set(nonce, { time, count });
      for (const [known, { time: made }] of uses) {
        if (uses.size <= mostNonces && now.getTime() - made < lifetime) break;
        uses.delete(known);
        forgottenUntil = Math.max(forgottenUntil, made);
      }
      return true;
    },
  };
}

const timeLength = 6;
const randomLength = 10;
const tagLength = 16;

/** The same `key` makes the same nonces: it is shared by all that share a store. */
export function createDigestNonces(key: Buffer, realm: string, uses: NonceUses): DigestNonces {
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
      return time !== undefined && time > uses.forgottenUntil && Math.abs(now.getTime() - time) < lifetime;
    },

    use(nonce, count, now) {
      return uses.note(nonce, timeOf(nonce) ?? 0, count, now);
    },
  };
}

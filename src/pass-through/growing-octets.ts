import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** Octets that come in, for any number of readers at once: each gets all of them, at its own pace. */
export interface GrowingOctets {
  /** Resolves when so many octets are there, or all; rejects when they end before their end. */
  atLeast(octets: number): Promise<void>;
  /** What is there now. */
  soFar(): Buffer;
  /** Of all octets, hex; once, when they are all there. */
  sha256(): string;
  /** Everything from the first octet on. Throws when the rest does not come. */
  read(): AsyncGenerator<Buffer, void, undefined>;
}

/** Bounds of what comes in. */
export interface IncomingLimits {
  /** Octets; undefined: any number up to `maxBytes`. */
  readonly length: number | undefined;
  readonly maxBytes: number;
  /** Milliseconds without an octet. */
  readonly idle: number;
}

/** Reads a stream to its end; it is destroyed when it is too long, too short or too slow. */
export function collect(source: Readable, { length, maxBytes, idle }: IncomingLimits): GrowingOctets {
  const pieces: Buffer[] = [];
  const hash = createHash('sha256');
  let size = 0;
  let isComplete = false;
  let failure: Error | undefined;
  let growth = Promise.withResolvers<undefined>();

  function grown(): void {
    growth.resolve(undefined);
    growth = Promise.withResolvers();
  }
  const timer = setTimeout(() => source.destroy(new Error('The upstream stopped sending.')), idle);

  source.on('data', (piece: Buffer) => {
    timer.refresh();
    // A copy: a small piece would keep the whole buffer of the socket in memory.
    pieces.push(Buffer.from(piece));
    hash.update(piece);
    size += piece.length;
    if (size > (length ?? maxBytes)) source.destroy(new Error('The document is larger than it may be.'));
    else grown();
  });
  source.on('end', () => {
    isComplete = size === (length ?? size);
  });
  source.on('error', (error) => {
    failure = error;
  });
  source.on('close', () => {
    clearTimeout(timer);
    if (!isComplete) failure ??= new Error('The upstream ended the document before its end.');
    grown();
  });

  return {
    async atLeast(octets) {
      while (!isComplete && size < octets) {
        if (failure !== undefined) throw failure;
        await growth.promise;
      }
    },
    soFar: () => Buffer.concat(pieces),
    sha256: () => hash.digest('hex'),
    async *read() {
      for (let next = 0; ; next += 1) {
        let piece = pieces[next];
        while (piece === undefined) {
          if (isComplete) return;
          if (failure !== undefined) throw failure;
          await growth.promise;
          piece = pieces[next];
        }
        yield piece;
      }
    },
  };
}

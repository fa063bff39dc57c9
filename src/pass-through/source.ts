import { randomUUID } from 'node:crypto';
import { EstError } from '../errors.ts';
import { createCircuitBreaker, type ServiceVerdict } from '../ops/circuit-breaker.ts';
import type { Log } from '../ops/log.ts';
import type { DocumentCache } from './cache.ts';
import type { CachedDocument, Document } from './document.ts';
import { isOutage, type Upstream } from './upstream.ts';

/** What a client gets, and how the gateway came by it. */
export interface FoundDocument {
  readonly document: Document & Partial<Pick<CachedDocument, 'etag'>>;
  readonly outcome: 'cached' | 'fetched' | 'stale';
}

/** The documents behind one path. */
export interface DocumentSource {
  /**
   * `question` is an OCSPRequest; `key` is the same for the same document, undefined for one that nobody may share.
   * `clientGone` aborts when the client has its answer or is gone.
   */
  find(
    key: string | undefined,
    question: Buffer | undefined,
    clientGone: AbortSignal,
  ): Promise<FoundDocument>;
  close(): void;
}

/** Of what a source is made. */
export interface DocumentSourceParts {
  readonly path: string;
  readonly upstream: Upstream;
  readonly cache: DocumentCache;
  readonly log: Log;
}

/** One request to the upstream, for all who ask for the same meanwhile. */
interface Flight {
  readonly document: Promise<Document>;
  readonly controller: AbortController;
  askers: number;
}

/** An upstream that failed so often in a row is left alone for so many seconds. */
const sparing = { failures: 3, pause: 5 } as const;

/** Asks the upstream for what the cache does not hold, once for many askers, and gives up when all of them have. */
export function createDocumentSource({ path, upstream, cache, log }: DocumentSourceParts): DocumentSource {
  const flights = new Map<string, Flight>();
  const breaker = createCircuitBreaker({
    ...sparing,
    verdictOn: verdictOnUpstream,
    onOpen: (error) => {
      log.error('An upstream fails again and again; it is left alone for a while.', { path, error });
    },
  });

  function begin(
    key: string,
    kept: CachedDocument | undefined,
    question: Buffer | undefined,
    isShared: boolean,
  ): Flight {
    const controller = new AbortController();
    const document = breaker.run(async () => await upstream.fetch(question, kept, controller.signal));
    const flight = { document, controller, askers: 0 };
    flights.set(key, flight);
    void end(key, flight, isShared);
    return flight;
  }

  async function end(key: string, flight: Flight, isShared: boolean): Promise<void> {
    try {
      const document = await flight.document;
      await document.octets.atLeast(Infinity);
      if (isShared && document.freshness.isStorable) cache.keep(key, asCached(document));
    } catch {
      // Those who asked are told.
    } finally {
      if (flights.get(key) === flight) flights.delete(key);
    }
  }

  function join(key: string, flight: Flight, clientGone: AbortSignal): void {
    flight.askers += 1;
    const onGone = (): void => {
      leave(key, flight);
    };
    clientGone.addEventListener('abort', onGone, { once: true });
  }

  function leave(key: string, flight: Flight): void {
    flight.askers -= 1;
    if (flight.askers > 0) return;
    if (flights.get(key) === flight) flights.delete(key);
    flight.controller.abort();
  }

  return {
    async find(key, question, clientGone) {
      clientGone.throwIfAborted();
      const kept = key === undefined ? undefined : cache.find(key);
      if (kept !== undefined && Date.now() < kept.freshness.freshUntil) {
        return { document: kept, outcome: 'cached' };
      }
      const ownKey = key ?? randomUUID();
      const flight = flights.get(ownKey) ?? begin(ownKey, kept, question, key !== undefined);
      join(ownKey, flight, clientGone);
      try {
        return { document: await flight.document, outcome: 'fetched' };
      } catch (error) {
        if (kept === undefined || !isOutage(error) || Date.now() >= kept.freshness.usableUntil) throw error;
        log.warn('An upstream is down; the document that was kept is given.', { path, error });
        return { document: kept, outcome: 'stale' };
      }
    },
    close() {
      for (const { controller } of flights.values()) controller.abort();
      upstream.close();
    },
  };
}

/**
 * When all who asked are gone, the request to the upstream is given up, and nobody knows. An answer that is no document may
 * be for what one client asked, so that it says nothing against the upstream.
 */
function verdictOnUpstream(error: unknown): ServiceVerdict {
  if (!(error instanceof EstError)) return 'unknown';
  return error.code === 'ca_unavailable' || error.code === 'ca_timeout' ? 'fails' : 'works';
}

/** A document that the cache held before, and that is still current, has its ETag. */
function asCached(document: FoundDocument['document']): CachedDocument {
  return { ...document, etag: document.validators.etag ?? document.etag ?? `"${document.octets.sha256()}"` };
}

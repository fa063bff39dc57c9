import type { CachedDocument } from './document.ts';

/** Documents in bounded memory; those that nobody asked for longest go first. */
export interface DocumentCache {
  find(key: string): CachedDocument | undefined;
  /** One that is larger than the whole cache is not kept. */
  keep(key: string, document: CachedDocument): void;
}

/** What a document takes beside its octets. */
const overhead = 1024;

/** An empty cache of at most so many octets. */
export function createDocumentCache(maxBytes: number): DocumentCache {
  // A Map keeps the order of insertion; what is used is inserted again.
  const documents = new Map<string, CachedDocument>();
  let size = 0;

  function remove(key: string): void {
    const document = documents.get(key);
    if (document === undefined) return;
    documents.delete(key);
    size -= document.length + overhead;
  }

  function insert(key: string, document: CachedDocument): void {
    documents.set(key, document);
    size += document.length + overhead;
  }

  return {
    find(key) {
      const document = documents.get(key);
      if (document === undefined) return undefined;
      remove(key);
      insert(key, document);
      return document;
    },
    keep(key, document) {
      remove(key);
      if (document.length + overhead > maxBytes) return;
      insert(key, document);
      for (const oldest of documents.keys()) {
        if (size <= maxBytes) break;
        remove(oldest);
      }
    },
  };
}

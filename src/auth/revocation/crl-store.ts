import { readFile, stat } from 'node:fs/promises';
import { EstError } from '../../errors.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { readRevocationList, revocationListsIn, type RevocationList } from '../../pkix/crl-read.ts';
import { DerError, readDer } from '../../pkix/der.ts';
import { decodePublicKey } from '../../pkix/keys.ts';
import { createCache, createCached, type Loaded } from './cached.ts';
import type { Fetch } from './fetch.ts';

/** A CRL in memory. */
export interface StoredCrl {
  readonly list: RevocationList;
  /** Whether the CA signed it, and may sign CRLs. */
  readonly isSignedBy: (issuer: Certificate) => Promise<boolean>;
}

/** The CRLs of all aliases, each read once. */
export interface CrlStore {
  /** Those in a PEM or DER file, read again when the file has changed. Rejects with a plain sentence. */
  readonly inFile: (path: string) => Promise<readonly StoredCrl[]>;
  /** Those behind a URL: fetched, and again ahead of nextUpdate. Rejects with a plain sentence. */
  readonly atUrl: (url: string) => Promise<readonly StoredCrl[]>;
}

/** Whence CRLs come. */
export interface CrlStoreOptions {
  readonly fetch: Fetch;
  /** Milliseconds after which a CRL is fetched anew at the latest. */
  readonly maxAge: number;
  readonly onFailure: (error: unknown) => void;
}

/** Files and URLs that are remembered. */
const mostPlaces = 1000;

/** Milliseconds after which a file is looked at again. */
const fileCheckInterval = 2000;

export function createCrlStore({ fetch, maxAge, onFailure }: CrlStoreOptions): CrlStore {
  const places = createCache<() => Promise<readonly StoredCrl[]>>(mostPlaces);
  return {
    inFile: async (path) =>
      await places(path, () =>
        createCached({ load: fileLoader(path), maxAge: fileCheckInterval, onFailure }),
      )(),
    atUrl: async (url) =>
      await places(url, () =>
        createCached({ load: async () => await fetchCrls(url, fetch), maxAge, onFailure }),
      )(),
  };
}

/** Reads a file when it is another one than before. */
function fileLoader(path: string): () => Promise<Loaded<readonly StoredCrl[]>> {
  let known: { readonly modified: number; readonly crls: readonly StoredCrl[] } | undefined;
  return async function loadFile() {
    const { mtimeMs: modified } = await stat(path);
    if (known?.modified !== modified) known = { modified, crls: await readAll(path, await readFile(path)) };
    return { value: known.crls, expiresAt: Date.now() + fileCheckInterval };
  };
}

async function fetchCrls(url: string, fetch: Fetch): Promise<Loaded<readonly StoredCrl[]>> {
  const value = await readAll(url, await fetch(url));
  const expiresAt = Math.min(...value.map(({ list }) => list.nextUpdate.getTime()));
  if (expiresAt <= Date.now()) throw new Error(`${url}: the nextUpdate of the CRL has passed.`);
  return { value, expiresAt };
}

async function readAll(place: string, octets: Buffer): Promise<readonly StoredCrl[]> {
  const ders = revocationListsIn(octets);
  if (ders.length === 0) throw new Error(`${place}: expected a CRL, DER or PEM.`);
  const crls: StoredCrl[] = [];
  for (const der of ders) crls.push(await store(place, der));
  return crls;
}

async function store(place: string, der: Buffer): Promise<StoredCrl> {
  try {
    return withMemory(await readRevocationList(der));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new Error(`${place}: ${error.message}`, { cause: error });
  }
}

/** A signature over megabytes is verified once for each CA that may have made it. */
function withMemory(list: RevocationList): StoredCrl {
  const verdicts = new Map<string, Promise<boolean>>();
  return {
    list,
    async isSignedBy(issuer) {
      const verdict = verdicts.get(issuer.sha256) ?? verify(list, issuer);
      verdicts.set(issuer.sha256, verdict);
      return await verdict;
    },
  };
}

async function verify(list: RevocationList, { keyUsage, spki }: Certificate): Promise<boolean> {
  if (keyUsage?.includes('cRLSign') === false) return false;
  try {
    return await list.isSignedBy(decodePublicKey(readDer(spki)));
  } catch (error) {
    if (error instanceof EstError || error instanceof DerError) return false;
    throw error;
  }
}

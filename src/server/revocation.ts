import { hash } from 'node:crypto';
import { createBackendSource, createRecordedStatus } from '../auth/revocation/backend-status.ts';
import { createCrlSource, type CrlUrl } from '../auth/revocation/crl.ts';
import { createCrlStore, type CrlStore, type StoredCrl } from '../auth/revocation/crl-store.ts';
import { createFetch } from '../auth/revocation/fetch.ts';
import { createOcspClient, type OcspClient } from '../auth/revocation/ocsp.ts';
import { createOcspSource, type Responder } from '../auth/revocation/ocsp-source.ts';
import {
  createRevocationCheck,
  createStanding,
  type CompromisedKeys,
  type RevocationCheck,
  type StandingOf,
} from '../auth/revocation/revocation.ts';
import type { RevocationSource } from '../auth/revocation/source.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { FetchConfiguration, RevocationConfiguration } from '../config/revocation-schema.ts';
import type { CaCertificates } from '../est/ca-certificates.ts';
import type { Log } from '../ops/log.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { namesEqual } from '../pkix/names.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import type { CertificateRegistry } from '../store/store.ts';
import { textOf } from './context.ts';

/** What all aliases share, so that each CRL is read once and each question asked once. */
export interface RevocationServices {
  readonly crls: CrlStore;
  readonly ocsp: OcspClient;
  readonly log: Log;
}

/** Nothing is fetched until the first request. */
export function openRevocation({ refresh, ...limits }: FetchConfiguration, log: Log): RevocationServices {
  const options = {
    fetch: createFetch(limits),
    maxAge: refresh * 1000,
    onFailure: (error: unknown) => {
      log.warn('A source of revocations does not answer as it should.', { reason: textOf(error) });
    },
  };
  return { crls: createCrlStore(options), ocsp: createOcspClient(options), log };
}

/** How one alias finds out what is revoked. */
export interface AliasRevocation {
  readonly check: RevocationCheck;
  readonly standingOf: StandingOf;
}

/** Makes the checks of one alias. Rejects with a plain sentence when a CRL file cannot be read. */
export async function openRevocationCheck(
  options: RevocationConfiguration,
  { crls, ocsp, log }: RevocationServices,
  ca: CertificationAuthority,
  caCertificates: CaCertificates,
  registry: CertificateRegistry,
): Promise<AliasRevocation> {
  const { crlFiles: files, followCertificates, onFailure, withoutSource } = options;
  await Promise.all(files.map(crls.inFile));
  const backend = createBackendSource({
    caCertificates: async (signal) => await caCertificates.current(signal),
    certificateStatus: ca.certificateStatus?.bind(ca),
    recorded: createRecordedStatus(registry),
  });
  const crl = createCrlSource({ store: crls, files, urls: await crlUrlsOf(options), followCertificates });
  const others = [backend, ...(options.sources.includes('crl') ? [crl] : [])];
  const responders = await respondersOf(options);
  const sources: Readonly<Record<RevocationSource['name'], RevocationSource>> = {
    backend,
    crl,
    ocsp: createOcspSource({ client: ocsp, responders, followCertificates, others }),
  };
  const inOrder = options.sources.map((name) => sources[name]);
  const compromisedKeys = openCompromisedKeys(registry);
  const inUse = { backend, sources: inOrder, onFailure, withoutSource, compromisedKeys, log };
  return { check: createRevocationCheck(inUse), standingOf: createStanding(inUse) };
}

function openCompromisedKeys(registry: CertificateRegistry): CompromisedKeys {
  const hashOf = ({ spki }: Certificate): string => hash('sha256', spki, 'hex');
  return {
    has: async (certificate) => await registry.isCompromised(hashOf(certificate)),
    add: async (certificate, now) => {
      await registry.noteCompromise(hashOf(certificate), now);
    },
  };
}

async function crlUrlsOf({ crlUrls }: RevocationConfiguration): Promise<readonly CrlUrl[]> {
  if (isList(crlUrls)) return crlUrls.map((url) => ({ url, issuers: undefined }));
  return await Promise.all(
    Object.entries(crlUrls).map(async ([url, file]) => ({ url, issuers: await readCertificates([file]) })),
  );
}

/**
 * What is wrong with the CRLs that an alias configures, whose CAs have these certificates: sentences that begin with the
 * place of the CRL.
 */
export async function objectionsToCrls(
  options: RevocationConfiguration,
  { crls }: RevocationServices,
  configured: readonly Certificate[],
  now: Date,
): Promise<readonly string[]> {
  if (!options.sources.includes('crl')) return [];
  const places = [
    ...options.crlFiles.map((place) => ({ place, read: crls.inFile, issuers: configured })),
    ...(await crlUrlsOf(options)).map(({ url, issuers = configured }) => ({
      place: url,
      read: crls.atUrl,
      issuers,
    })),
  ];
  const objections = places.map(async ({ place, read, issuers }) => {
    try {
      return await Promise.all(
        (await read(place)).map(async (crl) => await objectionTo(place, crl, issuers, now)),
      );
    } catch (error) {
      return [textOf(error)];
    }
  });
  return (await Promise.all(objections)).flat().filter((objection) => objection !== undefined);
}

async function objectionTo(
  place: string,
  { list, isSignedBy }: StoredCrl,
  issuers: readonly Certificate[],
  now: Date,
): Promise<string | undefined> {
  const named = issuers.filter(({ subject }) => namesEqual(subject, list.issuer));
  const isSigned = (await Promise.all(named.map(isSignedBy))).includes(true);
  if (!isSigned) return `${place}: the CRL was not signed by a CA that the configuration names for it.`;
  return list.nextUpdate < now ? `${place}: the nextUpdate of the CRL has passed.` : undefined;
}

function isList(crlUrls: RevocationConfiguration['crlUrls']): crlUrls is readonly string[] {
  return Array.isArray(crlUrls);
}

async function respondersOf({ ocspResponders }: RevocationConfiguration): Promise<readonly Responder[]> {
  const responders = Object.entries(ocspResponders).map(async ([url, issuer]) =>
    (await readCertificates([issuer])).map((certificate) => ({ issuer: certificate, url })),
  );
  return (await Promise.all(responders)).flat();
}

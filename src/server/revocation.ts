import { createBackendSource } from '../auth/revocation/backend-status.ts';
import { createCrlSource } from '../auth/revocation/crl.ts';
import { createCrlStore, type CrlStore } from '../auth/revocation/crl-store.ts';
import { createFetch } from '../auth/revocation/fetch.ts';
import {
  createOcspClient,
  createOcspSource,
  type OcspClient,
  type Responder,
} from '../auth/revocation/ocsp.ts';
import { createRevocationCheck, type RevocationCheck } from '../auth/revocation/revocation.ts';
import type { RevocationSource } from '../auth/revocation/source.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { FetchConfiguration, RevocationConfiguration } from '../config/revocation-schema.ts';
import type { CaCertificates } from '../est/ca-certificates.ts';
import type { Log } from '../ops/log.ts';
import { textOf } from './context.ts';
import { readCertificates } from './files.ts';

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

/** Makes the check of one alias. Rejects with a plain sentence when a CRL file cannot be read. */
export async function openRevocationCheck(
  options: RevocationConfiguration,
  { crls, ocsp, log }: RevocationServices,
  ca: CertificationAuthority,
  caCertificates: CaCertificates,
): Promise<RevocationCheck> {
  const { crlFiles: files, crlUrls: urls, followCertificates, onFailure, withoutSource } = options;
  await Promise.all(files.map(crls.inFile));
  const sources: Readonly<Record<RevocationSource['name'], RevocationSource>> = {
    backend: createBackendSource({
      caCertificates: async (signal) => await caCertificates.current(signal),
      certificateStatus: ca.certificateStatus?.bind(ca),
    }),
    crl: createCrlSource({ store: crls, files, urls, followCertificates }),
    ocsp: createOcspSource({ client: ocsp, responders: await respondersOf(options), followCertificates }),
  };
  const inOrder = options.sources.map((name) => sources[name]);
  return createRevocationCheck({
    backend: sources.backend,
    sources: inOrder,
    onFailure,
    withoutSource,
    log,
  });
}

async function respondersOf({ ocspResponders }: RevocationConfiguration): Promise<readonly Responder[]> {
  const responders = Object.entries(ocspResponders).map(async ([url, issuer]) =>
    (await readCertificates([issuer])).map((certificate) => ({ issuer: certificate, url })),
  );
  return (await Promise.all(responders)).flat();
}

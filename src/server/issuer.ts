import { createGivenCertificateStanding } from '../auth/given-certificate.ts';
import type { RevocationCheck } from '../auth/revocation/revocation.ts';
import type { AliasConfiguration } from '../config/configuration.ts';
import { isOutage } from '../errors.ts';
import type { Issuer } from '../est/alias.ts';
import type { Log } from '../ops/log.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { StateStore } from '../store/store.ts';
import { openAliasBackend, type AliasBackend } from './alias-backend.ts';
import { openAliasCertificates, type AliasCertificates } from './alias-certificates.ts';
import { textOf } from './context.ts';
import type { Backends } from './drivers.ts';
import { optionsAsMade } from './made-for.ts';
import { openRevocationCheck, type RevocationServices } from './revocation.ts';

/** The CA of an alias, and what is known of its certificates. */
export interface OpenedIssuer extends Pick<Issuer, 'standingOf'>, AliasCertificates {
  readonly backend: AliasBackend;
  /** The certificates of the CA at this moment. */
  readonly ownCertificates: (signal: AbortSignal) => Promise<readonly Certificate[]>;
  readonly checkRevocation: RevocationCheck;
}

/** What the CAs of all aliases share. */
export interface IssuerServices {
  readonly backends: Backends;
  readonly store: Pick<StateStore, 'certificates'>;
  readonly revocation: RevocationServices;
  readonly log: Log;
}

/** Finds the CA of an alias. Rejects with a plain sentence. */
export async function openIssuer(
  options: AliasConfiguration,
  { backends, store, revocation, log }: IssuerServices,
): Promise<OpenedIssuer> {
  const backend = await openAliasBackend(options, backends);
  const { caCertificates, implicitTrustAnchors } = await openAliasCertificates(options, backend, log);
  const { check: checkRevocation, standingOf } = await openRevocationCheck(
    options.revocation,
    revocation,
    backend.ca,
    caCertificates,
    store.certificates,
  );
  const ownCertificates = async (signal: AbortSignal): Promise<readonly Certificate[]> =>
    (await caCertificates.current(signal)).certificates;
  return {
    ...{ backend, caCertificates, implicitTrustAnchors, ownCertificates, checkRevocation },
    standingOf: createGivenCertificateStanding({ caCertificates: ownCertificates, standingOf }),
  };
}

/**
 * Who answers for records of an alias that were made when its options were others. Each is opened when it is first asked for.
 * Throws `ca_unavailable` and the like while its CA is down.
 */
export function createIssuersAsMade(
  options: AliasConfiguration,
  services: IssuerServices,
): (how: string) => Promise<Issuer | undefined> {
  const opened = new Map<string, Issuer>();
  return async function issuerAsMade(how) {
    const known = opened.get(how);
    if (known !== undefined) return known;
    const asMade = optionsAsMade(options, how, services.backends);
    if (asMade === undefined) return undefined;
    try {
      const { backend, caCertificates, standingOf } = await openIssuer(asMade, services);
      const issuer = { ca: backend.ca, caCertificates, standingOf, profile: asMade.profile };
      opened.set(how, issuer);
      return issuer;
    } catch (error) {
      if (isOutage(error)) throw error;
      services.log.error('A CA cannot be asked as it was for an earlier request.', { reason: textOf(error) });
      return undefined;
    }
  };
}

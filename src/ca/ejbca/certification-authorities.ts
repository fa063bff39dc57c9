import { EstError } from '../../errors.ts';
import { readCertificate } from '../../pkix/certificate.ts';
import type { EjbcaCalls } from './calls.ts';
import { toEjbcaDn } from './distinguished-name.ts';
import type { WebService } from './web-service.ts';

/** EJBCA's two interfaces. */
export interface Interfaces {
  readonly calls: EjbcaCalls;
  readonly webService: WebService;
}

/** A CA of EJBCA that the gateway's role may use. */
export interface FoundCa {
  /** In EJBCA's own writing, which its paths take. */
  readonly dn: string;
  /** Which interface has it, and is asked about it from now on. */
  readonly knownTo: 'REST API' | 'web service';
  /** false: EJBCA does not list it among those that issue, since it is off-line, expired or external; undefined: unknown. */
  readonly isActive: boolean | undefined;
}

/**
 * The CA of this name. `/v1/ca` of the REST API lists those that issue at the moment, and is missing before version 8.1; the
 * web service has external CAs and those that are off-line, too. Throws an Error with a sentence when there is no such CA,
 * and what the calls throw.
 */
export async function findCa(
  { calls, webService }: Interfaces,
  name: string,
  signal: AbortSignal,
): Promise<FoundCa> {
  const listed = await calls.certificationAuthorities(signal);
  const found = listed?.find((ca) => ca.name === name);
  if (found !== undefined) return { dn: found.dn, knownTo: 'REST API', isActive: true };
  const available = await webService.availableCas(signal);
  if (!available.includes(name)) throw notFound(name, available);
  const [certificate] = await webService.caChain(name, signal);
  const dn = certificate === undefined ? '' : toEjbcaDn(readCertificate(certificate).subject);
  return { dn, knownTo: 'web service', isActive: listed === undefined ? undefined : false };
}

function notFound(name: string, available: readonly string[]): Error {
  const names = available.length === 0 ? 'none' : available.join(', ');
  return new Error(`EJBCA has no CA ${name} that the gateway's role may use; it may use: ${names}.`);
}

/** What a CA of EJBCA publishes. */
export interface CaPublications {
  /** From the CA up to its root, DER. */
  chain(signal: AbortSignal): Promise<readonly Buffer[]>;
  /** The latest CRL of a partition, which EJBCA numbers from 1 on, or of what is in none (0); DER. */
  crl(partition: number, signal: AbortSignal): Promise<Buffer>;
}

/** Asks the interface that knows the CA. */
export function publicationsOf(
  { calls, webService }: Interfaces,
  name: string,
  { dn, knownTo }: Pick<FoundCa, 'dn' | 'knownTo'>,
): CaPublications {
  const isListed = knownTo === 'REST API';
  return {
    chain: async (signal) =>
      isListed ? await calls.chain(dn, signal) : await webService.caChain(name, signal),
    async crl(partition, signal) {
      const crl = isListed
        ? await calls.latestCrl(dn, partition, signal)
        : await webService.latestCrl(name, partition, signal);
      if (crl === undefined) throw noCrl(name, partition);
      return crl;
    },
  };
}

function noCrl(name: string, partition: number): EstError {
  const what = partition === 0 ? 'CRL' : `CRL of partition ${partition}`;
  return new EstError('ca_bad_answer', `EJBCA has no ${what} of this CA.`, {
    cause: new Error(
      `Create a CRL of ${name} in EJBCA, under "CA Structure & CRLs", and see how many partitions the CA has.`,
    ),
  });
}

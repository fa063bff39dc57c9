import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Configuration } from '../config/configuration.ts';
import { overlap } from '../ops/networks.ts';

/** An address and port of the configuration. */
interface Place {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
}

/**
 * Why nothing could listen where the configuration says so, each as a sentence: an address that this host does not have, a
 * name that nobody knows, two names of one address. Each address is tried with a port that is free, since a gateway may be
 * running.
 */
export async function objectionsToPlaces({ listeners }: Configuration): Promise<readonly string[]> {
  const tried = await Promise.all(
    placesOf(listeners).map(async (place) => ({ ...place, ...(await tryAt(place)) })),
  );
  return tried.flatMap(({ listener, objection, found, port }, index) => {
    if (objection !== undefined) return [`listeners.${listener}.address: ${objection}`];
    const other = tried
      .slice(0, index)
      .find((before) => before.port === port && port !== 0 && overlap(before.found, found));
    return other === undefined
      ? []
      : [`listeners.${listener}.port: listeners.${other.listener} has the same address and port.`];
  });
}

function placesOf({ est, proxy, http }: Configuration['listeners']): readonly Place[] {
  return Object.entries({ est, proxy, http }).flatMap(([listener, place]) =>
    place?.address === undefined || place.port === undefined
      ? []
      : [{ listener, address: place.address, port: place.port }],
  );
}

/** The address that a name stands for; where nothing can listen, why not. */
async function tryAt({ address }: Place): Promise<{ readonly found: string; readonly objection?: string }> {
  const server = createServer();
  try {
    server.listen({ host: address, port: 0 });
    await once(server, 'listening');
    const listening = server.address();
    return { found: typeof listening === 'object' && listening !== null ? listening.address : address };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // Where IPv6 is switched off, all addresses are those of IPv4.
    if (address === '::') return { found: address };
    const why = reasons[code] ?? `nothing can listen there (${code})`;
    return { found: address, objection: `${address}: ${why}.` };
  } finally {
    server.close();
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'this host has no such address; "ip address" lists those that it has',
  EAFNOSUPPORT: 'this host has no such address; IPv6 is switched off',
  ENOTFOUND: 'nobody knows a host of this name; write an IP address, or have the name resolved',
  EAI_AGAIN: 'the name cannot be resolved at the moment; write an IP address, or mend the resolver',
};

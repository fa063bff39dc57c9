import type { Socket } from 'node:net';

/** The connection is more than its address, or a network that it is in, may have. Its message is a plain sentence. */
export class TooManyConnections extends Error {
  override readonly name = 'TooManyConnections';
}

/** How many connections there may be at once. */
export interface ShareLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

/** Of all connections: what the networks of an address may have, from the largest to the smallest, if they are several. */
const sharesOfNetworks = [3 / 4, 1 / 2] as const;

/**
 * Gives what counts a connection for the networks that its address is in (`networksOf`), until it ends. An address may have
 * `connectionsPerAddress`; a network as many, or a share of all connections if that is more, so that some are left for
 * others; it throws TooManyConnections. Without networks it counts for nobody.
 */
export function createShares({
  connections,
  connectionsPerAddress,
}: ShareLimits): (socket: Socket, networks: readonly string[]) => void {
  const counts = new Map<string, number>();
  const most = [
    ...sharesOfNetworks.map((share) => Math.max(connectionsPerAddress, Math.floor(connections * share))),
    connectionsPerAddress,
  ];

  function add(network: string, difference: number): void {
    const count = (counts.get(network) ?? 0) + difference;
    if (count > 0) counts.set(network, count);
    else counts.delete(network);
  }

  return function share(socket, networks) {
    if (networks.some((network, level) => (counts.get(network) ?? 0) >= (most[level] ?? Infinity))) {
      throw new TooManyConnections('This address or network has too many connections.');
    }
    for (const network of networks) add(network, 1);
    socket.once('close', () => {
      for (const network of networks) add(network, -1);
    });
  };
}

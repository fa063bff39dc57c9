import { lookup as lookUp } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { familyOf, networks } from './networks.ts';

/** Addresses that lead nowhere, or to hosts that others cannot reach (RFC 6890 and its registries). */
const specialNetworks = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
  // What Azure tells its virtual machines has a public address.
  '168.63.129.16/32',
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
];

/** All other IPv6 addresses are special. */
const globalUnicast = networks(['2000::/3']);
const special = networks(specialNetworks);

/** Whether the gateway may connect to an IP address. */
export type AddressFilter = (address: string) => boolean;

/** Lets public addresses through, and the networks of the operator (`10.0.0.0/8`, `fd00::/8`). */
export function createAddressFilter(allowedNetworks: readonly string[]): AddressFilter {
  const allowed = networks(allowedNetworks);
  return function mayConnect(address) {
    const family = familyOf(address);
    if (allowed.check(address, family)) return true;
    // An IPv4 address in IPv6 form is found in the IPv4 networks, too.
    if (special.check(address, family)) return false;
    return family === 'ipv4' || globalUnicast.check(address, family);
  };
}

/**
 * Resolves host names for connections to such addresses alone, so that no name can lead elsewhere between check and
 * connection; fails with the sentence `notAllowed` when it leads to no other. A host that is an address is not looked up.
 */
export function filteredLookup(mayConnect: AddressFilter, notAllowed: string): LookupFunction {
  return function lookup(hostname, options, callback) {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const allowed = addresses.filter(({ address }) => mayConnect(address));
      const [first] = allowed;
      if (first === undefined) callback(new Error(notAllowed), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

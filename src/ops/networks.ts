import { BlockList, isIP } from 'node:net';

/**
 * The networks (`10.0.0.0/8`, `fd00::/8`) and single addresses of the texts. Throws an Error with a plain sentence for a
 * text that is neither.
 */
export function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    if (!isNetwork(text)) throw new Error(`Expected ${networkForm}, found ${text}.`);
    const [address = '', prefix] = text.split('/');
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

/** Whether an address is one of these, or in one of these networks. Throws as `networks`. */
export function isAmong(texts: readonly string[]): (address: string) => boolean {
  const list = networks(texts);
  return (address) => {
    const plain = plainAddress(address);
    return list.check(plain, familyOf(plain));
  };
}

/** What `networks` takes, in words. */
export const networkForm = 'an IP address, or a network such as 10.0.0.0/8 or fd00::/8';

/** Whether `networks` takes the text. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix = '0', ...more] = text.split('/');
  const longest = familyOf(address) === 'ipv6' ? 128 : 32;
  return (
    isIP(address) !== 0 &&
    !address.includes('%') &&
    /^\d{1,3}$/.test(prefix) &&
    Number(prefix) <= longest &&
    more.length === 0
  );
}

/** IPv4 inside IPv6, as sockets of both families give it, as IPv4 (RFC 4291, section 2.5.5.2); all else as it is. */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** As BlockList wants it. */
export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

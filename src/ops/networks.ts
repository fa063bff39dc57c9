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

/**
 * Whether one port cannot be listened on at both of these: they are one address, whichever way it is written, or one of them
 * stands for all. Host names are compared as texts.
 */
export function overlap(a: string, b: string): boolean {
  const [one, other] = [oneForm(a), oneForm(b)];
  const isAnyOf = (any: string, address: string): boolean =>
    any === '::' || (any === '0.0.0.0' && isIP(address) !== 6);
  return one === other || isAnyOf(one, other) || isAnyOf(other, one);
}

/** IPv6 in the form of RFC 5952, IPv4 as it is. */
function oneForm(address: string): string {
  const plain = plainAddress(address);
  return isIP(plain) === 6
    ? plainAddress(new URL(`http://[${plain}]`).hostname.slice(1, -1))
    : plain.toLowerCase();
}

/** As BlockList wants it. */
export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/**
 * The networks that an address is in, from the largest to the smallest: of IPv4 /16, /24 and the address itself; of IPv6
 * /48 and /56, which are given to one site, and /64, of which any host has all the rest (RFC 6177). IPv4 inside IPv6
 * (RFC 4291, section 2.5.5.2; RFC 6052, section 2.1) is IPv4. Empty: nobody knows the address.
 */
export function networksOf(address: string | undefined): readonly string[] {
  if (address === undefined) return [];
  const plain = plainAddress(address.replace(/%.*$/, ''));
  return isIP(plain) === 6 ? networksOfGroups(groupsOf(plain)) : networksOfIpv4(plain);
}

/**
 * The network of one subscriber, as far as addresses tell: the address of IPv4, which many may share, and /48 of IPv6, of
 * which one may have all 65,536 networks /64 (RFC 6177). Undefined: nobody knows the address.
 */
export function siteOf(address: string | undefined): string | undefined {
  const networks = networksOf(address);
  return networks[0]?.endsWith('/48') === true ? networks[0] : networks.at(-1);
}

function networksOfIpv4(address: string): readonly string[] {
  const [first, second, third] = address.split('.');
  return [`${first}.${second}.0.0/16`, `${first}.${second}.${third}.0/24`, address];
}

function networksOfGroups(groups: readonly number[]): readonly string[] {
  const [high = 0, low = 0] = groups.slice(6);
  const head = groups.slice(0, 6).map((group) => group.toString(16));
  if (ipv4Prefixes.has(head.join(':'))) {
    return networksOfIpv4([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  const [site, subnet = 0] = [head.slice(0, 3).join(':'), groups[3]];
  return [
    `${site}::/48`,
    `${site}:${(subnet & 0xff00).toString(16)}::/56`,
    `${site}:${subnet.toString(16)}::/64`,
  ];
}

const ipv4Prefixes: ReadonlySet<string> = new Set(['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0']);

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail = ''] = address.split('::').map(withoutDots);
  const [before, after] = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array<string>(8 - (before?.length ?? 0) - (after?.length ?? 0)).fill('0');
  return [...(before ?? []), ...zeros, ...(after ?? [])].map((group) => parseInt(group, 16));
}

/** The last 32 bits may be written as an IPv4 address. */
function withoutDots(part: string): string {
  return part.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_text, ...octets: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}

import { BlockList, isIP } from 'node:net';

/**
 * Patterns of names: text, `${identity path}` and `*`, which stands for one whole part of a name. A name is cut into
 * parts before it is compared, part by part, so that neither a `*` nor a value of an identity reaches beyond its part.
 */

/** Gives the values of the identity at a path; empty: it has none. */
export type IdentityValues = (path: string) => readonly string[];

/** For a given identity, which is looked at once: whether a name is one of those that the pattern stands for. */
export type NamePattern = (identity: IdentityValues) => (name: string) => boolean;

/** How the names of one type are compared. */
interface NameKind {
  /** What stands between parts; in brackets, so that `split` keeps it. */
  readonly separators: RegExp;
  /** What `*` may stand for. */
  readonly part: RegExp;
  readonly ignoresCase: boolean;
}

const mailbox: NameKind = { separators: /(@)/, part: /^[^@]+$/, ignoresCase: false };

const kinds: Readonly<Record<string, NameKind>> = {
  dNSName: { separators: /(\.)/, part: /^[a-z0-9_-]+$/, ignoresCase: true },
  rfc822Name: mailbox,
  userPrincipalName: mailbox,
  smtpUTF8Mailbox: mailbox,
  // No percent sign, dots alone, query or fragment: what they mean is decided by whoever reads the URI.
  uniformResourceIdentifier: {
    separators: /([:/])/,
    part: /^[A-Za-z0-9_-][A-Za-z0-9._~-]*$/,
    ignoresCase: false,
  },
  registeredID: { separators: /(\.)/, part: /^\d+$/, ignoresCase: false },
};

/** Attributes of the subject: their values may be host names. */
const text: NameKind = { separators: /(\.)/, part: /^[^.]+$/, ignoresCase: false };

/** One part of a pattern: anything, or texts and placeholders in turn. */
type Part = '*' | readonly Piece[];
type Piece = { readonly text: string } | { readonly path: string };

/**
 * Prepares a pattern for names of a type of subjectAltName, or for attributes (undefined). Throws an Error that says
 * what is wrong with it.
 */
export function createNamePattern(type: string | undefined, pattern: string): NamePattern {
  if (type === 'iPAddress') return networkPattern(pattern);
  const kind = (type === undefined ? undefined : kinds[type]) ?? text;
  const folded = kind.ignoresCase ? foldCase : (value: string) => value;
  const parts = partsOf(pattern, kind);
  return (identity) => {
    const fits = parts.map((part) => {
      if (part === '*') return (value: string) => kind.part.test(value);
      const texts = new Set(textsOf(part, identity).map(folded));
      return (value: string) => texts.has(value);
    });
    return (name) => {
      const found = folded(name).split(kind.separators);
      return found.length === fits.length && fits.every((fitsIn, index) => fitsIn(found[index] ?? ''));
    };
  };
}

/** ASCII alone: some other letters become ASCII letters in lower case. */
export function foldCase(hostName: string): string {
  return hostName.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The paths of all placeholders of a pattern. */
export function placeholdersIn(pattern: string): readonly string[] {
  return [...pattern.matchAll(/\$\{([^}]*)\}/g)].map(([, path = '']) => path);
}

function partsOf(pattern: string, { separators }: NameKind): readonly Part[] {
  const parts: Piece[][] = [[]];
  for (const [index, piece] of pattern.split(/\$\{([^}]*)\}/).entries()) {
    if (index % 2 === 1) {
      parts.at(-1)?.push({ path: piece });
      continue;
    }
    const [first = '', ...rest] = piece.split(separators);
    parts.at(-1)?.push({ text: first });
    parts.push(...rest.map((one) => [{ text: one }]));
  }
  return parts.map(toPart);
}

function toPart(pieces: readonly Piece[]): Part {
  const written = pieces.filter((piece) => !('text' in piece) || piece.text !== '');
  const [first] = written;
  if (first !== undefined && written.length === 1 && 'text' in first && first.text === '*') return '*';
  if (written.some((piece) => 'text' in piece && /[*$]/.test(piece.text))) {
    throw new Error('"*" must be a whole part of a name, and "$" begins a ${path}');
  }
  return written;
}

/** A value that could be taken for something else than a part of a name fits nowhere. */
const fitForPart = /^[\p{L}\p{N}_-]+$/u;

/** Texts of one part that are tried at most; an identity with more values has no business here. */
const mostTexts = 100;

function textsOf(pieces: readonly Piece[], identity: IdentityValues): readonly string[] {
  let texts: readonly string[] = [''];
  for (const piece of pieces) {
    const next = 'text' in piece ? [piece.text] : valuesForPart(identity(piece.path));
    texts = texts.flatMap((before) => next.map((one) => before + one)).slice(0, mostTexts);
  }
  return texts;
}

function valuesForPart(values: readonly string[]): readonly string[] {
  return values.filter((one) => fitForPart.test(one)).slice(0, mostTexts);
}

/** An address, or a network such as `10.0.0.0/8`. IPv4 addresses in IPv6 form are in no IPv4 network. */
function networkPattern(pattern: string): NamePattern {
  const [, address = '', length] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(pattern) ?? [];
  const version = isIP(address);
  const bits = version === 6 ? 128 : 32;
  const prefix = Number(length ?? bits);
  if (version === 0 || prefix > bits) throw new Error('expected an address or a network such as 10.0.0.0/8');
  const family = version === 6 ? 'ipv6' : 'ipv4';
  const network = new BlockList();
  network.addSubnet(address, prefix, family);
  return () => (name) => isIP(name) === version && network.check(name, family);
}

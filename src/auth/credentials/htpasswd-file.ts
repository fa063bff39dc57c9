/** What stands in a file of htpasswd. */
export interface Htpasswd {
  /** bcrypt hashes by user names in NFC. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Costs as much as the costliest one, for users that are not here. */
  readonly dummyHash: string;
  /** What is wrong, line by line; such lines are in nothing else. */
  readonly problems: readonly string[];
}

const bcryptHash = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** Beyond it one check takes seconds, which any stranger could ask for. */
const highestCost = 14;

/** What `htpasswd -B` uses by itself. */
const lowestDummyCost = 5;

/** Reads lines of NAME:HASH; blank lines and those that begin with # are skipped, as Apache does, and so is a BOM. */
export function readHtpasswd(text: string): Htpasswd {
  const hashes = new Map<string, string>();
  const problems: string[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name = '', hash = ''] = /^([^:]*):([^:]*)/.exec(line.normalize('NFC')) ?? [];
    const problem = hashes.has(name) ? 'this name stands here twice; remove one' : problemOf(hash);
    if (problem === undefined) hashes.set(name, hash);
    else problems.push(`line ${index + 1}: ${problem}`);
  }
  return { hashes, dummyHash: dummyFor([...hashes.values()]), problems };
}

/** Why a hash is refused. What stands there is not quoted: it may be a password. */
function problemOf(hash: string): string | undefined {
  const cost = bcryptHash.exec(hash)?.[1];
  if (cost !== undefined) return costProblem(Number(cost));
  const weakness = weaknesses.find(({ form }) => form.test(hash))?.reason ?? 'this is no bcrypt hash';
  return `${weakness}; expected bcrypt: set it anew with "htpasswd -B -C 10 FILE NAME"`;
}

function costProblem(cost: number): string | undefined {
  if (cost > highestCost)
    return `the cost ${cost} makes a check take too long; expected at most ${highestCost}`;
  return cost < 4 ? 'bcrypt has no cost below 4' : undefined;
}

const weaknesses = [
  {
    form: /^\$apr1\$/,
    reason: 'apr1 is a thousand rounds of MD5, which graphics cards guess by the million',
  },
  { form: /^\{SHA\}/, reason: 'SHA-1 without a salt is guessed at once, for all users together' },
  { form: /^\$[156]\$/, reason: 'the hashes of crypt ($1$, $5$, $6$) differ from system to system' },
  { form: /^[./A-Za-z0-9]{13}$/, reason: 'crypt looks at eight characters alone' },
];

function dummyFor(hashes: readonly string[]): string {
  const cost = Math.max(lowestDummyCost, ...hashes.map((hash) => Number(hash.slice(4, 6))));
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
}

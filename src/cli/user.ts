import { type Command, InvalidArgumentError, Option } from 'commander';
import { text } from 'node:stream/consumers';
import { generateCode } from '../auth/made-code.ts';
import { hashUserCode } from '../auth/store-users.ts';
import { leastStrength, strengthOf } from '../auth/code-strength.ts';
import { digestSecrets } from '../auth/digest-secrets.ts';
import { digestAlgorithms } from '../auth/http-schemes.ts';
import type { Configuration } from '../config/configuration.ts';
import type { DigestAlgorithm, StateStore, User } from '../store/store.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';
import { withState } from './state.ts';
import { table, timeText } from './table.ts';

/** `est-gateway user add | remove | list` */
export function addUserCommands(program: Command): void {
  const users = program
    .command('user')
    .description('Manage the users of HTTP authentication; a running gateway knows at once.');
  users
    .command('add')
    .argument('<name>', 'name of the user')
    .description(
      'Add a user. Prints a new enrolment code, which is stored as a hash only; where the alias offers Digest, also as the hash that Digest computes with. An empty name is for clients that send a code alone.',
    )
    .addOption(aliasOption())
    .addOption(new Option('--once', 'good for one certificate: the same as --uses 1').conflicts('uses'))
    .addOption(
      new Option('--uses <n>', 'good for so many certificates; else for any number').argParser(numberOfUses),
    )
    .addOption(
      new Option(
        '--expires <when>',
        'good until then: 90m, 24h, 7d, or a time such as 2030-01-31T12:00:00Z; else until the user is removed',
      ).argParser(timeOfExpiry),
    )
    .option(
      '--code-stdin',
      `read the code from standard input instead of making one; at least ${leastStrength} characters that are hard to guess`,
    )
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExamples:\n  est-gateway user add sensor-17 --once\n  est-gateway user add line-3 --uses 40 --expires 7d\n  pass show est/fleet | est-gateway user add fleet --code-stdin',
    )
    .action(add);
  users
    .command('remove')
    .argument('<name>', 'name of the user')
    .description('Remove a user. Certificates that it got stay valid; see "est-gateway ca revoke".')
    .addOption(aliasOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway user remove sensor-17')
    .action(remove);
  users
    .command('list')
    .description('List the users of every alias.')
    .option('--json', 'print JSON')
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway user list --json')
    .action(list);
}

interface AliasOption extends ConfigurationOption {
  readonly alias: string;
}

function aliasOption(): Option {
  return new Option('-a, --alias <name>', 'alias that the user enrols at').default('est');
}

interface AddOptions extends AliasOption {
  readonly once?: true;
  readonly uses?: number;
  readonly expires?: Date;
  readonly codeStdin?: true;
}

async function add(name: string, options: AddOptions): Promise<void> {
  const { configuration, alias, once, uses, expires, codeStdin } = options;
  refuseBadName(name);
  refuseUnknownAlias(configuration, alias);
  refuseUselessUser(configuration, alias);
  const code = codeStdin === true ? await readCode([name, alias]) : generateCode();
  await withState(configuration, async (store) => {
    const algorithms = digestAlgorithms(configuration.aliases[alias]?.httpAuthentication ?? []);
    const remainingUses = once === true ? 1 : uses;
    const user = { alias, name, code, remainingUses, ...(expires && { expiresAt: expires }) };
    await addUser(store, user, algorithms, await store.aliases.identify(alias, configuration.file));
  });
  if (codeStdin !== true) process.stdout.write(`${code}\n`);
}

function numberOfUses(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 1 on.');
}

const milliseconds = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time from now on, or a time of RFC 3339 with its zone, so that nobody has to guess which one is meant. */
function timeOfExpiry(text: string): Date {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const time =
    count === undefined
      ? new Date(isTime ? text : NaN)
      : new Date(Date.now() + Number(count) * milliseconds[unit as keyof typeof milliseconds]);
  if (time.getTime() > Date.now()) return time;
  throw new InvalidArgumentError(
    'Expected minutes, hours or days such as 90m, 24h or 7d, or a time to come with its zone such as 2030-01-31T12:00:00Z.',
  );
}

/** A user whose code is still known. */
export type NewUser = Pick<User, 'alias' | 'name' | 'remainingUses' | 'expiresAt'> & {
  readonly code: string;
};

/**
 * Stores the user with the hash of its code, and what Digest needs for the given algorithms; name and code in the form
 * in which clients' are compared (RFC 7617, section 2.1: NFC). `aliasId` is the identifier of the alias, which the first of a name
 * has for one. Throws an Error with a sentence when there is one of that name.
 */
export async function addUser(
  store: StateStore,
  user: NewUser,
  algorithms: readonly DigestAlgorithm[] = [],
  aliasId = user.alias,
): Promise<void> {
  const { alias, remainingUses, expiresAt } = user;
  const name = user.name.normalize('NFC');
  const code = user.code.normalize('NFC');
  const added = await store.users.add({
    alias: aliasId,
    name,
    codeHash: await hashUserCode(code, store),
    ...(algorithms.length > 0 && { digestSecrets: digestSecrets(algorithms, { alias, name, code }) }),
    remainingUses,
    ...(expiresAt && { expiresAt }),
    createdAt: new Date(),
  });
  if (added) return;
  throw new Error(`The alias ${user.alias} has a user ${user.name} already; remove it first.`);
}

// RFC 7617, section 2: neither part has control characters, and the first colon ends the name.
const controlCharacter = /\p{Cc}/u;

function refuseBadName(name: string): void {
  if (!name.includes(':') && !controlCharacter.test(name)) return;
  throw new Error('The name of a user may not hold a colon or a control character.');
}

function refuseUnknownAlias({ aliases }: Configuration, alias: string): void {
  if (Object.hasOwn(aliases, alias)) return;
  const known = Object.keys(aliases).join(', ');
  throw new Error(`The configuration has no alias ${alias}; expected one of: ${known}.`);
}

/** A code that the alias would never accept is a mistake that else shows at the device. */
function refuseUselessUser({ aliases }: Configuration, alias: string): void {
  const { authentication, credentials, policy } = aliases[alias] ?? {};
  if (policy?.otpChallenge === 'required') return;
  if (authentication === 'clientCertificate') {
    throw new Error(
      `The alias ${alias} has no users: its clients show certificates alone; see authentication in its configuration.`,
    );
  }
  if (credentials?.some(({ driver }) => driver === 'store') === false) {
    throw new Error(
      `The alias ${alias} asks others about its users; add store to credentials in its configuration, or the user there.`,
    );
  }
}

async function readCode(names: readonly string[]): Promise<string> {
  const code = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (code === '') throw new Error('Standard input holds no code; expected one line.');
  if (controlCharacter.test(code)) throw new Error('The code holds a control character; expected one line.');
  if (strengthOf(code, names) < leastStrength) {
    throw new Error(
      `The code is too easy to guess: expected at least ${leastStrength} characters, where a common word, the name of the user or the alias, a row of keys, a year and a repetition count as one each. Without --code-stdin a code is made and printed.`,
    );
  }
  return code;
}

async function remove(name: string, { configuration, alias }: AliasOption): Promise<void> {
  const removed = await withState(configuration, async ({ aliases, users }) => {
    const id = Object.hasOwn(configuration.aliases, alias)
      ? await aliases.identify(alias, configuration.file)
      : await aliases.find(alias);
    return await users.remove(id ?? alias, name.normalize('NFC'));
  });
  if (!removed) throw new Error(`The alias ${alias} has no user ${name}; see "est-gateway user list".`);
}

interface ListOptions extends ConfigurationOption {
  readonly json?: true;
}

async function list({ configuration, json }: ListOptions): Promise<void> {
  const users = await withState(configuration, listByName);
  process.stdout.write(json === true ? usersAsJson(users) : usersAsTable(users));
}

/** Of every alias by its name, also of those that no configuration has any more. */
async function listByName({ aliases, users }: StateStore): Promise<readonly User[]> {
  const names = new Map((await aliases.list()).map(({ id, name }) => [id, name]));
  return (await users.list()).map((user) => ({ ...user, alias: names.get(user.alias) ?? user.alias }));
}

function usersAsJson(users: readonly User[]): string {
  const shown = users.map(
    ({ alias, name, remainingUses = null, expiresAt = null, digestSecrets = {}, createdAt }) => ({
      alias,
      name,
      remainingUses,
      expiresAt,
      digest: Object.keys(digestSecrets),
      createdAt,
    }),
  );
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function usersAsTable(users: readonly User[]): string {
  return table(
    ['ALIAS', 'NAME', 'CERTIFICATES LEFT', 'EXPIRES', 'DIGEST', 'CREATED'],
    users.map(({ alias, name, remainingUses, expiresAt, digestSecrets = {}, createdAt }) => [
      alias,
      name,
      remainingUses === undefined ? 'any number' : String(remainingUses),
      expiresAt === undefined ? 'never' : timeText(expiresAt),
      Object.keys(digestSecrets).join(', ') || 'no',
      timeText(createdAt),
    ]),
  );
}

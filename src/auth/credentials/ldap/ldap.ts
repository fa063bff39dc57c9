import {
  EqualityFilter,
  Filter,
  FilterParser,
  OrFilter,
  ResultCodeError,
  type Client,
  type Entry,
} from 'ldapts';
import { readSecret } from '../../../ops/secret.ts';
import { escapeValue } from '../../../pkix/names.ts';
import type { CredentialSource, CredentialVerdict, ShownCode } from '../source.ts';
import { openDirectory, reasonOf } from './connection.ts';
import { placeholder, type LdapOptions, type LdapSearchOptions } from './options.ts';

/** Users of a directory; it is asked over a new connection each time. */
export async function openLdapCredentials(options: LdapOptions): Promise<CredentialSource> {
  const directory = await openDirectory(options);
  const users = await openUsers(options);
  return {
    name: `ldap ${options.urls.join(' ')}`,
    takesEqualTime: false,
    async prove(shown, signal, networks) {
      if (shown.name === '') return { state: 'unknown' };
      // A bind without a password succeeds as anybody (RFC 4513, section 5.1.2).
      if (shown.code === '') return { state: 'wrong' };
      try {
        return await directory.use(signal, async (client) => await users.prove(client, shown), networks);
      } catch (error) {
        return { state: 'unavailable', reason: reasonOf(error) };
      }
    },
    async health(signal) {
      await directory.use(signal, async (client) => {
        await users.prepare?.(client);
      });
    },
  };
}

/** How users are found and proved over a new connection. */
interface Users {
  prove(client: Client, shown: ShownCode): Promise<CredentialVerdict>;
  /** What comes before any user; rejects when that is refused. */
  prepare?(client: Client): Promise<void>;
}

type Refusal = Extract<CredentialVerdict, { readonly state: 'wrong' }>;

async function openUsers(options: LdapOptions): Promise<Users> {
  const { search, userDn } = options;
  if (search !== undefined && userDn === undefined) return await openSearch(search, options);
  if (search === undefined && userDn !== undefined) return namedUsers(userDn, options);
  throw new Error('Give either search or userDn: by one of them the gateway finds the entry of a user.');
}

/** Users whose entries are searched. The rules are asked before the bind, since the user may not be allowed to. */
async function openSearch(
  { base, filter, bindDn, bindPassword }: LdapSearchOptions,
  options: LdapOptions,
): Promise<Users> {
  const password = await readSecret(bindPassword);
  if (password === '') throw new Error('search.bindPassword is empty, which would bind as nobody.');
  const filterOf = (name: string): Filter =>
    FilterParser.parseString(filter.replaceAll(placeholder, () => Filter.escape(name)));
  checkFilter(filterOf);

  async function prepare(client: Client): Promise<void> {
    await client.bind(bindDn, password).catch((cause: unknown) => {
      throw new Error(`The bind as search.bindDn is refused: ${reasonOf(cause)}`, { cause });
    });
  }

  return {
    prepare,
    async prove(client, { name, code }) {
      await prepare(client);
      const attributes = [options.nameAttribute];
      const found = await client.search(base, { filter: filterOf(name), attributes, sizeLimit: 2 });
      const [entry, another] = found.searchEntries;
      if (entry === undefined) return { state: 'unknown' };
      if (another !== undefined) return wrong('several entries match search.filter');
      const objection = await findObjection(client, entry, name, options);
      const refusal = await bindAsUser(client, entry.dn, code);
      return refusal === undefined ? (objection ?? proved(name, entry)) : wrongBy(refusal);
    },
  };
}

/** Throws a plain sentence. */
function checkFilter(filterOf: (name: string) => Filter): void {
  try {
    filterOf('name');
  } catch (cause) {
    throw new Error(`search.filter is no filter of RFC 4515: ${reasonOf(cause)}`, { cause });
  }
}

/** Users whose distinguished names follow from their names. */
function namedUsers(userDn: string, options: LdapOptions): Users {
  return {
    async prove(client, { name, code }) {
      const dn = userDn.replaceAll(placeholder, () => escapeValue(name));
      const refusal = await bindAsUser(client, dn, code);
      if (refusal !== undefined) return isOfNobody(refusal) ? { state: 'unknown' } : wrongBy(refusal);
      const found = await client.search(dn, { scope: 'base', attributes: [options.nameAttribute] });
      const [entry] = found.searchEntries;
      if (entry === undefined) throw new Error('The user may not read its own entry.');
      return (await findObjection(client, entry, name, options)) ?? proved(name, entry);
    },
  };
}

/** Result codes of a bind that are about the user, not about the server (RFC 4511, appendix A.2). */
const aboutTheUser: Readonly<Record<number, string>> = {
  19: 'constraintViolation',
  32: 'noSuchObject',
  34: 'invalidDNSyntax',
  48: 'inappropriateAuthentication',
  49: 'invalidCredentials',
  53: 'unwillingToPerform',
};

/** Gives why the directory refuses the user; undefined: it does not. */
async function bindAsUser(client: Client, dn: string, code: string): Promise<string | undefined> {
  try {
    await client.bind(dn, code);
    return undefined;
  } catch (error) {
    const result = error instanceof ResultCodeError ? aboutTheUser[error.code] : undefined;
    if (result === undefined) throw error;
    return result;
  }
}

/** Most directories do not tell, and refuse an unknown name as they do a wrong code. */
function isOfNobody(result: string): boolean {
  return result === 'noSuchObject' || result === 'invalidDNSyntax';
}

function wrongBy(result: string): Refusal {
  return result === 'invalidCredentials'
    ? { state: 'wrong' }
    : wrong(`the directory refuses the bind: ${result}`);
}

/** Why the user of an entry may not enrol. The directory itself compares, by its matching rules. */
async function findObjection(
  client: Client,
  entry: Entry,
  name: string,
  { nameAttribute, attributes, groups }: LdapOptions,
): Promise<Refusal | undefined> {
  if (!valuesOf(entry, nameAttribute).includes(name))
    return wrong(`its entry has another ${nameAttribute}, or writes it differently`);
  for (const [attribute, values] of Object.entries(attributes)) {
    const filters = values.map((value) => new EqualityFilter({ attribute, value }));
    if (!(await matches(client, entry.dn, new OrFilter({ filters })))) {
      return wrong(`its ${attribute} has none of the values in attributes`);
    }
  }
  if (groups === undefined) return undefined;
  for (const group of groups.anyOf) {
    const [holder, value] =
      groups.by === 'memberOf' ? [entry.dn, group] : [group, groups.by === 'memberUid' ? name : entry.dn];
    if (await matches(client, holder, new EqualityFilter({ attribute: groups.by, value }))) return undefined;
  }
  return wrong('it is in none of the groups');
}

/** In NFC, as names are shown. */
function valuesOf(entry: Entry, attribute: string): readonly string[] {
  const wanted = attribute.toLowerCase();
  return Object.entries(entry)
    .filter(([type]) => type.toLowerCase() === wanted)
    .flatMap(([, values]) => values)
    .map((value) => value.toString().normalize('NFC'));
}

async function matches(client: Client, dn: string, filter: Filter): Promise<boolean> {
  const { searchEntries } = await client.search(dn, { scope: 'base', filter, attributes: ['1.1'] });
  return searchEntries.length > 0;
}

/** An entry may have several values of the nameAttribute. */
function proved(name: string, { dn: account }: Entry): CredentialVerdict {
  return { state: 'proved', user: { name, account, isLimited: false } };
}

function wrong(reason: string): Refusal {
  return { state: 'wrong', reason };
}

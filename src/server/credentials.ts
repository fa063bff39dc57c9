import type { Attempts } from '../auth/attempts/attempts.ts';
import { createCodeCheck, type CodeCheck } from '../auth/credentials/check.ts';
import type {
  CredentialDriver,
  CredentialServices,
  CredentialSource,
  StoreUsers,
} from '../auth/credentials/source.ts';
import { storeCredentials } from '../auth/credentials/store.ts';
import { madeCodeKey } from '../auth/made-code.ts';
import { createStoreUsers } from '../auth/store-users.ts';
import { digestAlgorithms } from '../auth/http-schemes.ts';
import type { AliasConfiguration, Configuration, DriverOptions } from '../config/configuration.ts';
import type { Log } from '../ops/log.ts';
import type { StateStore } from '../store/store.ts';
import { withContext } from './context.ts';
import { findDriver, optionsOf } from './drivers.ts';

/** How one alias checks the codes of users. */
export interface CodeChecks {
  /** Of HTTP Basic, by the sources that the alias names. */
  readonly basic: CodeCheck;
  /** Of otpChallenge: always a code of the store. */
  readonly otp: CodeCheck;
}

/** What opening sources needs: the services of each, and what closes them in the end. */
interface OpeningServices extends CredentialServices {
  readonly drivers: readonly CredentialDriver[];
  readonly opened: AsyncDisposableStack;
}

/** The users of the store at an alias, which is given by its identifier. */
export async function openStoreUsers(alias: string, store: StateStore, log: Log): Promise<StoreUsers> {
  return createStoreUsers({ alias, users: store.users, key: await madeCodeKey(store), log });
}

/** Opens the sources of an alias. Rejects with a plain sentence when one of them, or their order, cannot work. */
export async function openCodeChecks(
  { credentials, httpAuthentication }: AliasConfiguration,
  opening: OpeningServices,
  attempts: Attempts,
): Promise<CodeChecks> {
  refuseContradictions(credentials, httpAuthentication);
  const sources = await openSources(credentials, opening);
  const { alias, users, log } = opening;
  const store = await storeCredentials.open({}, { alias, users, log });
  return {
    basic: createCodeCheck({ alias, sources, attempts, log }),
    otp: createCodeCheck({ alias, sources: [store], attempts, log }),
  };
}

/** Opens the sources of every alias alone; `place` is where each stands in the configuration. */
export async function openAllSources(
  { file, aliases, drivers: { credentials: drivers } }: Configuration,
  store: StateStore,
  log: Log,
  opened: AsyncDisposableStack,
): Promise<readonly { readonly place: string; readonly source: CredentialSource }[]> {
  const all = Object.entries(aliases).map(async ([alias, { credentials }]) => {
    const users = await openStoreUsers(await store.aliases.identify(alias, file), store, log);
    const sources = await openSources(credentials, { alias, users, log, drivers, opened });
    return sources.map((source, index) => ({ place: `aliases.${alias}: ${placeOf(index)}`, source }));
  });
  return (await Promise.all(all)).flat();
}

async function openSources(
  credentials: readonly DriverOptions[],
  { drivers, opened, ...services }: OpeningServices,
): Promise<readonly CredentialSource[]> {
  const sources: CredentialSource[] = [];
  for (const [index, options] of credentials.entries()) {
    const opening = findDriver(drivers, options).open(optionsOf(options), services);
    const source = await withContext(placeOf(index), opening);
    sources.push(opened.adopt(source, async () => await source.close?.()));
  }
  return sources;
}

function placeOf(index: number): string {
  return `credentials[${index}]`;
}

function refuseContradictions(
  credentials: readonly DriverOptions[],
  schemes: AliasConfiguration['httpAuthentication'],
): void {
  const storeFirst = credentials[0]?.driver === 'store';
  if (digestAlgorithms(schemes).length > 0 && !storeFirst) {
    throw new Error(
      'credentials: Digest works for users of the store alone, so that the store must stand first; or leave Digest out of httpAuthentication.',
    );
  }
  if (!schemes.includes('basic') && credentials.length > 1) {
    throw new Error(
      'credentials: without basic in httpAuthentication nobody but the store is ever asked; leave the others out.',
    );
  }
}

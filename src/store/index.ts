import { sqlite } from './sqlite.ts';
import type { StateStoreDriver } from './store.ts';

/** The kinds of stores, by their `driver` in the configuration. */
export const stateStoreDrivers: readonly StateStoreDriver[] = [sqlite];

import type { Configuration } from '../config/configuration.ts';
import { openState } from '../server/drivers.ts';
import type { StateStore } from '../store/store.ts';

/** Lends the store of the configuration, beside a gateway that may run, and closes it afterwards. */
export async function withState<Result>(
  configuration: Configuration,
  use: (store: StateStore) => Promise<Result>,
): Promise<Result> {
  const store = await openState(configuration);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

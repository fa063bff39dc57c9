/** For packages that add CA backends, stores or sources of credentials of their own (docs/backends.md). */
export { runCommandLine } from './cli/program.ts';
export { EstError } from './errors.ts';
export { readSecret } from './ops/secret.ts';
export { nameToString } from './pkix/names.ts';
export type * from './auth/credentials/source.ts';
export type * from './ca/ca.ts';
export type { Drivers } from './config/drivers.ts';
export type * from './store/store.ts';

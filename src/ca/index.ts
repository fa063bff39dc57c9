import type { CertificationAuthorityDriver } from './ca.ts';
import { localDriver } from './local/local.ts';
import { mockDriver } from './mock.ts';

/** Every kind of CA backend; a new one is one file and one entry here. */
export const certificationAuthorityDrivers: readonly CertificationAuthorityDriver[] = [
  localDriver,
  mockDriver,
];

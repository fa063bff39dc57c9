import type { CertificationAuthoritiesDriver, CertificationAuthorityDriver } from './ca.ts';
import { ejbcaDriver } from './ejbca/driver.ts';
import { estDriver } from './est/driver.ts';
import { localDriver } from './local/local.ts';
import { mockDriver } from './mock.ts';

/** Every kind of CA backend; a new one is one file and one entry here. */
export const certificationAuthorityDrivers: readonly (
  CertificationAuthorityDriver | CertificationAuthoritiesDriver
)[] = [localDriver, ejbcaDriver, estDriver, mockDriver];

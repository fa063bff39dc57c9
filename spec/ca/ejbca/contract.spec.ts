import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { oids } from '../../../src/pkix/oids.ts';
import { startEjbca } from '../../support/ejbca/start.ts';
import { certificationAuthorityContract, type Lacks } from '../contract.ts';
import { exactlyOnceContract, type Opened } from './exactly-once-contract.ts';
import {
  installationOfEnvironment,
  installationOfStandIn,
  nothingToClose,
  openInstallation,
} from './installation.ts';

/** `make ejbca-contract` sets EJBCA_BASE_URL and the others, and the suites run against that EJBCA. */
const real = installationOfEnvironment();
const name = real === undefined ? 'EJBCA, a stand-in,' : `EJBCA at ${real.baseUrl}`;

async function open(): Promise<Opened> {
  if (real !== undefined) return { installation: real, close: nothingToClose };
  const ejbca = await startEjbca({ version: '9.3.3' });
  ejbca.addCertificateProfile('Device', {
    validityDays: 365,
    extendedKeyUsage: [oids.clientAuth, oids.serverAuth],
    isAlternativeNameCritical: true,
  });
  return {
    installation: installationOfStandIn(ejbca),
    close: async () => {
      await ejbca.stop();
    },
  };
}

/** The stand-in lacks nothing; a real EJBCA may be too old, or its profile may be another one. */
function lacks(): Lacks {
  if (real === undefined) return {};
  return JSON.parse(
    execFileSync(process.execPath, [join(import.meta.dirname, 'lacks.ts')]).toString(),
  ) as Lacks;
}

certificationAuthorityContract(
  name,
  async () => {
    const { installation, close } = await open();
    return await openInstallation(installation, close);
  },
  lacks(),
);

exactlyOnceContract(name, open);

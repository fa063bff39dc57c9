import { ejbcaDriver } from '../../../src/ca/ejbca/driver.ts';
import type { EjbcaAliasSettings } from '../../../src/ca/ejbca/alias-settings.ts';
import type { EjbcaOptions } from '../../../src/ca/ejbca/options.ts';
import type { CertificationAuthorities, CertificationAuthority } from '../../../src/ca/ca.ts';
import { recordLog, type RecordedLog } from '../../support/log.ts';
import { openRegistry, signal, type OpenedCa } from '../setup.ts';

/** The options with the schema's defaults. */
export function defaultOptions(
  given: Pick<EjbcaOptions, 'baseUrl' | 'trustAnchor' | 'clientCertificate'>,
): EjbcaOptions {
  return {
    ...given,
    retryAfter: 300,
    transactionTimeout: 300,
    record: 'complete',
    timeouts: { connect: 5, answer: 15 },
    limits: { maxResponse: 8_388_608, concurrency: 200, queue: 2000 },
    circuitBreaker: { failures: 10, pause: 10 },
  };
}

/** What an alias says about the stand-in, with the schema's defaults and the changes. */
export function settingsFor(changes: Partial<EjbcaAliasSettings> = {}): EjbcaAliasSettings {
  return {
    operationMode: 'ra',
    certificateAuthority: 'Device CA',
    certificateProfile: 'Device',
    endEntityProfile: 'Device',
    requireClientCertificate: true,
    requireUsernameAndPassword: false,
    allowUpdateWithSameKey: true,
    nameGeneration: { scheme: 'DN', parameters: 'CN', prefix: '', postfix: '' },
    extractUsernameComponent: 'DN',
    extractDnPartPasswordComponent: 'DN',
    vendorCertificateMode: false,
    vendorCas: [],
    allowChangeSubjectName: false,
    serverKeyGeneration: false,
    ...changes,
  };
}

/** An open backend, and what it has logged. */
interface OpenedEjbca {
  readonly backend: CertificationAuthorities<EjbcaAliasSettings>;
  readonly log: RecordedLog;
}

/** Opens the driver as the gateway does. */
async function openBackend(
  options: EjbcaOptions,
  registries: Omit<OpenedCa, 'ca' | 'log' | 'close'>,
): Promise<OpenedEjbca> {
  const log = recordLog();
  const services = { name: 'ejbca', ...registries, pendingExpiry: 60, log };
  return { backend: await ejbcaDriver.open(options, services), log };
}

/** The CA of an alias at a backend of its own, for the contract suite. */
export async function openForContract(
  options: EjbcaOptions,
  settings: EjbcaAliasSettings,
  closeMore: () => Promise<void>,
): Promise<OpenedCa> {
  const { close, ...registries } = await openRegistry();
  const { backend, log } = await openBackend(options, registries);
  const { ca } = await backend.forAlias(settings, signal);
  const contractCa: CertificationAuthority = {
    ...ca,
    health: async (healthSignal) => await backend.health?.(healthSignal),
    close: async () => await backend.close?.(),
  };
  return {
    ca: contractCa,
    ...registries,
    log,
    close: async () => {
      await close();
      await closeMore();
    },
  };
}

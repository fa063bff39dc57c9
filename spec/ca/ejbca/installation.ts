import type { EjbcaAliasSettings } from '../../../src/ca/ejbca/alias-settings.ts';
import type { StandIn } from '../../support/ejbca/start.ts';
import type { OpenedCa } from '../setup.ts';
import { defaultOptions, openForContract, settingsFor } from './setup.ts';

/** An EJBCA that the contract is asked of, and what of it is there for tests. */
export interface Installation {
  readonly baseUrl: string;
  /** Files, PEM. */
  readonly trustAnchor: string;
  readonly certificate: string;
  readonly privateKey: string;
  readonly certificateAuthority: string;
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
}

/** The EJBCA that `EJBCA_BASE_URL` and the other variables of CONTRIBUTING.md name; undefined: they name none. */
export function installationOfEnvironment(): Installation | undefined {
  const { EJBCA_BASE_URL: baseUrl } = process.env;
  if (baseUrl === undefined) return undefined;
  return {
    baseUrl,
    trustAnchor: variable('EJBCA_TRUST_ANCHOR'),
    certificate: variable('EJBCA_CERTIFICATE'),
    privateKey: variable('EJBCA_PRIVATE_KEY'),
    certificateAuthority: variable('EJBCA_CA'),
    certificateProfile: variable('EJBCA_CERTIFICATE_PROFILE'),
    endEntityProfile: variable('EJBCA_END_ENTITY_PROFILE'),
  };
}

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`Set the environment variable ${name}.`);
  return value;
}

/** A real EJBCA goes on running. */
export async function nothingToClose(): Promise<void> {
  await Promise.resolve();
}

/** The stand-in as it is when it starts. */
export function installationOfStandIn({ url, trustAnchorFile, clientCertificate }: StandIn): Installation {
  return {
    baseUrl: url,
    trustAnchor: trustAnchorFile,
    certificate: clientCertificate.certificateFile,
    privateKey: clientCertificate.keyFile,
    certificateAuthority: 'Device CA',
    certificateProfile: 'Device',
    endEntityProfile: 'Device',
  };
}

/** The contract has one key of each kind, and EJBCA gives a key to one end entity alone. */
const nameGeneration: EjbcaAliasSettings['nameGeneration'] = {
  scheme: 'FIXED',
  parameters: 'est-gateway-contract',
  prefix: '',
  postfix: '',
};

/** The backend in front of the installation. */
export async function openInstallation(
  { baseUrl, trustAnchor, certificate, privateKey, ...profiles }: Installation,
  closeMore: () => Promise<void>,
): Promise<OpenedCa> {
  const clientCertificate = { certificate, privateKey: `file:${privateKey}` };
  return await openForContract(
    defaultOptions({ baseUrl, trustAnchor, clientCertificate }),
    settingsFor({ nameGeneration, ...profiles }),
    closeMore,
  );
}

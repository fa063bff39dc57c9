import type { EjbcaAliasSettings } from '../../../src/ca/ejbca/alias-settings.ts';
import { startEjbca } from '../../support/ejbca/start.ts';
import { certificationAuthorityContract } from '../contract.ts';
import type { OpenedCa } from '../setup.ts';
import { defaultOptions, openForContract, optionsFor, settingsFor } from './setup.ts';

/** The suite has one key of each kind, and EJBCA gives a key to one end entity alone. */
const nameGeneration: EjbcaAliasSettings['nameGeneration'] = {
  scheme: 'FIXED',
  parameters: 'est-gateway-contract',
  prefix: '',
  postfix: '',
};

/** `make ejbca-contract` sets EJBCA_BASE_URL and the others, and the suite runs against that EJBCA. */
const { EJBCA_BASE_URL: baseUrl } = process.env;

async function openStandIn(): Promise<OpenedCa> {
  const ejbca = await startEjbca();
  return await openForContract(optionsFor(ejbca), settingsFor({ nameGeneration }), async () => {
    await ejbca.stop();
  });
}

async function openReal(url: string): Promise<OpenedCa> {
  const variable = (name: string): string => {
    const value = process.env[name];
    if (value === undefined || value === '') throw new Error(`Set the environment variable ${name}.`);
    return value;
  };
  const clientCertificate = {
    certificate: variable('EJBCA_CERTIFICATE'),
    privateKey: `file:${variable('EJBCA_PRIVATE_KEY')}`,
  };
  return await openForContract(
    defaultOptions({ baseUrl: url, trustAnchor: variable('EJBCA_TRUST_ANCHOR'), clientCertificate }),
    settingsFor({
      nameGeneration,
      certificateAuthority: variable('EJBCA_CA'),
      certificateProfile: variable('EJBCA_CERTIFICATE_PROFILE'),
      endEntityProfile: variable('EJBCA_END_ENTITY_PROFILE'),
    }),
    async () => {
      await Promise.resolve();
    },
  );
}

certificationAuthorityContract(
  baseUrl === undefined ? 'EJBCA, a stand-in,' : `EJBCA at ${baseUrl}`,
  async () => await (baseUrl === undefined ? openStandIn() : openReal(baseUrl)),
);

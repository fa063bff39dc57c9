import type { AccessRules } from '../support/ejbca/administrator.ts';
import { startEjbca, type EjbcaOptions, type StandIn } from '../support/ejbca/start.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts';

/** A gateway in front of a stand-in for EJBCA. */
export interface EjbcaGateway {
  readonly gateway: TestGateway;
  readonly ejbca: StandIn;
  stop(): Promise<void>;
}

/** What a spec changes. */
export interface EjbcaGatewayOptions extends Pick<TestGatewayOptions, 'limits' | 'files'> {
  /** Of the stand-in. */
  readonly installation?: EjbcaOptions;
  /** Further options of the backend. */
  readonly backend?: object;
  /** Settings at EJBCA by alias; the rest of an alias below `alias`. */
  readonly aliases: Readonly<Record<string, AliasChanges>>;
  /** The access rules of the gateway's role; left out: everything. */
  readonly role?: AccessRules;
  /** Before the gateway starts. */
  readonly prepare?: (ejbca: StandIn) => Promise<void>;
}

/** An alias of EJBCA's settings, and what the gateway's alias has besides. */
export interface AliasChanges {
  readonly alias?: object;
  readonly [setting: string]: unknown;
}

/** Starts both; `ejbca` of each alias is completed by a CA and profiles that the stand-in has. */
export async function startEjbcaGateway(options: EjbcaGatewayOptions): Promise<EjbcaGateway> {
  const ejbca = await startEjbca(options.installation);
  try {
    await options.prepare?.(ejbca);
    const gateway = await startTestGateway({
      backends: { ejbca: { ...(await backendFor(ejbca, options.role)), ...options.backend } },
      aliases: Object.fromEntries(
        Object.entries(options.aliases).map(([name, { alias, ...settings }]) => [
          name,
          { ...aliasDefaults, ...alias, ejbca: { ...settingDefaults, ...settings } },
        ]),
      ),
      ...(options.limits && { limits: options.limits }),
      ...(options.files && { files: options.files }),
    });
    return {
      gateway,
      ejbca,
      stop: async () => {
        await gateway.stop();
        await ejbca.stop();
      },
    };
  } catch (error) {
    await ejbca.stop();
    throw error;
  }
}

const aliasDefaults = { backend: 'ejbca', authentication: undefined, profile: undefined };

const settingDefaults = {
  certificateAuthority: 'Device CA',
  certificateProfile: 'Device',
  endEntityProfile: 'Device',
};

/** The backend's entry in the configuration. */
async function backendFor(ejbca: StandIn, role: AccessRules | undefined): Promise<object> {
  const { certificateFile, keyFile } =
    role === undefined ? ejbca.clientCertificate : await ejbca.addClientCertificate('gateway', role);
  return {
    driver: 'ejbca',
    baseUrl: ejbca.url,
    trustAnchor: ejbca.trustAnchorFile,
    clientCertificate: { certificate: certificateFile, privateKey: `file:${keyFile}` },
  };
}

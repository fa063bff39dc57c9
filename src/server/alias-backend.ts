import type { AuthenticationMode } from '../auth/index.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { AliasConfiguration, ServerKeyGenerationConfiguration } from '../config/configuration.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { openingTimeout, type Backends } from './drivers.ts';

/** The CA behind an alias, and what the alias's checks are like once its settings at the backend are heard. */
export interface AliasBackend {
  readonly ca: CertificationAuthority;
  readonly authentication: AuthenticationMode;
  /** For simplereenroll. */
  readonly renewalAuthentication: AuthenticationMode;
  readonly policy: PolicyOptions;
  readonly serverKeyGeneration: ServerKeyGenerationConfiguration | undefined;
}

/** What a backend's own switch for serverkeygen means. */
const serverKeyGenerationByDefault: ServerKeyGenerationConfiguration = { keys: ['P-256'] };

/** Finds the backend of an alias; one with several CAs is told the alias's settings. */
export async function openAliasBackend(
  options: AliasConfiguration,
  backends: Backends,
): Promise<AliasBackend> {
  const backend = backends.get(options.backend);
  if (backend === undefined) throw new Error(`There is no backend named ${options.backend}.`);
  const { policy, serverKeyGeneration } = options;
  if (!('forAlias' in backend.opened)) {
    const { authentication } = options;
    if (authentication === undefined) throw new Error('The key authentication is missing.');
    const ca = backend.opened;
    ca.checkProfile?.(options.profile);
    return { ca, authentication, renewalAuthentication: authentication, policy, serverKeyGeneration };
  }
  const settings = (options as unknown as Readonly<Record<string, unknown>>)[backend.driver];
  const wanted = await backend.opened.forAlias(settings, AbortSignal.timeout(openingTimeout));
  return {
    ca: wanted.ca,
    authentication: wanted.authentication,
    renewalAuthentication: 'clientCertificate',
    policy: { ...policy, renewWithSameKey: policy.renewWithSameKey && wanted.renewWithSameKey },
    serverKeyGeneration:
      serverKeyGeneration ?? (wanted.serverKeyGeneration ? serverKeyGenerationByDefault : undefined),
  };
}

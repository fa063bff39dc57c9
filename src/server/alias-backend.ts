import { digestAlgorithms } from '../auth/http-schemes.ts';
import type { AuthenticationMode } from '../auth/index.ts';
import type { EnrollmentCodes } from '../identity.ts';
import type { CertificationAuthority, LastAnswers } from '../ca/ca.ts';
import type { AliasConfiguration, ServerKeyGenerationConfiguration } from '../config/configuration.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { demandedUsages } from '../policy/extension-demands.ts';
import type { PolicyOptions } from '../policy/options.ts';
import { openingTimeout, type Backends } from './drivers.ts';

/** The CA behind an alias, and what the alias's checks are like once its settings at the backend are heard. */
export interface AliasBackend {
  readonly ca: CertificationAuthority;
  readonly authentication: AuthenticationMode;
  /** That the CA checks itself, in place of the authentication here; undefined: it checks none. */
  readonly enrollmentCodes: EnrollmentCodes | undefined;
  /** For simplereenroll. */
  readonly renewalAuthentication: AuthenticationMode;
  readonly policy: PolicyOptions;
  /** Of the backend; those of the alias come besides. */
  readonly vendorCertificates: readonly Certificate[];
  readonly serverKeyGeneration: ServerKeyGenerationConfiguration | undefined;
  /** Whether serverkeygen by a certificate of the CA alone renews it. */
  readonly renewalByServerKeyGeneration: boolean;
  /** As that of `CertificationAuthorityForAlias`. */
  readonly examine: (signal: AbortSignal) => Promise<readonly string[]>;
  /** The chain of the CA as `caCertificates` gives it, or as it last gave it while the CA is down. */
  readonly caCertificates: (signal: AbortSignal) => Promise<readonly Buffer[]>;
}

/** What a backend's own switch for serverkeygen means. */
export const serverKeyGenerationByDefault: ServerKeyGenerationConfiguration = { keys: ['P-256'] };

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
    ca.checkProfile?.(options.profile, demandedUsages(policy.required));
    const both = { authentication, renewalAuthentication: authentication };
    return {
      ca,
      ...both,
      enrollmentCodes: undefined,
      policy,
      vendorCertificates: [],
      serverKeyGeneration,
      renewalByServerKeyGeneration: false,
      examine: async () => await Promise.resolve([]),
      caCertificates: lastCaCertificates(backend.answers, ca, undefined),
    };
  }
  const settings = (options as unknown as Readonly<Record<string, unknown>>)[backend.driver];
  const wanted = await backend.opened.forAlias(settings, AbortSignal.timeout(openingTimeout));
  if (wanted.enrollmentCodes !== undefined) refuseContradictions(options);
  return {
    ca: wanted.ca,
    authentication: wanted.authentication,
    enrollmentCodes: wanted.enrollmentCodes,
    renewalAuthentication: 'clientCertificate',
    policy: {
      ...policy,
      renewWithSameKey: policy.renewWithSameKey && wanted.renewWithSameKey,
      changeSubjectName: policy.changeSubjectName || wanted.changeSubjectName,
    },
    vendorCertificates: wanted.vendorCertificates.map((der) => readCertificate(der)),
    serverKeyGeneration:
      serverKeyGeneration ?? (wanted.serverKeyGeneration ? serverKeyGenerationByDefault : undefined),
    renewalByServerKeyGeneration: wanted.renewalByServerKeyGeneration,
    examine: async (signal) => (await wanted.examine?.(signal)) ?? [],
    caCertificates: lastCaCertificates(backend.answers, wanted.ca, settings),
  };
}

/** Other settings may mean another CA. One in the gateway itself is never down. */
function lastCaCertificates(
  answers: LastAnswers,
  ca: CertificationAuthority,
  settings: unknown,
): AliasBackend['caCertificates'] {
  if (ca.issuesInStore === true) return async (signal) => await ca.caCertificates(signal);
  const question = `CA certificates ${JSON.stringify(settings)}`;
  return async (signal) => await answers.ask(question, async () => await ca.caCertificates(signal));
}

/** Where the CA checks enrolment codes, nobody is authenticated before it has answered. */
function refuseContradictions({ fullCmc, httpAuthentication, policy }: AliasConfiguration): void {
  if (digestAlgorithms(httpAuthentication).length > 0) {
    throw new Error(
      'httpAuthentication: leave Digest out; the CA must see the codes of this alias, which Digest hides.',
    );
  }
  if (fullCmc !== undefined) {
    throw new Error(
      'fullCmc: leave it out; clients of this alias show enrolment codes that only the CA can check.',
    );
  }
  if (policy.names === 'identity') {
    throw new Error(
      'policy.names: identity binds names to a client that is known; here only the CA knows it.',
    );
  }
  if (policy.rules.length > 0) {
    throw new Error('policy.rules: they bind names to a client that is known; here only the CA knows it.');
  }
  if (policy.otpChallenge === 'required') {
    throw new Error(
      'policy.otpChallenge: the CA checks the enrolment codes of this alias, and takes no others.',
    );
  }
}

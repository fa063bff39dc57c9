import { createClaimAuthentication, createClaimGuard } from '../auth/claim.ts';
import { createClientCertificateAuthenticator } from '../auth/client-certificate.ts';
import { createAuthentication, type Authentication, type AuthenticationMode } from '../auth/index.ts';
import { createOtpVerifier } from '../auth/otp-challenge.ts';
import { createOwnCertificateCheck } from '../auth/own-certificate.ts';
import { createRecordedCertificateCheck } from '../auth/recorded-certificate.ts';
import { createRegistrationAuthorities } from '../auth/registration-authority.ts';
import { createUserAuthentication } from '../auth/user.ts';
import type { AliasConfiguration, Configuration } from '../config/configuration.ts';
import type { Drivers } from '../config/drivers.ts';
import { isOutage } from '../errors.ts';
import type { Alias } from '../est/alias.ts';
import type { Log } from '../ops/log.ts';
import { createCertificateMemory } from '../pkix/certificate-memory.ts';
import { createBlocklist } from '../pkix/weak-keys.ts';
import { openPolicyWebhook } from '../policy/webhook.ts';
import type { StateStore } from '../store/store.ts';
import { textOf, withContext } from './context.ts';
import { openCodeChecks, openStoreUsers } from './credentials.ts';
import type { Backends } from './drivers.ts';
import { readTexts } from './files.ts';
import { openFullCmc } from './full-cmc.ts';
import { createIssuersAsMade, openIssuer } from './issuer.ts';
import { madeFor } from './made-for.ts';
import { openPolicy, shownAt } from './policy.ts';
import type { ProcessState } from './process-state.ts';
import { openRevocation, type RevocationServices } from './revocation.ts';
import { openServerKeyGeneration } from './server-key-generation.ts';

/** Milliseconds. */
const day = 86_400_000;

/** Clients whose certificates are kept decoded at one alias. */
const mostClients = 1000;

/**
 * Makes every alias of the configuration ready to serve, but those whose CA is down and has never answered; what must be
 * closed in the end is added to `opened`.
 */
export async function openAliases(
  configuration: Configuration,
  backends: Backends,
  store: StateStore,
  log: Log,
  opened: AsyncDisposableStack,
  state: ProcessState,
): Promise<ReadonlyMap<string, Alias>> {
  const aliases = new Map<string, Alias>();
  const revocation = openRevocation(configuration.revocation, log);
  const services = {
    configuration: configuration.file,
    backends,
    drivers: configuration.drivers,
    store,
    revocation,
    state,
    log,
    opened,
  };
  for (const [name, options] of Object.entries(configuration.aliases)) {
    const alias = await openUnlessDown(`aliases.${name}`, openAlias(name, options, services), log);
    if (alias !== undefined) aliases.set(name, alias);
  }
  return aliases;
}

/** Undefined: the CA is down, and has never said what the alias must know of it. */
async function openUnlessDown(place: string, opening: Promise<Alias>, log: Log): Promise<Alias | undefined> {
  try {
    return await withContext(place, opening);
  } catch (error) {
    if (!isOutage(error)) throw error;
    log.error(`${place}: its CA is down and has never answered; all operations get 503 until it does.`, {
      reason: textOf(error),
    });
    return undefined;
  }
}

/** What all aliases share. */
interface AliasServices {
  /** Its file. */
  readonly configuration: string;
  readonly backends: Backends;
  readonly drivers: Drivers;
  readonly store: StateStore;
  readonly revocation: RevocationServices;
  readonly state: ProcessState;
  readonly log: Log;
  readonly opened: AsyncDisposableStack;
}

async function openAlias(
  name: string,
  options: AliasConfiguration,
  { configuration, backends, drivers, store, revocation, state, log, opened }: AliasServices,
): Promise<Alias> {
  const id = await store.aliases.identify(name, configuration);
  const issuing = { backends, store, revocation, log };
  const issuer = await openIssuer(options, issuing);
  const { backend, caCertificates, implicitTrustAnchors, ownCertificates, checkRevocation } = issuer;
  const { ca, enrollmentCodes, policy, serverKeyGeneration, ...wanted } = backend;
  const registrationAuthorityOf = createRegistrationAuthorities(options.registrationAuthorities);
  const { attempts, nonceUses } = state;
  const users = await openStoreUsers(id, store, log);
  const opening = { alias: name, users, log, drivers: drivers.credentials, opened };
  const checks = await openCodeChecks(options, opening, attempts);
  const user = createUserAuthentication({
    alias: { id, name },
    schemes: options.httpAuthentication,
    checkCode: checks.basic,
    users: store.users,
    attempts,
    nonceKey: await store.secret('digest-nonce'),
    nonceUses,
  });
  const readClientCertificate = createCertificateMemory(mostClients);
  const authentication = (mode: AuthenticationMode, expiredFor: number): Authentication =>
    createAuthentication({
      mode,
      clientCertificate: createClientCertificateAuthenticator({
        read: readClientCertificate,
        explicit: async (signal) => (await caCertificates.current(signal)).anchors,
        implicit: implicitTrustAnchors,
        checkRevocation,
        expiredFor,
      }),
      user,
      registrationAuthorityOf: async ({ certificate, issuer }, signal) => {
        const authority = registrationAuthorityOf(certificate);
        // Other CAs may call whom they like a registration authority (RFC 7030, section 3.7).
        const isOwn =
          authority && (await ownCertificates(signal)).some(({ sha256 }) => sha256 === issuer.sha256);
        return isOwn === true ? authority : undefined;
      },
    });
  const own = { caCertificates: ownCertificates, checkRevocation };
  return {
    id,
    name,
    ca,
    caCertificates,
    implicitTrustAnchors,
    issuedNames: options.issuedNames,
    profile: options.profile,
    authenticate: enrollmentCodes
      ? createClaimAuthentication(name, enrollmentCodes)
      : authentication(wanted.authentication, 0),
    enrollmentCodes,
    guardClaim: createClaimGuard(name, attempts),
    challenge: user.challenge,
    authenticateRenewal: authentication(wanted.renewalAuthentication, policy.renewExpiredDays * day),
    verifyOtp: createOtpVerifier(checks.otp),
    policy: await openPolicy(policy, shownAt(backend)),
    askPolicyWebhook:
      policy.webhook && (await withContext('policy.webhook', openPolicyWebhook(policy.webhook, log))),
    knownKeys: createBlocklist(await readTexts(options.knownKeys)),
    refuseRevoked: createRecordedCertificateCheck(own),
    standingOf: issuer.standingOf,
    madeFor: madeFor(options, ca, backends),
    issuerAsMade: createIssuersAsMade(options, issuing),
    fullCmc:
      options.fullCmc &&
      (await openFullCmc(options.fullCmc, ca, createOwnCertificateCheck(own), registrationAuthorityOf)),
    serverKeyGeneration:
      serverKeyGeneration &&
      (await withContext(
        'serverKeyGeneration',
        openServerKeyGeneration(serverKeyGeneration, policy, wanted.renewalByServerKeyGeneration),
      )),
    compatibility: options.compatibility,
    strict: options.strict,
    wrap: options.wrap,
  };
}

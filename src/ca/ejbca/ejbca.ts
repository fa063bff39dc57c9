import { setTimeout } from 'node:timers/promises';
import { isOutage } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { readTrustAnchor } from '../../ops/certificate-files.ts';
import { readCertificate } from '../../pkix/certificate.ts';
import type { CertificationAuthorities, CertificationAuthorityServices } from '../ca.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import { createAuthorityForAlias } from './authority.ts';
import { createEjbcaCalls, type EjbcaCalls } from './calls.ts';
import { findCa, publicationsOf, type FoundCa } from './certification-authorities.ts';
import { enrollmentCodesOf } from './client-mode.ts';
import { openCredentials } from './credentials.ts';
import { createEndEntityTurns } from './enrollment/end-entity-turns.ts';
import { createSingleIssuance } from './enrollment/single-issuance.ts';
import { createWebServiceCheck, lookingUp, registering } from './enrollment/web-service-check.ts';
import { examine, unseenByRegistrationAuthorities } from './examination.ts';
import { longestTransaction, type EjbcaOptions } from './options.ts';
import { createRestClient } from './rest-client.ts';
import { createTransport } from './transport.ts';
import { createVendorMode } from './vendor-mode.ts';
import { createWebService, type WebService } from './web-service.ts';

/** Milliseconds that EJBCA may take at start to say who it is. */
const openingTimeout = 10_000;

/** Milliseconds between two looks at which attempts are of no more use. */
const forgettingInterval = 3_600_000;

/** Logs in, and finds out who answers; that EJBCA is down is no failure. */
export async function openEjbca(
  options: EjbcaOptions,
  { name, log, answers, attempts, pendingExpiry }: CertificationAuthorityServices,
): Promise<CertificationAuthorities<EjbcaAliasSettings>> {
  const trustAnchor = await readTrustAnchor(options.trustAnchor);
  const credentials = await openCredentials(options);
  const transport = createTransport({ options, trustAnchor, credentials, name, log });
  const calls = createEjbcaCalls(createRestClient(transport, name, log));
  const webService = createWebService(transport, name, log);
  const interfaces = { calls, webService };
  const deadline = deadlineOf(options);
  const turns = createEndEntityTurns({ attempts, backend: name, deadline, sleep: setTimeout });
  const canRegister = createWebServiceCheck(webService, registering, name, log);
  const canLookUp = createWebServiceCheck(webService, lookingUp, name, log);
  try {
    await answers.askNow(async () => {
      await introduce(calls, name, log);
    });
  } catch (error) {
    transport.close();
    throw error;
  }

  /** The passwords of requests that nobody repeats any more. */
  async function forgetOld(): Promise<void> {
    const before = new Date(Date.now() - (pendingExpiry + longestTransaction) * 1000);
    await attempts.forget(before).catch((error: unknown) => {
      log.warn('Attempts at enrolments that are long over could not be forgotten.', { backend: name, error });
    });
  }

  await forgetOld();
  const forgetting = setInterval(() => void forgetOld(), forgettingInterval).unref();

  /** Of what EJBCA says, no more is kept for a start without it than where the CA is. */
  async function findIssuingCa(
    { certificateAuthority }: EjbcaAliasSettings,
    signal: AbortSignal,
  ): Promise<Pick<FoundCa, 'dn' | 'knownTo'>> {
    const [dn, knownTo] = await answers.ask(`CA ${certificateAuthority}`, async () => {
      const found = await explained(
        findCa(interfaces, certificateAuthority, signal),
        'ejbca.certificateAuthority: ',
      );
      if (found.isActive === false) {
        log.warn('The CA issues nothing at the moment: it is off-line or expired in EJBCA, or external.', {
          backend: name,
          certificateAuthority,
          advice: 'Activate it in EJBCA, under "CA Activation".',
        });
      }
      return [Buffer.from(found.dn), Buffer.from(found.knownTo)];
    });
    return {
      dn: dn?.toString() ?? '',
      knownTo: knownTo?.toString() === 'web service' ? 'web service' : 'REST API',
    };
  }

  /** The chain of a vendor CA, itself first. */
  async function findVendorChain(vendorCa: string, signal: AbortSignal): Promise<readonly Buffer[]> {
    const found = await explained(findCa(interfaces, vendorCa, signal), 'ejbca.vendorCas: ');
    return await explained(publicationsOf(interfaces, vendorCa, found).chain(signal));
  }

  return {
    clientCertificates: credentials.certificates,
    unseen: unseenByRegistrationAuthorities,
    async forAlias(settings, signal) {
      const ca = await findIssuingCa(settings, signal);
      await answers.askNow(async () => {
        await requireCertificateProfile(calls, settings, signal);
        if (settings.vendorCertificateMode) await requireWebService(webService, signal);
        else {
          // Both say in the log what it means where they cannot.
          await canRegister(signal);
          if (settings.operationMode === 'client') await canLookUp(signal);
        }
      });
      const vendorChains = await Promise.all(
        settings.vendorCas.map(
          async (vendorCa) =>
            await answers.ask(`vendor CA ${vendorCa}`, async () => await findVendorChain(vendorCa, signal)),
        ),
      );
      const vendorCas = vendorChains.flatMap((chain) => chain.slice(0, 1)).map((der) => readCertificate(der));
      const vendorMode = settings.vendorCertificateMode
        ? createVendorMode({ settings, vendorCas })
        : undefined;
      return {
        ca: {
          terms: () => ['ejbca', options.baseUrl],
          ...createAuthorityForAlias({
            calls,
            webService,
            settings,
            dn: ca.dn,
            publications: publicationsOf(interfaces, settings.certificateAuthority, ca),
            attempts,
            turns,
            backend: name,
            log,
            transactionTimeout: options.transactionTimeout,
            pendingExpiry,
            canRegister,
            canLookUp,
            singleIssuance: createSingleIssuance(
              { backend: name, endEntityProfile: settings.endEntityProfile },
              log,
            ),
            retryAfter: options.retryAfter,
            deadline,
            record: options.record,
            vendorMode,
          }),
        },
        examine: async (examineSignal) => await examine({ calls, webService, settings }, examineSignal),
        authentication: authenticationOf(settings),
        enrollmentCodes: enrollmentCodesOf(settings, credentials.secret),
        vendorCertificates: vendorChains.flat(),
        changeSubjectName: settings.allowChangeSubjectName,
        renewWithSameKey: settings.allowUpdateWithSameKey,
        serverKeyGeneration: settings.serverKeyGeneration,
        renewalByServerKeyGeneration: needsMoreThanCertificate(settings),
      };
    },
    async health(signal) {
      await explained(calls.status(signal));
      await explained(calls.certificationAuthorities(signal));
      await explained(calls.statusOfV2(signal));
    },
    async close() {
      clearInterval(forgetting);
      transport.close();
      await Promise.resolve();
    },
  };
}

/** Calls for one enrolment whose answers may all be as late as they can be. */
const lateCalls = 6;

/** Seconds that all that is asked for one enrolment may take. */
function deadlineOf({ timeouts: { connect, answer } }: EjbcaOptions): number {
  return lateCalls * (connect + answer);
}

/** Says in the log which EJBCA it is, and what is switched off that only some requests need. */
async function introduce(calls: EjbcaCalls, backend: string, log: Log): Promise<void> {
  const signal = AbortSignal.timeout(openingTimeout);
  const version = await explained(calls.status(signal));
  log.info('EJBCA answers.', { backend, version });
  await calls.statusOfV2(signal).catch((error: unknown) => {
    if (isOutage(error)) throw error;
    log.warn('Without the REST API V2 of EJBCA no certificate can be renewed.', { backend });
  });
}

/** Vendor mode looks registered end entities up and gives them codes. */
const webServiceRules = ['/ra_functionality/view_end_entity', '/ra_functionality/edit_end_entity'];

async function requireWebService(webService: WebService, signal: AbortSignal): Promise<void> {
  const missing = await explained(webService.missingRules(webServiceRules, signal));
  if (missing.length === 0) return;
  throw new Error(
    `ejbca.vendorCertificateMode: allow ${missing.join(' and ')} in the role of the gateway in EJBCA.`,
  );
}

/** Where the REST API V2 is switched off, nobody knows before the first enrolment. */
async function requireCertificateProfile(
  calls: EjbcaCalls,
  { operationMode, certificateProfile }: EjbcaAliasSettings,
  signal: AbortSignal,
): Promise<void> {
  if (operationMode === 'client') return;
  const cas = await calls.casOfCertificateProfile(certificateProfile, signal).catch((error: unknown) => {
    if (isOutage(error)) throw error;
    return 'any' as const;
  });
  if (cas !== undefined) return;
  throw new Error(`ejbca.certificateProfile: EJBCA has no certificate profile ${certificateProfile}.`);
}

function authenticationOf({
  requireClientCertificate,
  requireUsernameAndPassword,
}: EjbcaAliasSettings): 'clientCertificate' | 'basic' | 'both' {
  if (!requireUsernameAndPassword) return 'clientCertificate';
  return requireClientCertificate ? 'both' : 'basic';
}

/** Where a certificate of the CA alone lets nobody enrol, it can only mean a renewal. */
function needsMoreThanCertificate({
  operationMode,
  requireUsernameAndPassword,
}: EjbcaAliasSettings): boolean {
  return operationMode === 'client' || requireUsernameAndPassword;
}

/** Operators read at start and from `check` what EJBCA said, too, behind the setting that it is about. */
async function explained<Value>(promise: Promise<Value>, setting = ''): Promise<Value> {
  return await promise.catch((error: unknown) => {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const said = cause instanceof Error ? ` (${cause.message})` : '';
    throw new Error(`${setting}${message}${said}`, { cause: error });
  });
}

import { isOutage } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { readTrustAnchor } from '../../ops/certificate-files.ts';
import { readCertificate } from '../../pkix/certificate.ts';
import type { CertificationAuthorities, CertificationAuthorityServices } from '../ca.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import { createAuthorityForAlias } from './authority.ts';
import { createEjbcaCalls, type EjbcaCa, type EjbcaCalls } from './calls.ts';
import { enrollmentCodesOf } from './client-mode.ts';
import { openCredentials } from './credentials.ts';
import type { EjbcaOptions } from './options.ts';
import { createRestClient } from './rest-client.ts';
import { createTransport } from './transport.ts';
import { createVendorMode } from './vendor-mode.ts';
import { createWebService, type WebService } from './web-service.ts';

/** Milliseconds that EJBCA may take at start to say who it is. */
const openingTimeout = 10_000;

/** Logs in, and finds out who answers; that EJBCA is down is no failure. */
export async function openEjbca(
  options: EjbcaOptions,
  { name, log, answers }: CertificationAuthorityServices,
): Promise<CertificationAuthorities<EjbcaAliasSettings>> {
  const trustAnchor = await readTrustAnchor(options.trustAnchor);
  const credentials = await openCredentials(options);
  const transport = createTransport({ options, trustAnchor, credentials, name, log });
  const calls = createEjbcaCalls(createRestClient(transport, name, log));
  const webService = createWebService(transport, name, log);
  try {
    await answers.askNow(async () => {
      await introduce(calls, name, log);
    });
  } catch (error) {
    transport.close();
    throw error;
  }
  return {
    clientCertificates: credentials.certificates,
    async forAlias(settings, signal) {
      const [dn = ''] = await answers.ask(`CA ${settings.certificateAuthority}`, async () => {
        const ca = await explained(findCa(calls, settings, signal));
        return [Buffer.from(ca.dn)];
      });
      await answers.askNow(async () => {
        await requireCertificateProfile(calls, settings, signal);
        if (settings.vendorCertificateMode) await requireWebService(webService, signal);
      });
      const vendorChains = await Promise.all(
        settings.vendorCas.map(
          async (vendorCa) =>
            await answers.ask(
              `vendor CA ${vendorCa}`,
              async () => await explained(findVendorChain(calls, vendorCa, signal)),
            ),
        ),
      );
      const vendorCas = vendorChains.flatMap((chain) => chain.slice(0, 1)).map((der) => readCertificate(der));
      const vendorMode = settings.vendorCertificateMode
        ? createVendorMode({ calls, webService, settings, vendorCas })
        : undefined;
      return {
        ca: createAuthorityForAlias({
          calls,
          settings,
          dn: dn.toString(),
          retryAfter: options.retryAfter,
          deadline: deadlineOf(options),
          record: options.record,
          vendorMode,
        }),
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
      transport.close();
      await Promise.resolve();
    },
  };
}

/** Calls for one enrolment whose answers may all be as late as they can be. */
const lateCalls = 4;

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
    log.warn('Without the REST API V2 of EJBCA nobody can renew a certificate.', { backend });
  });
}

async function findCa(
  calls: EjbcaCalls,
  { certificateAuthority }: EjbcaAliasSettings,
  signal: AbortSignal,
): Promise<EjbcaCa> {
  return caNamed('certificateAuthority', certificateAuthority, await calls.certificationAuthorities(signal));
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

/** The chain of a vendor CA, itself first. */
async function findVendorChain(
  calls: EjbcaCalls,
  vendorCa: string,
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  const { dn } = caNamed('vendorCas', vendorCa, await calls.certificationAuthorities(signal));
  return await calls.chain(dn, signal);
}

function caNamed(setting: string, wanted: string, all: readonly EjbcaCa[]): EjbcaCa {
  const found = all.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = all.map(({ name }) => name).join(', ');
  throw new Error(
    `ejbca.${setting}: EJBCA has no CA ${wanted} that the gateway's role may use; ` +
      `it may use: ${names === '' ? 'none' : names}.`,
  );
}

/** Where the REST API V2 is switched off, nobody knows before the first enrolment. */
async function requireCertificateProfile(
  calls: EjbcaCalls,
  { operationMode, certificateProfile }: EjbcaAliasSettings,
  signal: AbortSignal,
): Promise<void> {
  if (operationMode === 'client') return;
  const isThere = await calls.hasCertificateProfile(certificateProfile, signal).catch((error: unknown) => {
    if (isOutage(error)) throw error;
    return true;
  });
  if (isThere) return;
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

/** Operators read at start and from `check` what EJBCA said, too. */
async function explained<Value>(promise: Promise<Value>): Promise<Value> {
  return await promise.catch((error: unknown) => {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    throw new Error(cause instanceof Error ? `${message} (${cause.message})` : message, { cause: error });
  });
}

import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EstError } from '../../errors.ts';
import { expiresSoon } from '../../pkix/chain.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { readSecret } from '../../ops/secret.ts';
import type {
  CertificationAuthority,
  CertificationAuthorityDriver,
  CertificationAuthorityServices,
  EnrollmentRequest,
  EnrollmentResult,
} from '../ca.ts';
import { statusByRecord } from '../record.ts';
import { createApproval } from './approval.ts';
import { readAuthority, requireUsable, type Authority } from './authority.ts';
import { createIssuance } from './issuance.ts';
import { localOptionsSchema, type LocalOptions, type PublicationUrls } from './options.ts';
import { createOperatorProfile, createProfile, type Profile } from './profile.ts';
import { createRevocationList } from './revocation-list.ts';
import { findState } from './state.ts';

const hour = 3_600_000;

/** A CA whose key the gateway holds: it issues by itself and records what it issued in the store. */
export const localDriver: CertificationAuthorityDriver<LocalOptions> = {
  name: 'local',
  optionsSchema: localOptionsSchema,
  open: openLocalCertificationAuthority,
};

async function openLocalCertificationAuthority(
  options: LocalOptions,
  services: CertificationAuthorityServices,
): Promise<CertificationAuthority> {
  const { certificates } = services;
  const authority = await loadAuthority(options);
  warnOfEnd(authority, services);
  const { certificate: issuer, chain } = authority;
  const profiles = openProfiles(options);
  const issue = createIssuance(authority, options.backdate);
  const ca = await findState(issuer, options.record, services);
  const askForApproval = createApproval(options.retryAfter, ca, services);
  const bag = chain.map(({ der }) => der);

  async function earlierCertificate({ idempotencyKey }: EnrollmentRequest): Promise<Buffer | undefined> {
    return (await certificates.findByIdempotencyKey(ca, idempotencyKey))?.certificate;
  }

  async function issueAndRegister(request: EnrollmentRequest): Promise<Buffer> {
    const issued = await issue(request, profileNamed(profiles, request.profile), new Date());
    const { idempotencyKey, subject } = request;
    try {
      const certificate = { ...issued, ca, idempotencyKey, subject: nameToString(subject) };
      await certificates.add(certificate, 'written');
      return issued.certificate;
    } catch (error) {
      // Of two at once under one key the store takes one; the other gives that one's certificate.
      const winner = await earlierCertificate(request);
      if (winner === undefined) throw error;
      return winner;
    }
  }

  async function issueOrHold(request: EnrollmentRequest): Promise<EnrollmentResult> {
    const waiting = await askForApproval(request, profileNamed(profiles, request.profile));
    return waiting ?? { status: 'issued', certificate: await issueAndRegister(request) };
  }

  /** For a request that was asked before. */
  async function issueOnce(request: EnrollmentRequest): Promise<EnrollmentResult> {
    const certificate = await earlierCertificate(request);
    return certificate === undefined ? await issueOrHold(request) : { status: 'issued', certificate };
  }

  /** What the CA issued elsewhere can be revoked here once it was shown. */
  async function recordShown(certificate: Certificate): Promise<void> {
    const { serialNumber, notBefore, notAfter, der, spki, subject } = certificate;
    if (!namesEqual(certificate.issuer, issuer.subject) || !(await isSignedBy(certificate, issuer))) return;
    const names = { subject: nameToString(subject), publicKey: hash('sha256', spki, 'hex') };
    await certificates.import({ ...names, ca, serialNumber, notBefore, notAfter, certificate: der }, 'shown');
  }

  return {
    issuesInStore: true,

    recorded: { ca, options: sharedOptions(options) },

    terms: (profile) => {
      const { profiles: all, crl, caIssuersUrls } = options;
      const { approval: _, ...certified } = profileNamed(new Map(Object.entries(all)), profile);
      return [ca, certified, crl.urls, caIssuersUrls];
    },

    caCertificates: async () => await Promise.resolve(bag),

    enroll: async (request, signal) => {
      if (signal.aborted) {
        throw new EstError('ca_timeout', 'The request was given up before the CA began.', {
          nothingIssued: true,
        });
      }
      return request.attemptedSince === undefined ? await issueOrHold(request) : await issueOnce(request);
    },

    ...([...profiles.values()].some(({ approval }) => approval !== 'none') && {
      resume: async (_reference: string, request: EnrollmentRequest) => await issueOnce(request),
    }),

    certificateStatus: async (certificate) => {
      const { serialNumber, der } = certificate;
      const found = await certificates.status(ca, serialNumber, der);
      const revocation = found === 'revoked' ? await certificates.revocationOf(ca, serialNumber) : undefined;
      if (revocation !== undefined) return { reason: revocation.reason, since: revocation.at };
      if (found === 'another') return 'unknown';
      if (found === 'unknown' && options.record === 'incomplete') await recordShown(certificate);
      return statusByRecord(found === 'shown' ? 'unknown' : found, options.record);
    },

    revoke: async ({ serialNumber }, reason) => {
      const outcome = await certificates.revoke(ca, serialNumber, reason, new Date());
      if (outcome === 'unknown') throw new Error('The CA has issued no certificate of this serial number.');
    },

    issueForOperator: async ({ csr, role, validityDays }) => {
      if (await certificates.isCompromised(csr.publicKey.sha256)) {
        throw new Error('The key of the CSR has been compromised; make a new key.');
      }
      const { subject, subjectAltName = [], keyUsage, extendedKeyUsage } = csr;
      const request = { csr, subject, subjectAltName, keyUsage, extendedKeyUsage };
      const issued = await issue(
        request,
        createOperatorProfile(role, validityDays, urlsOf(options)),
        new Date(),
      );
      const idempotencyKey = `${role} ${issued.serialNumber}`;
      await certificates.add({
        ...issued,
        ca,
        idempotencyKey,
        subject: nameToString(subject),
        operatorRole: role,
      });
      return issued.certificate;
    },

    issuingCertificate: async () => await Promise.resolve(issuer.der),

    ...revocationLists(authority, ca, options, services),

    checkProfile(profile, demanded) {
      profileNamed(profiles, profile).checkDemands(demanded);
    },

    health: async () => {
      requireUsable(authority, new Date());
      await Promise.resolve();
    },
  };
}

/** A CA is renewed in time by people who are told in time. */
function warnOfEnd({ chain }: Authority, { name, log }: CertificationAuthorityServices): void {
  const now = new Date();
  for (const { subject, notAfter } of chain.filter((member) => expiresSoon(member, now))) {
    log.warn('A certificate of the CA expires within 30 days; renew the CA.', {
      backend: name,
      subject: nameToString(subject),
      notAfter: notAfter.toISOString(),
    });
  }
}

/** What is said of the CA itself, and not of what a backend issues. */
function sharedOptions({ record, backdate, crl }: LocalOptions): Readonly<Record<string, unknown>> {
  return { record, backdate, 'crl.validityHours': crl.validityHours };
}

/** A CA certificate without cRLSign cannot have a CRL, and so has no `crl`. */
function revocationLists(
  authority: Authority,
  ca: string,
  { crl, backdate }: LocalOptions,
  { certificates }: CertificationAuthorityServices,
): Pick<CertificationAuthority, 'crl'> {
  const mayList = authority.certificate.keyUsage?.includes('cRLSign') ?? true;
  const list = { ca, validity: crl.validityHours * hour, backdate: backdate * 1000, certificates };
  if (mayList) return { crl: createRevocationList(authority, list) };
  if (crl.urls.length === 0) return {};
  throw new Error(
    'crl.urls: the keyUsage of the CA certificate has no cRLSign, so there is no CRL to refer to.',
  );
}

function openProfiles(options: LocalOptions): ReadonlyMap<string, Profile> {
  const urls = urlsOf(options);
  return new Map(
    Object.entries(options.profiles).map(([name, profile]) => [name, createProfile(name, profile, urls)]),
  );
}

function urlsOf({ crl, caIssuersUrls }: LocalOptions): PublicationUrls {
  return { crl: crl.urls, caIssuers: caIssuersUrls };
}

/** A single profile need not be named. */
function profileNamed<Found>(profiles: ReadonlyMap<string, Found>, name: string | undefined): Found {
  const names = [...profiles.keys()];
  const chosen = name ?? (names.length === 1 ? names[0] : undefined);
  const profile = chosen === undefined ? undefined : profiles.get(chosen);
  if (profile !== undefined) return profile;
  const found =
    name === undefined ? 'No certificate profile is named' : `There is no certificate profile ${name}`;
  throw new Error(`${found}; expected one of: ${names.join(', ')}.`);
}

async function loadAuthority(options: LocalOptions): Promise<Authority> {
  const { passphrase } = options;
  const texts = {
    certificate: await readText('certificate', options.certificate),
    privateKey: await readSecret(options.privateKey),
    passphrase: passphrase === undefined ? undefined : await readSecret(passphrase),
    chain: await readTexts('chain', options.chain),
  };
  return readAuthority(texts, new Date());
}

async function readTexts(option: string, files: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(files.map(async (file) => await readText(option, file)));
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`${option}: the file ${file} cannot be read.`, { cause: error });
  }
}

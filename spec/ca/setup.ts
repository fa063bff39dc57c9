import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificationAuthority, EnrollmentRequest, LastAnswers } from '../../src/ca/ca.ts';
import { createLocalCertificationAuthority } from '../../src/ca/local/create.ts';
import { localDriver } from '../../src/ca/local/local.ts';
import type { LocalOptions } from '../../src/ca/local/options.ts';
import { identifierOfCa } from '../../src/pkix/ca-identifier.ts';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { dNSName, iPAddress, type GeneralName } from '../../src/pkix/general-names.ts';
import type { KeyType } from '../../src/pkix/keys.ts';
import { nameFromAttributes } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import { createLastAnswers } from '../../src/server/last-answers.ts';
import { stateStoreDrivers } from '../../src/store/index.ts';
import type { AttemptRegistry, CertificateRegistry, HeldRequestRegistry } from '../../src/store/store.ts';
import { extension, id, sequence, signedRequest, type KeyPair } from '../support/csr.ts';
import { recordLog, type RecordedLog } from '../support/log.ts';

/** The texts of a CA, PEM. */
export interface CaTexts {
  readonly certificate: string;
  readonly privateKey: string;
  readonly passphrase?: string;
  readonly chain: readonly string[];
}

/** What a backend keeps its state in. */
interface Registries {
  readonly certificates: CertificateRegistry;
  readonly heldRequests: HeldRequestRegistry;
  readonly attempts: AttemptRegistry;
  readonly answers: LastAnswers;
}

/** A backend with a store of its own. */
export interface OpenedCa extends Registries {
  readonly ca: CertificationAuthority;
  /** What the backend has logged. */
  readonly log: RecordedLog;
  close(): Promise<void>;
}

/** The root above the CA that `newCaTexts` makes is first in its chain. */
export async function newCaTexts(name = 'Spec', now = new Date()): Promise<CaTexts> {
  const passphrase = 'a passphrase';
  const ca = await createLocalCertificationAuthority({ name, passphrase, now });
  return {
    certificate: ca.issuingCertificate,
    privateKey: ca.issuingKey,
    passphrase,
    chain: [ca.rootCertificate],
  };
}

/** By which the store knows the CA. */
export function caOf({ certificate }: Pick<CaTexts, 'certificate'>): string {
  const [issuer] = certificatesFromPem(certificate);
  if (issuer === undefined) throw new Error('There is no certificate.');
  return identifierOfCa(issuer);
}

/** A store in a folder of its own. */
export async function openRegistry(): Promise<Registries & { readonly close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  const [driver] = stateStoreDrivers;
  if (driver === undefined) throw new Error('There is no store driver.');
  const store = await driver.open({ file: join(folder, 'state.sqlite') });
  return {
    certificates: store.certificates,
    heldRequests: store.heldRequests,
    attempts: store.attempts,
    answers: createLastAnswers({ registry: store.answers, backend: 'ca', options: {}, log: recordLog() }),
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

const crlUrl = 'http://gateway.example/crl/local.crl';
const issuerUrl = 'http://gateway.example/ca/local.cer';

/** Opens the local driver over files, as the gateway does; options have no defaults here. It uses the `lent` registries. */
export async function openLocal(
  texts: CaTexts,
  changes: Partial<LocalOptions> = {},
  lent: Partial<Registries> = {},
): Promise<OpenedCa> {
  const folder = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const writeAll = async (name: string, all: readonly string[]): Promise<readonly string[]> =>
    await Promise.all(all.map(async (text, index) => await write(`${name}-${index}.pem`, text)));
  const opened = await openRegistry();
  const { certificates, heldRequests, attempts, answers } = { ...opened, ...lent };
  const log = recordLog();
  const close = async (): Promise<void> => {
    await opened.close();
    await rm(folder, { recursive: true });
  };
  try {
    const ca = await localDriver.open(
      {
        certificate: await write('ca.pem', texts.certificate),
        privateKey: `file:${await write('ca.key', texts.privateKey)}`,
        ...(texts.passphrase !== undefined && {
          passphrase: `file:${await write('passphrase', texts.passphrase)}`,
        }),
        chain: await writeAll('chain', texts.chain),
        backdate: 60,
        retryAfter: 30,
        record: 'complete',
        crl: { validityHours: 24, urls: [crlUrl] },
        caIssuersUrls: [issuerUrl],
        profiles: {
          device: {
            validityDays: 90,
            keyUsage: ['digitalSignature', 'keyEncipherment'],
            extendedKeyUsage: ['clientAuth'],
            approval: 'none',
          },
        },
        ...changes,
      },
      { name: 'local', certificates, heldRequests, attempts, answers, pendingExpiry: 60, log },
    );
    return { ca, certificates, heldRequests, attempts, answers, log, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const keyPairs: Readonly<Record<KeyType, () => KeyPair>> = {
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed25519: () => generateKeyPairSync('ed25519'),
  'ML-DSA-44': () => generateKeyPairSync('ml-dsa-44'),
  'ML-DSA-65': () => generateKeyPairSync('ml-dsa-65'),
  'ML-DSA-87': () => generateKeyPairSync('ml-dsa-87'),
};

/** Every kind of key that a device may have. */
export const keyTypes = Object.keys(keyPairs) as readonly KeyType[];

const deviceKeys = new Map<KeyType, KeyPair>();

/** The key of the device; the same for each kind, since RSA keys take long. */
function deviceKey(type: KeyType): KeyPair {
  const key = deviceKeys.get(type) ?? keyPairs[type]();
  deviceKeys.set(type, key);
  return key;
}

/** A request of device-1, as the gateway would hand it to a backend; its CSR has the names of the changes. */
export function newRequest(
  changes: Partial<EnrollmentRequest> = {},
  keyType: KeyType = 'P-256',
): EnrollmentRequest {
  const subject = changes.subject ?? nameFromAttributes(deviceNames);
  const subjectAltName = changes.subjectAltName ?? [dNSName('device-1.example')];
  const extensions = subjectAltName.length === 0 ? [] : [subjectAltNameOf(subjectAltName)];
  return {
    requestId: randomUUID(),
    idempotencyKey: randomUUID(),
    alias: 'est',
    operation: 'simpleenroll',
    renewed: undefined,
    identity: {
      key: 'user:device',
      description: 'device',
      user: { name: 'device', isLimited: false },
      certificate: undefined,
    },
    csr: readCertificationRequest(signedRequest(deviceKey(keyType), { subject: subject.der, extensions })),
    linked: false,
    subject,
    subjectAltName,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    profile: undefined,
    attemptedSince: undefined,
    // Nothing is given again.
    repeatsSince: new Date(Date.now() + 86_400_000),
    allowedChanges: [],
    ...changes,
  };
}

/** Its names stand in the subjectAltName alone, which RFC 5280, section 4.2.1.6, wants critical then. */
export function requestWithoutSubject(): EnrollmentRequest {
  return newRequest({ subject: nameFromAttributes([]), subjectAltName: [iPAddress('2001:db8::1')] });
}

const deviceNames = [
  { type: oids.commonName, value: 'device-1' },
  { type: oids.serialNumber, value: '0815' },
];

function subjectAltNameOf(names: readonly GeneralName[]): Buffer {
  return extension(id.subjectAltName, sequence(...names.map(({ der }) => der)));
}

/** For calls that nobody gives up. */
export const { signal } = new AbortController();

/** The certificate that `enroll` gives at once. */
export async function issue(ca: CertificationAuthority, request: EnrollmentRequest): Promise<Buffer> {
  const result = await ca.enroll(request, signal);
  if (result.status !== 'issued') throw new Error('The CA put the request off.');
  return result.certificate;
}

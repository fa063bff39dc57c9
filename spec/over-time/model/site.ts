/** What all runs share: a CA, keys, configurations, and a store with a registration authority and nothing else in it. */
import { createPrivateKey, generateKeyPairSync, hash } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createLocalCertificationAuthority } from '../../../src/ca/local/create.ts';
import type { Configuration } from '../../../src/config/configuration.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import { readCertificate, type Certificate } from '../../../src/pkix/certificate.ts';
import { readCertificationRequest } from '../../../src/pkix/pkcs10.ts';
import { openCertificationAuthorities, openState } from '../../../src/server/drivers.ts';
import { id, name, signedRequest, spkiOf, utf8String, type KeyPair } from '../../support/csr.ts';
import { recordLog } from '../../support/log.ts';

/** What the configuration calls its parts; a run renames them. */
export interface Names {
  /** Two backends of the one CA. */
  readonly first: string;
  readonly second: string;
  /** The alias beside `est`. */
  readonly line: string;
}

/** By which the store knows whose aliases they are. */
export const configurationFile = 'est-gateway.yaml';

/** Where every run begins, milliseconds since 1970. */
export const beginning = Date.UTC(2026, 0, 5, 12);

export const namesAtFirst: Names = { first: 'first', second: 'second', line: 'line' };

/** Seconds. */
export const limits = { repeatWindow: 7200, requestTimeout: 30, pendingExpiry: 21_600 } as const;

/** Seconds by which the clock of a gateway is wrong at most. */
export const mostSkew = 30;

/** Days. */
const validity = { est: 1, line: 2 } as const;
export const graceOfLine = 1;

/** Percent of the validity. */
export const earliestRenewal = 25;

const keyCount = 60;

/** Its common name. */
export const registrationAuthorityName = 'plant';

/** All that is made once. */
export interface Site {
  /** SHA-256 of each key of the pool, hex. */
  readonly keys: readonly string[];
  /** DER, for a common name and a key of the pool. */
  csrFor(commonName: string, keyIndex: number): Buffer;
  /** Of the registration authority; its key is none of `keys`. */
  readonly registrationAuthority: { readonly key: KeyPair; readonly certificate: Certificate };
  configuration(names: Names): Promise<Configuration>;
  /** The file of a new store. */
  newStore(): Promise<string>;
  remove(): Promise<void>;
}

export async function createSite(): Promise<Site> {
  const folder = await mkdtemp(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'over-time-'));
  const passphrase = 'of the model';
  const ca = await createLocalCertificationAuthority({ name: 'Model', passphrase, now: new Date(beginning) });
  const key = createPrivateKey({ key: ca.rootKey, passphrase }).export({ type: 'pkcs8', format: 'pem' });
  const files = { 'ca.pem': ca.rootCertificate, 'ca.key': key };
  for (const [file, text] of Object.entries(files))
    await writeFile(join(folder, file), text, { mode: 0o600 });
  const loaded = new Map<string, Promise<Configuration>>();

  async function load(names: Names): Promise<Configuration> {
    const file = join(folder, `${loaded.size}.yaml`);
    await writeFile(file, stringify(configurationOf(names)));
    // An operator writes all of them to one file.
    return { ...(await loadConfiguration(file)), file: configurationFile };
  }

  async function configuration(names: Names): Promise<Configuration> {
    const text = JSON.stringify(names);
    const known = loaded.get(text) ?? load(names);
    loaded.set(text, known);
    return await known;
  }

  const registrationAuthority = { key: newKey() };
  const template = await configuration(namesAtFirst);
  const certificate = await certifyRegistrationAuthority(template, registrationAuthority.key);
  const pairs = Array.from({ length: keyCount }, newKey);
  const csrs = new Map<string, Buffer>();
  let stores = 0;
  return {
    keys: pairs.map(({ publicKey }) => hash('sha256', spkiOf(publicKey), 'hex')),
    csrFor(commonName, keyIndex) {
      const [text, pair] = [`${commonName} ${keyIndex}`, pairs[keyIndex]];
      if (pair === undefined) throw new Error(`A run wants more than ${keyCount} keys.`);
      const csr = csrs.get(text) ?? csrFor(commonName, pair);
      csrs.set(text, csr);
      return csr;
    },
    registrationAuthority: { ...registrationAuthority, certificate },
    configuration,
    async newStore() {
      const file = join(folder, `${(stores += 1)}.sqlite`);
      await copyFile(join(folder, 'state.sqlite'), file);
      return file;
    },
    remove: async () => {
      await rm(folder, { recursive: true });
    },
  };
}

function newKey(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** A CSR for a common name, DER. */
export function csrFor(commonName: string, key: KeyPair): Buffer {
  return signedRequest(key, { subject: name([id.commonName, utf8String(commonName)]) });
}

async function certifyRegistrationAuthority(
  configuration: Configuration,
  key: KeyPair,
): Promise<Certificate> {
  const store = await openState(configuration);
  const backends = await openCertificationAuthorities(configuration, store, recordLog());
  const ca = backends.get(namesAtFirst.first)?.opened;
  if (ca === undefined || 'forAlias' in ca) throw new Error('There is no CA.');
  const csr = readCertificationRequest(csrFor(registrationAuthorityName, key));
  const request = { csr, role: 'registration-authority', validityDays: 30 } as const;
  const der = await ca.issueForOperator?.(request, AbortSignal.timeout(10_000));
  await store.close();
  return readCertificate(der ?? Buffer.alloc(0));
}

function configurationOf({ first, second, line }: Names): object {
  const profile = { keyUsage: ['digitalSignature'] };
  const backend = {
    driver: 'local',
    certificate: 'ca.pem',
    privateKey: 'file:ca.key',
    profiles: {
      device: { ...profile, validityDays: validity.est },
      checked: { ...profile, validityDays: validity.line, approval: 'newNames' },
    },
  };
  const alias = {
    authentication: 'either',
    registrationAuthorities: {
      [registrationAuthorityName]: {
        commonName: registrationAuthorityName,
        names: { commonName: ['device-*'] },
      },
    },
  };
  return {
    listeners: {
      proxy: { socket: 'proxy.sock', clientCertificate: 'rfc9440' },
      http: { address: '127.0.0.1', port: 0 },
    },
    store: { driver: 'sqlite', file: 'state.sqlite' },
    backends: { [first]: backend, [second]: backend },
    aliases: {
      est: {
        ...alias,
        backend: first,
        profile: 'device',
        policy: { renewWithSameKey: false, renewAfterPercent: earliestRenewal },
      },
      [line]: {
        ...alias,
        backend: second,
        profile: 'checked',
        policy: { renewExpiredDays: graceOfLine },
      },
    },
    limits: { ...limits, wrongCodes: 1000 },
  };
}

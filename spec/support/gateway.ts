import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { hashCode } from '../../src/auth/code.ts';
import { createLocalCertificationAuthority, createServerCertificate } from '../../src/ca/local/create.ts';
import { withBuiltInDrivers, type Drivers } from '../../src/config/drivers.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { startGateway, type Gateway } from '../../src/server.ts';
import { openState } from '../../src/server/drivers.ts';
import type { StateStore } from '../../src/store/store.ts';
import { caOf } from '../ca/setup.ts';
import { recordLog, type RecordedLog } from './log.ts';

/** A whole gateway with its own CA, in a folder of its own, on free ports. */
export interface TestGateway {
  readonly port: number;
  readonly url: string;
  readonly httpUrl: string;
  /** Where a proxy finds EST: a URL, or the path of a Unix socket. */
  readonly proxyPlace: string;
  readonly directory: string;
  readonly configurationFile: string;
  /** PEM of the root. */
  readonly trustAnchor: string;
  readonly issuingCertificate: string;
  /** By which the store knows its CA. */
  readonly ca: string;
  readonly issuingKey: string;
  readonly passphrase: string;
  readonly log: RecordedLog;
  /** A second connection to the store of the running gateway. */
  readonly store: StateStore;
  /** Stops the gateway and starts another one on the same files, at another port; nothing is served meanwhile. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Takes up the files anew, after a change of what the configuration file says. */
  reload(change?: (written: Written) => object): Promise<void>;
  /** Stops, and removes the folder. */
  readonly stop: () => Promise<void>;
}

/** What a spec changes: whole sections are replaced, aliases are added to `est`. */
export interface TestGatewayOptions {
  readonly aliases?: Readonly<Record<string, object>>;
  readonly backends?: Readonly<Record<string, object>>;
  readonly store?: object;
  readonly limits?: object;
  readonly revocation?: object;
  readonly est?: object;
  readonly http?: object;
  /** A listener for a proxy besides. */
  readonly proxy?: object;
  readonly passThrough?: object;
  /** Beside the built-in ones. */
  readonly drivers?: Partial<Drivers>;
  /** Further files in the gateway's folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What a configuration file says. */
export interface Written {
  readonly listeners: Readonly<Record<string, object>>;
  readonly backends: Readonly<Record<string, object>>;
  readonly aliases: Readonly<Record<string, object>>;
  readonly limits: object;
}

/** The enrolment user that every alias of a test gateway knows. */
export const user = { name: 'device', code: 'correct-horse-battery' } as const;

const policy = {
  subject: ['commonName', 'serialNumber', 'organizationName', 'organizationalUnitName', 'countryName'],
  subjectAltName: ['dNSName', 'iPAddress'],
};

/** A gateway's configuration as `est-gateway.yaml` has it, less the given changes. */
function configuration(options: TestGatewayOptions): object {
  const backends: Readonly<Record<string, object>> = {
    local: {
      driver: 'local',
      certificate: 'issuing.pem',
      privateKey: 'file:issuing.key',
      passphrase: 'file:passphrase',
      chain: ['root.pem'],
      profiles: { device: { validityDays: 90, extendedKeyUsage: ['clientAuth', 'serverAuth'] } },
    },
    mock: { driver: 'mock' },
    ...options.backends,
  };
  const aliasWith = (changes: { readonly backend?: string }): object => {
    const { backend = 'local' } = changes;
    // An EST server elsewhere has no profiles.
    const { driver } = (backends[backend] ?? {}) as { readonly driver?: string };
    const profile = driver === 'est' ? {} : { profile: 'device' };
    return renewingAll({ backend, ...profile, authentication: 'either', policy, ...changes });
  };
  return {
    listeners: {
      est: {
        address: '127.0.0.1',
        port: 0,
        certificate: 'server.pem',
        privateKey: 'file:server.key',
        ...options.est,
      },
      http: { address: '127.0.0.1', port: 0, ...options.http },
      ...(options.proxy && { proxy: options.proxy }),
    },
    store: options.store ?? { driver: 'sqlite', file: 'state.sqlite' },
    backends,
    aliases: {
      est: aliasWith({}),
      ...Object.fromEntries(
        Object.entries(options.aliases ?? {}).map(([name, alias]) => [name, aliasWith(alias)]),
      ),
    },
    ...(options.passThrough !== undefined && { passThrough: options.passThrough }),
    limits: options.limits ?? {},
    revocation: options.revocation ?? {},
  };
}

/** Devices of specs enrol at one alias and renew at another, unless it is said otherwise. */
function renewingAll(alias: Readonly<Record<string, unknown>>): object {
  if (alias['authentication'] === 'basic') return alias;
  return { ...alias, policy: { renewOtherAliases: true, ...(alias['policy'] as object | undefined) } };
}

const passphrase = 'test-passphrase';

/** A new CA as the local backend has one. */
export type TestAuthority = Awaited<ReturnType<typeof newAuthority>>;

export async function newAuthority() {
  return await createLocalCertificationAuthority({ name: 'Test', passphrase, now: new Date() });
}

/** A TLS server certificate of the CA for this machine, and its key. */
export async function newServerCertificate({ issuingCertificate, issuingKey }: TestAuthority) {
  const hostnames = ['localhost'];
  return await createServerCertificate({
    issuingCertificate,
    issuingKey,
    passphrase,
    hostnames,
    now: new Date(),
  });
}

/**
 * Starts a gateway; the caller stops it. With EST_GATEWAY_THROUGH (`request` or `relay`) its backend `local` is another
 * gateway, of which it is a relay.
 */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const through = process.env['EST_GATEWAY_THROUGH'];
  if (through === undefined) return await startOneGateway(options, await newAuthority());
  const { startThroughRelay } = await import('../relay/through-relay.ts');
  return await startThroughRelay(options, through);
}

/** Starts a gateway whose server certificate is from the CA. */
export async function startOneGateway(options: TestGatewayOptions, ca: TestAuthority): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  const { issuingCertificate, issuingKey } = ca;
  const tls = await newServerCertificate(ca);
  const files = {
    'root.pem': ca.rootCertificate,
    'issuing.pem': issuingCertificate,
    'issuing.key': issuingKey,
    passphrase,
    'server.pem': tls.certificate + issuingCertificate,
    'server.key': tls.key,
    'est-gateway.yaml': stringify(configuration(options)),
    ...options.files,
  };
  await Promise.all(
    Object.entries(files).map(async ([name, text]) => {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), text, { mode: 0o600 });
    }),
  );
  const configurationFile = join(directory, 'est-gateway.yaml');
  const loaded = await loadConfiguration(configurationFile, withBuiltInDrivers(options.drivers ?? {}));
  const log = recordLog();
  let gateway = await startGateway(loaded, log);
  const store = await openState(loaded);
  await addUsers(store, Object.keys(loaded.aliases));
  return {
    get port() {
      return Number(new URL(gateway.estUrl ?? '').port);
    },
    get url() {
      return `${gateway.estUrl ?? ''}/.well-known/est`;
    },
    get proxyPlace() {
      return gateway.proxyPlace ?? '';
    },
    get httpUrl() {
      return gateway.httpUrl ?? '';
    },
    directory,
    configurationFile,
    trustAnchor: ca.rootCertificate,
    issuingCertificate,
    ca: caOf({ certificate: issuingCertificate }),
    issuingKey,
    passphrase,
    log,
    store,
    restart: async (meanwhile) => {
      await gateway.stop();
      await meanwhile?.();
      gateway = await startGateway(loaded, log);
    },
    reload: async (change = (written) => written) => {
      const written = parse(await readFile(configurationFile, 'utf8')) as Written;
      await writeFile(configurationFile, stringify(change(written)));
      await gateway.reload(await loadConfiguration(configurationFile, loaded.drivers));
    },
    stop: async () => {
      await stopAll(gateway, store, directory);
    },
  };
}

async function addUsers(store: StateStore, aliases: readonly string[]): Promise<void> {
  const codeHash = await hashCode(user.code);
  for (const alias of aliases) {
    const createdAt = new Date();
    await store.users.add({ alias, name: user.name, codeHash, remainingUses: undefined, createdAt });
  }
}

async function stopAll(gateway: Gateway, store: StateStore, directory: string): Promise<void> {
  await gateway.stop();
  await store.close();
  await rm(directory, { recursive: true });
}

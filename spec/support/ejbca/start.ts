/**
 * A stand-in for EJBCA: an HTTPS server that answers as EJBCA's REST API and its web service do, with a CA that
 * really issues. It was written from EJBCA's sources and documentation alone, not from what the gateway does.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateToPem } from '../../../src/pkix/certificate.ts';
import { oids } from '../../../src/pkix/oids.ts';
import type { AccessRules } from './administrator.ts';
import { createCredentials, type ClientCertificate } from './credentials.ts';
import {
  certificateProfile,
  createDatabase,
  endEntityProfile,
  type ApprovalRequest,
  type CertificateProfile,
  type CertificationAuthority,
  type Database,
  type EndEntity,
  type EndEntityProfile,
} from './model/database.ts';
import { protocols, type Ejbca, type Protocol } from './ejbca.ts';
import { createFaults, type Fault, type HeldCalls, type Hold } from './fault.ts';
import type { Step } from './model/transaction.ts';
import { tokenPath, type OAuthClient } from './identity-provider.ts';
import {
  addCertificationAuthority,
  addEndEntity,
  addProfiles,
  type NewCertificationAuthority,
} from './installation.ts';
import { startServer, type Traffic } from './server.ts';
import type { State } from './state.ts';
import type { Release } from './version.ts';

/** How the installation differs from a Community 8.3 with everything switched on. */
export interface EjbcaOptions {
  /** Such as `8.2.0.1`. */
  readonly version?: string;
  readonly edition?: Release['edition'];
  readonly enabledProtocols?: readonly Protocol[];
  readonly isBrowserHeaderRequired?: boolean;
  /** Default: a free one. */
  readonly port?: number;
}

/** A running stand-in. */
export interface StandIn {
  /** `https://localhost:<port>/ejbca`. */
  readonly url: string;
  readonly port: number;
  /** A folder that `stop` removes. */
  readonly directory: string;
  /** PEM of the CA that certifies EJBCA's server and its administrators. */
  readonly trustAnchor: string;
  readonly trustAnchorFile: string;
  /** Of a role that may do everything. */
  readonly clientCertificate: ClientCertificate;
  readonly database: Database;
  readonly enabledProtocols: Set<Protocol>;
  /** What was asked, and how. */
  readonly traffic: Traffic;
  readonly requests: Traffic['requests'];
  /** Registers a role with one member; without rules, EJBCA does not know the certificate. */
  addClientCertificate(commonName: string, rules: AccessRules | undefined): Promise<ClientCertificate>;
  /** Registers a role with one member, and gives its bearer token. */
  addBearerToken(rules: AccessRules, isExpired?: boolean): string;
  revokeBearerToken(token: string): void;
  /** Registers a role whose members get their tokens from the identity provider at `tokenUrl`. */
  addOAuthClient(rules: AccessRules, seconds?: number): OAuthClient & { readonly tokenUrl: string };
  addCertificationAuthority(
    name: string,
    options?: NewCertificationAuthority,
  ): Promise<CertificationAuthority>;
  addCertificateProfile(name: string, changes?: Partial<CertificateProfile>): void;
  addEndEntityProfile(name: string, changes?: Partial<EndEntityProfile>): void;
  /** Registers an end entity of the CA `Device CA` and the profiles `Device`, with status NEW unless told otherwise. */
  addEndEntity(endEntity: Partial<EndEntity> & Pick<EndEntity, 'username'>): EndEntity;
  /** Decides about what waits for approval. */
  decide(requestId: number, decision: Exclude<ApprovalRequest['state'], 'waiting'>): Promise<void>;
  setFault(fault: Fault): void;
  /** Stops calls at a step of their transaction. */
  hold(step: Step, calls?: HeldCalls): Hold;
  clearFaults(): void;
  /** Fulfilled when connections are accepted, or refused, as the state has it. */
  setState(state: State): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a stand-in with a CA `Management CA` for servers and administrators, and a `Device CA` below a `Root CA`
 * with the profiles `Device`.
 */
export async function startEjbca(options: EjbcaOptions = {}): Promise<StandIn> {
  const directory = await mkdtemp(join(tmpdir(), 'ejbca-'));
  const database = createDatabase();
  const ejbca: Ejbca = {
    release: { version: options.version ?? '8.3.2', edition: options.edition ?? 'Community' },
    database,
    administrators: { certificates: new Map(), bearerTokens: new Map() },
    oAuthClients: [],
    enabledProtocols: new Set(options.enabledProtocols ?? protocols),
    isBrowserHeaderRequired: options.isBrowserHeaderRequired ?? false,
  };
  const managementCa = await addCertificationAuthority(database, 'Management CA');
  await addCertificationAuthority(database, 'Root CA');
  await addCertificationAuthority(database, 'Device CA', { signedBy: 'Root CA' });
  addProfiles(database);
  const trustAnchor = certificateToPem(managementCa.authority.certificate);
  const credentials = createCredentials(directory, ejbca, managementCa);
  const trustAnchorFile = await credentials.write('management-ca.pem', trustAnchor);
  const faults = createFaults();
  const tls = await credentials.certify('localhost', oids.serverAuth);
  const server = await startServer(
    ejbca,
    faults,
    { key: tls.key, cert: tls.certificate, ca: [trustAnchor] },
    options.port ?? 0,
  );
  return {
    url: `https://localhost:${server.port}/ejbca`,
    port: server.port,
    directory,
    trustAnchor,
    trustAnchorFile,
    clientCertificate: await credentials.addClientCertificate('Super Administrator', ['/']),
    database,
    enabledProtocols: ejbca.enabledProtocols,
    traffic: server.traffic,
    requests: server.traffic.requests,
    addClientCertificate: async (commonName, rules) =>
      await credentials.addClientCertificate(commonName, rules),
    addBearerToken: (rules, isExpired = false) => {
      const token = randomBytes(24).toString('base64url');
      ejbca.administrators.bearerTokens.set(token, { rules, expiresAt: isExpired ? 0 : Infinity });
      return token;
    },
    revokeBearerToken: (token) => {
      ejbca.administrators.bearerTokens.delete(token);
    },
    addOAuthClient: (rules, seconds = 300) => {
      const client = {
        clientId: `client-${ejbca.oAuthClients.length}`,
        clientSecret: 'hush',
        rules,
        seconds,
      };
      ejbca.oAuthClients.push(client);
      return { ...client, tokenUrl: `https://localhost:${server.port}${tokenPath}` };
    },
    addCertificationAuthority: async (name, more) => await addCertificationAuthority(database, name, more),
    addCertificateProfile: (name, changes) => {
      const id = database.certificateProfiles.size + 1_000_000_000;
      database.certificateProfiles.set(name, certificateProfile({ name, id, ...changes }));
    },
    addEndEntityProfile: (name, changes) => {
      const id = database.endEntityProfiles.size + 2_000_000_000;
      database.endEntityProfiles.set(name, endEntityProfile({ name, id, ...changes }));
    },
    addEndEntity: (endEntity) => addEndEntity(database, endEntity),
    decide: async (requestId, decision) => {
      const request = database.approvalRequests.get(requestId);
      if (request === undefined) throw new Error(`There is no approval request ${requestId}.`);
      if (decision === 'approved') await request.execute();
      request.state = decision;
    },
    setFault: (fault) => {
      faults.set(fault);
    },
    hold: (step, calls) => faults.hold(step, calls),
    clearFaults: () => {
      faults.clear();
    },
    setState: async (state) => {
      await server.setState(state);
    },
    stop: async () => {
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}

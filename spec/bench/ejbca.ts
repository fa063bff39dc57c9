/**
 * Measures the gateway in front of the stand-in for EJBCA and prints a table: what the backend adds to the time of a call
 * that a bare client makes at 100 requests a second, and what 2,000 requests at once cost while EJBCA takes 2 seconds for
 * each. Needs Linux, for /proc.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions } from 'node:https';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ejbcaDriver } from '../../src/ca/ejbca/driver.ts';
import type { EjbcaAliasSettings } from '../../src/ca/ejbca/alias-settings.ts';
import type { EnrollmentRequest } from '../../src/ca/ca.ts';
import { defaultOptions, settingsFor } from '../ca/ejbca/setup.ts';
import { newRequest, openRegistry, signal } from '../ca/setup.ts';
import { certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
import { recordLog } from '../support/log.ts';
import { median, paced, percentile, perSecond } from './pace.ts';
import { estGateway, main, post, residentMegabytes, row, start, stop, type Server } from './processes.ts';

const rounds = 7;
const atOnce = 2000;
const slowness = 2000;

/** What the stand-in prints. */
interface Installation {
  readonly url: string;
  readonly trustAnchorFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

async function startStandIn(milliseconds: number): Promise<Server & Installation> {
  const server = await start(join(import.meta.dirname, 'ejbca-server.ts'), String(milliseconds));
  return { ...server, ...(JSON.parse(server.firstLine) as Installation) };
}

const settings: EjbcaAliasSettings = settingsFor({
  nameGeneration: { scheme: 'FIXED', parameters: 'bench', prefix: '', postfix: '' },
});

/** The cheapest client that EJBCA can have: Node's own, over connections that stay open. */
function bareClient({ url, ...files }: Installation): (request: EnrollmentRequest) => Promise<unknown> {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(files.trustAnchorFile),
    cert: readFileSync(files.certificateFile),
    key: readFileSync(files.keyFile),
  });
  return async ({ csr }) => {
    const body = JSON.stringify({
      certificate_request: csr.der.toString('base64'),
      certificate_authority_name: settings.certificateAuthority,
      certificate_profile_name: settings.certificateProfile,
      end_entity_profile_name: settings.endEntityProfile,
      username: 'bench',
      password: 'bench',
    });
    const options: RequestOptions = { agent, headers: { 'Content-Type': 'application/json' } };
    return await post(`${url}/ejbca-rest-api/v1/certificate/pkcs10enroll`, options, body);
  };
}

async function measureCalls(): Promise<void> {
  const standIn = await startStandIn(0);
  const { close, ...registries } = await openRegistry();
  const services = { name: 'ejbca', ...registries, pendingExpiry: 60, log: recordLog() };
  const { url: baseUrl, trustAnchorFile: trustAnchor, certificateFile: certificate, keyFile } = standIn;
  const clientCertificate = { certificate, privateKey: `file:${keyFile}` };
  const backend = await ejbcaDriver.open(
    defaultOptions({ baseUrl, trustAnchor, clientCertificate }),
    services,
  );
  const { ca } = await backend.forAlias(settings, signal);
  const bare = bareClient(standIn);
  const ways = {
    bare: async () => await bare(newRequest()),
    gateway: async () => await ca.enroll(newRequest(), signal),
  };
  await paced(ways.bare);
  await paced(ways.gateway);
  const times: Record<keyof typeof ways, (readonly number[])[]> = { bare: [], gateway: [] };
  for (let n = 0; n < rounds; n += 1) {
    times.bare.push(await paced(ways.bare));
    times.gateway.push(await paced(ways.gateway));
  }
  for (const [percent, most] of [
    [50, 3],
    [99, 10],
  ] as const) {
    const typical = (each: readonly (readonly number[])[]): number =>
      median(each.map((one) => percentile(one, percent)));
    const [own, all] = [typical(times.bare), typical(times.gateway)];
    row(`EJBCA, ${perSecond} requests a second: its own time, p${percent}`, `${own.toFixed(1)} ms`, '');
    row(`  what the backend adds, p${percent}`, `${(all - own).toFixed(1)} ms`, `at most ${most} ms`);
  }
  await backend.close?.();
  await close();
  await stop(standIn);
}

function configuration(
  { url, trustAnchorFile, certificateFile, keyFile }: Installation,
  port: number,
): string {
  return JSON.stringify({
    listeners: {
      est: { port, certificate: 'tls/server.pem', privateKey: 'file:tls/server.key' },
    },
    store: { driver: 'sqlite', file: 'est-gateway.sqlite' },
    backends: {
      ejbca: {
        driver: 'ejbca',
        baseUrl: url,
        trustAnchor: trustAnchorFile,
        clientCertificate: { certificate: certificateFile, privateKey: `file:${keyFile}` },
        limits: { concurrency: 500 },
      },
    },
    // Connections wait for the last one.
    limits: { headersTimeout: 30 },
    aliases: {
      est: {
        backend: 'ejbca',
        ejbca: {
          certificateAuthority: 'Device CA',
          certificateProfile: 'Device',
          endEntityProfile: 'Device',
          requireClientCertificate: false,
          requireUsernameAndPassword: true,
        },
      },
    },
  });
}

async function measureCrowd(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));
  const port = 18_445;
  try {
    const standIn = await startStandIn(slowness);
    estGateway('init', '--directory', directory, '--hostname', 'localhost', '--port', String(port));
    const file = join(directory, 'est-gateway.yaml');
    writeFileSync(file, configuration(standIn, port));
    const code = estGateway('user', 'add', 'bench', '--alias', 'est', '--config', file);
    const gateway = await start(main, 'serve', '--config', file);
    const options = {
      ca: readFileSync(join(directory, 'trust-anchor.pem')),
      auth: `bench:${code}`,
      headers: { 'Content-Type': 'application/pkcs10' },
    };
    const bodies = await Promise.all(Array.from({ length: atOnce }, async (_, n) => await newBody(n)));
    const url = `https://localhost:${port}/.well-known/est/simpleenroll`;
    // The code of a user is slow to check when it comes for the first time, and only then.
    await post(url, options, await newBody(atOnce));
    const sockets = await openConnections(port, options.ca);
    const startedAt = performance.now();
    const results = await Promise.allSettled(
      bodies.map(
        async (body, n) => await post(url, { ...options, createConnection: () => sockets[n] }, body),
      ),
    );
    const took = (performance.now() - startedAt) / 1000;
    const failed = results.filter(({ status }) => status === 'rejected');
    row(
      `${atOnce} requests at once while EJBCA takes ${slowness / 1000} s: failed`,
      String(failed.length),
      'none',
    );
    row('  all answered after', `${took.toFixed(1)} s`, '');
    row('  most resident memory', `${residentMegabytes(gateway, 'VmHWM').toFixed(0)} MB`, 'under 500 MB');
    await stop(gateway);
    await stop(standIn);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Opened before, a few at a time, since a crowd of handshakes is another measurement. */
async function openConnections(port: number, ca: Buffer): Promise<readonly TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  while (sockets.length < atOnce) {
    const some = Array.from({ length: 20 }, async () => {
      const socket = connect({ port, host: 'localhost', servername: 'localhost', ca });
      await once(socket, 'secureConnect');
      return socket;
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

async function newBody(n: number): Promise<string> {
  const key = await generateKeyPair('P-256');
  const csr = await certificationRequest({ key, subject: name([id.commonName, utf8String(`crowd-${n}`)]) });
  return csr.toString('base64');
}

process.stdout.write('\n');
await measureCalls();
await measureCrowd();

/**
 * Measures the built gateway and prints a table: enrolments per CPU-second over new mTLS connections beside a bare https
 * server in the same run, and how far that server falls when it does what no enrolment can do without; the time from
 * start to the first answer, and resident memory. Needs Linux, for /proc.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolClient, newBody } from './enrolment.ts';
import { median } from './pace.ts';
import {
  cpuSeconds,
  estGateway,
  main,
  post,
  residentMegabytes,
  row,
  start,
  stop,
  type Server,
} from './processes.ts';

const port = 18_443;
const atOnce = 16;

/** Enrolments of a round, and rounds: short ones, since the speed of a machine changes within minutes. */
const round = 500;
const warmUp = 4;
const rounds = 12;

const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));
const data = join(directory, 'data');
const url = `https://localhost:${port}/.well-known/est`;

/** Sends every body, some at once. */
async function postAll(target: string, options: RequestOptions, bodies: readonly string[]): Promise<void> {
  const left = bodies.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const body of left) await post(target, options, body);
    }),
  );
}

async function newRequests(count: number): Promise<readonly string[]> {
  const bodies: string[] = [];
  for (let n = 0; n < count; n += 1) bodies.push(await newBody());
  return bodies;
}

/** A server, and where it takes enrolments. */
interface Measured {
  readonly server: Server;
  readonly target: string;
}

/** CPU seconds of the server for each request. */
async function measure({ server, target }: Measured, options: RequestOptions, bodies: readonly string[]) {
  const before = cpuSeconds(server);
  await postAll(target, options, bodies);
  return (cpuSeconds(server) - before) / bodies.length;
}

/** The gateway, the bare server, and that one with more to do. */
type Name = 'gateway' | 'bare' | 'signing' | 'recording';

async function measureRound(
  { bare, gateway, signing, recording }: Readonly<Record<Name, Measured>>,
  options: RequestOptions,
): Promise<Readonly<Record<Name, number>>> {
  const bodies = await newRequests(round);
  return {
    bare: await measure(bare, options, bodies),
    gateway: await measure(gateway, options, bodies),
    signing: await measure(signing, options, bodies),
    recording: await measure(recording, options, bodies),
  };
}

async function run(): Promise<void> {
  estGateway('init', '--directory', data, '--hostname', 'localhost', '--port', String(port));
  const ca = readFileSync(join(data, 'trust-anchor.pem'), 'utf8');
  const startedAt = performance.now();
  const gateway = await start(main, 'serve', '--config', join(data, 'est-gateway.yaml'));
  await new Promise<void>((resolve, reject) => {
    request(`${url}/cacerts`, { ca, agent: false }, (incoming) => {
      incoming.resume();
      incoming.on('end', resolve);
    })
      .on('error', reject)
      .end();
  });
  const startMilliseconds = performance.now() - startedAt;
  const idle = residentMegabytes(gateway);

  // With the issuing CA, or the bare server would verify no client certificate.
  const cas = join(directory, 'cas.pem');
  writeFileSync(cas, ca + readFileSync(join(data, 'ca/issuing.pem'), 'utf8'));
  const tls = ['tls/server.pem', 'tls/server.key'].map((file) => join(data, file));
  const startBare = async (...mode: readonly string[]): Promise<Measured> => {
    const server = await start(join(import.meta.dirname, 'bare-server.ts'), ...tls, cas, ...mode);
    return { server, target: server.firstLine };
  };
  const bare = await startBare();
  const signing = await startBare('signatures');
  const recording = await startBare('records', join(directory, 'records.sqlite'));
  const options = await enrolClient(data, url);
  const enrol = `${url}/simpleenroll`;
  const servers = { bare, gateway: { server: gateway, target: enrol }, signing, recording };
  for (let n = 0; n < warmUp; n += 1) await measureRound(servers, options);
  const costs: Readonly<Record<Name, number>>[] = [];
  for (let n = 0; n < rounds; n += 1) costs.push(await measureRound(servers, options));
  const throughput = (name: Name) => (1 / median(costs.map((cost) => cost[name]))).toFixed(0);
  const ratio = (name: Name) => median(costs.map((cost) => cost.bare / cost[name])).toFixed(2);
  const share = median(costs.map(({ recording, gateway }) => recording / gateway));

  process.stdout.write('\n');
  row('enrolments per CPU-second, new mTLS connection each', throughput('gateway'), '');
  row('1 kB answers of a bare https server per CPU-second', throughput('bare'), '');
  row('ratio', ratio('gateway'), '');
  row('  of that server when it verifies a CSR and signs', ratio('signing'), 'a bound');
  row('  when it does so behind express, records it and logs it', ratio('recording'), 'a bound');
  row('the ratio beside the last bound', share.toFixed(2), 'at least 0.88');
  row('start to first answer', `${startMilliseconds.toFixed(0)} ms`, 'under 1500 ms');
  row('resident memory, idle', `${idle.toFixed(0)} MB`, 'under 150 MB');

  for (const { server } of Object.values(servers)) await stop(server);
}

try {
  await run();
} finally {
  rmSync(directory, { recursive: true });
}

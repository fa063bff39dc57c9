/**
 * Measures the built gateway and prints a table: enrolments per CPU-second over new mTLS connections beside a bare https
 * server in the same run, and how far that server falls when it does what no enrolment can do without; the time from
 * start to the first answer, and resident memory. Needs Linux, for /proc. `node spec/bench/bench.ts [enrolments]`;
 * 20,000 enrolments by default.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
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
const enrolments = Number(process.argv[2] ?? 20_000);

/** Enrolments of a round, and rounds: short ones, since the speed of a machine changes within minutes. */
const round = 500;
const warmUp = 4;
const rounds = 12;
/** Enrolments between two looks at the memory. */
const memoryStep = 2000;

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

/** What a client may always ask for: its own name. */
const subject = name([id.commonName, utf8String('bench')]);

async function newRequests(count: number): Promise<readonly string[]> {
  const bodies: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const key = await generateKeyPair('P-256');
    bodies.push((await certificationRequest({ key, subject })).toString('base64'));
  }
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

/** A client certificate of the gateway's own CA, as PEM files. */
async function enrolClient(ca: string): Promise<RequestOptions> {
  const code = estGateway(
    'user',
    'add',
    'bench',
    '--alias',
    'est',
    '--config',
    join(data, 'est-gateway.yaml'),
  );
  const key = await generateKeyPair('P-256');
  const csr = await certificationRequest({ key, subject });
  const headers = { 'Content-Type': 'application/pkcs10', Accept: '*/*' };
  const reply = await post(
    `${url}/simpleenroll`,
    { ca, headers, auth: `bench:${code}` },
    csr.toString('base64'),
  );
  const file = join(directory, 'reply.p7');
  writeFileSync(file, Buffer.from(reply, 'base64'));
  const cert = execFileSync('openssl', ['pkcs7', '-inform', 'DER', '-in', file, '-print_certs']).toString();
  return { ca, cert, key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), headers };
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
  const options = await enrolClient(ca);
  const enrol = `${url}/simpleenroll`;
  const servers = { bare, gateway: { server: gateway, target: enrol }, signing, recording };
  for (let n = 0; n < warmUp; n += 1) await measureRound(servers, options);
  const costs: Readonly<Record<Name, number>>[] = [];
  for (let n = 0; n < rounds; n += 1) costs.push(await measureRound(servers, options));
  const throughput = (name: Name) => (1 / median(costs.map((cost) => cost[name]))).toFixed(0);
  const ratio = (name: Name) => median(costs.map((cost) => cost.bare / cost[name])).toFixed(2);

  const memory: number[] = [];
  for (let done = (warmUp + rounds) * round; done < enrolments; done += memoryStep) {
    await postAll(enrol, options, await newRequests(memoryStep));
    memory.push(residentMegabytes(gateway));
  }

  process.stdout.write('\n');
  row('enrolments per CPU-second, new mTLS connection each', throughput('gateway'), '');
  row('1 kB answers of a bare https server per CPU-second', throughput('bare'), '');
  row('ratio', ratio('gateway'), 'at least 0.75');
  row('  of that server when it verifies a CSR and signs', ratio('signing'), 'a bound');
  row('  when it does so behind express, records it and logs it', ratio('recording'), 'a bound');
  row('start to first answer', `${startMilliseconds.toFixed(0)} ms`, 'under 1500 ms');
  row('resident memory, idle', `${idle.toFixed(0)} MB`, 'under 150 MB');
  row(
    `resident memory, after ${enrolments} enrolments`,
    `${(memory.at(-1) ?? 0).toFixed(0)} MB`,
    'under 250 MB',
  );
  row('  on the way there', memory.map((megabytes) => megabytes.toFixed(0)).join(' '), 'flat');

  for (const { server } of Object.values(servers)) await stop(server);
}

try {
  await run();
} finally {
  rmSync(directory, { recursive: true });
}

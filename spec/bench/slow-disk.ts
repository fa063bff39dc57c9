/**
 * Measures what the disk costs and prints a table: enrolments per second by clients that keep their connections, and how
 * long `cacerts` takes meanwhile, on the disk of this machine and on one that takes 20 ms longer for each fsync. Needs
 * Linux and a C compiler. `node spec/bench/slow-disk.ts [clients]`; 8 by default.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileDisk, type DiskBehaviour } from '../support/disk.ts';
import { enrolClient, newBody } from './enrolment.ts';
import { median, paced, percentile } from './pace.ts';
import { estGateway, main, post, row, startIn, stop } from './processes.ts';

const clients = Number(process.argv[2] ?? 8);
const rounds = 3;
const port = 18_453;
const url = `https://localhost:${port}/.well-known/est`;
const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));
const environment = compileDisk(directory);

async function getCaCertificates(options: RequestOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get(`${url}/cacerts`, options, (incoming) => {
      incoming.resume().on('end', resolve);
    }).on('error', reject);
  });
}

interface Round {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p95: number;
}

/** Enrols with all clients for as long as `cacerts` is asked for. */
async function measure(client: RequestOptions): Promise<Round> {
  const agent = new Agent({ keepAlive: true });
  const options = { ...client, agent };
  let isOver = false;
  let done = 0;
  const enrol = async (): Promise<void> => {
    while (!isOver) {
      await post(`${url}/simpleenroll`, options, await newBody());
      done += 1;
    }
  };
  const startedAt = performance.now();
  const enrolling = Promise.all(Array.from({ length: clients }, enrol));
  const times = await paced(async () => {
    await getCaCertificates(options);
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const perSecond = done / seconds;
  isOver = true;
  await enrolling;
  agent.destroy();
  return { perSecond, p95: percentile(times, 95) };
}

async function measureDisk(behaviour: DiskBehaviour, data: string): Promise<readonly Round[]> {
  estGateway('init', '--directory', data, '--hostname', 'localhost', '--port', String(port));
  const file = join(data, 'est-gateway.yaml');
  const server = await startIn(environment(behaviour), main, 'serve', '--config', file);
  try {
    const client = await enrolClient(data, url);
    const results: Round[] = [];
    for (let n = 0; n <= rounds; n += 1) results.push(await measure(client));
    // The first one warms up.
    return results.slice(1);
  } finally {
    await stop(server);
  }
}

function print(title: string, results: readonly Round[], wanted: string): void {
  const perSecond = median(results.map((round) => round.perSecond)).toFixed(0);
  const p95 = median(results.map((round) => round.p95)).toFixed(1);
  row(`enrolments per second, ${clients} connections, ${title}`, perSecond, '');
  row('  p95 of cacerts meanwhile', `${p95} ms`, wanted);
}

try {
  const own = await measureDisk({}, join(directory, 'own'));
  const slow = await measureDisk({ DISK_SYNC_MILLISECONDS: '20' }, join(directory, 'slow'));
  process.stdout.write('\n');
  print('this disk', own, '');
  print('fsync 20 ms slower', slow, 'under 8 ms');
} finally {
  rmSync(directory, { recursive: true });
}

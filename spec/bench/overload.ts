/**
 * Measures the built gateway under more load than it can carry, and prints a table: answers a second while new mTLS
 * connections are made as fast as another core can, by 16 to 2,000 clients; 2,000 enrolments at once at a CA that takes 2
 * seconds; and the time of a request while clients of another network make handshakes that are dear. Server and clients have
 * a core each. Needs Linux. `node spec/bench/overload.ts [seconds of each]`; 10 by default.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { dearChain } from '../support/dear-chain.ts';
import { enrolClient, newBody } from './enrolment.ts';
import type { Load, Outcome } from './overload-client.ts';
import { percentile } from './pace.ts';
import { estGateway, main, row, start, stop } from './processes.ts';

const seconds = Number(process.argv[2] ?? 10);
const clients = [16, 64, 512, 2000] as const;
const port = 18_543;
const url = `https://127.0.0.1:${port}/.well-known/est`;
const cores = { server: '0', clients: '1' } as const;

const directory = mkdtempSync(join(tmpdir(), 'est-gateway-overload-'));
const data = join(directory, 'data');
const file = join(data, 'est-gateway.yaml');

async function offer(load: Load): Promise<Outcome> {
  const client = join(import.meta.dirname, 'overload-client.ts');
  const argument = join(directory, `load-${randomUUID()}.json`);
  writeFileSync(argument, JSON.stringify(load));
  const words = ['-c', cores.clients, process.execPath, client, argument];
  const { stdout } = await promisify(execFile)('taskset', words, { maxBuffer: 100_000_000 });
  return JSON.parse(stdout) as Outcome;
}

/** With an alias at a slow CA, and limits for as many connections from one address. */
function configure(): void {
  const written = parse(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>;
  const changed = {
    ...written,
    backends: { ...written['backends'], slow: { driver: 'mock', delay: 2 } },
    aliases: {
      ...written['aliases'],
      slow: { backend: 'slow', profile: 'slow', authentication: 'basic', implicitTrustAnchors: [] },
    },
    limits: { ...written['limits'], connectionsPerAddress: 4000 },
  };
  writeFileSync(file, stringify(changed));
}

const headers = { 'Content-Type': 'application/pkcs10', Accept: '*/*' } as const;

const countOf = ({ statuses }: Outcome): number =>
  Object.values(statuses).reduce((sum, count) => sum + count, 0);

async function overload(options: RequestOptions): Promise<void> {
  const goodputs: number[] = [];
  for (const atOnce of clients) {
    const outcome = await offer({ url: `${url}/cacerts`, options, atOnce, seconds });
    const goodput = (outcome.statuses['200'] ?? 0) / seconds;
    goodputs.push(goodput);
    const closed = (100 * (outcome.statuses['closed'] ?? 0)) / countOf(outcome);
    row(`answers a second, ${atOnce} new mTLS connections at once`, goodput.toFixed(0), '');
    row('  turned away', `${closed.toFixed(1)} %`, '');
    row(
      '  99 % of the answers within',
      `${percentile(outcome.milliseconds, 99).toFixed(0)} ms`,
      'under 5000 ms',
    );
  }
  const share = Math.min(...goodputs) / Math.max(...goodputs);
  row('the least of these beside the best', share.toFixed(2), 'at least 0.80');
}

async function slowCa(ca: string): Promise<void> {
  const code = estGateway('user', 'add', 'slow', '--alias', 'slow', '--uses', '100000', '--config', file);
  const bodies: string[] = [];
  while (bodies.length < 2000) bodies.push(await newBody());
  const options = { ca, headers, auth: `slow:${code}`, method: 'POST' };
  const outcome = await offer({ url: `${url}/slow/simpleenroll`, options, bodies, atOnce: 2000, seconds: 0 });
  const { 200: issued = 0, 503: overloaded = 0, ...others } = outcome.statuses;
  row('2,000 enrolments at once, the CA takes 2 s: 200', String(issued), '');
  row('  503 with Retry-After', String(overloaded - outcome.withoutRetryAfter), '');
  row('  anything else', JSON.stringify(others), '{}');
  row('  the last answer after', `${(percentile(outcome.milliseconds, 100) / 1000).toFixed(1)} s`, '');
}

async function dearHandshakes(ca: string): Promise<void> {
  const target = `${url}/cacerts`;
  const elsewhere: Load = { url: target, options: { ca }, atOnce: 1, seconds, network: '127.77.1' };
  const alone = await offer(elsewhere);
  const chain = await dearChain(22);
  const dear = offer({
    url: target,
    options: { ca, ...chain },
    atOnce: 10,
    seconds: seconds + 3,
    network: '127.9.9',
  });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const beside = await offer(elsewhere);
  await dear;
  const median = ({ milliseconds }: Outcome): string => `${percentile(milliseconds, 50).toFixed(1)} ms`;
  row('a request over a new connection', median(alone), '');
  row('  while ten clients of a network make dear handshakes', median(beside), 'under 50 ms');
}

async function run(): Promise<void> {
  estGateway('init', '--directory', data, '--hostname', '127.0.0.1', '--port', String(port));
  configure();
  const gateway = await start(main, 'serve', '--config', file);
  execFileSync('taskset', ['-acp', cores.server, String(gateway.pid)]);
  try {
    const ca = readFileSync(join(data, 'trust-anchor.pem'), 'utf8');
    process.stdout.write('\n');
    await overload(await enrolClient(data, url));
    await slowCa(ca);
    await dearHandshakes(ca);
  } finally {
    await stop(gateway);
  }
}

try {
  await run();
} finally {
  rmSync(directory, { recursive: true });
}

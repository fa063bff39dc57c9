/**
 * Makes new connections to the gateway, some at once, and prints as JSON what came of them. Its argument is the path of a
 * `Load` as JSON.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';

/** What is asked for. */
export interface Load {
  readonly url: string;
  readonly options: RequestOptions;
  /** Of POSTs, one for each client; left out: GET. */
  readonly bodies?: readonly string[];
  readonly atOnce: number;
  /** For which connections are made anew when they have ended; 0: each once. */
  readonly seconds: number;
  /** Of a network /24 from which connections come; the host changes. Left out: as the system has it. */
  readonly network?: string;
}

/** What came of it. */
export interface Outcome {
  /** How often there was an answer with this status; `closed`: none. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers of 503 without Retry-After. */
  readonly withoutRetryAfter: number;
  /** Of each answer, from the beginning of its connection. */
  readonly milliseconds: readonly number[];
}

const load = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Load;
const statuses: Record<string, number> = {};
const milliseconds: number[] = [];
let withoutRetryAfter = 0;

async function exchange(host: number): Promise<string> {
  const { url, options, bodies, network } = load;
  const local = network === undefined ? {} : { localAddress: `${network}.${1 + (host % 250)}` };
  const outgoing = request(url, { agent: false, ...options, ...local });
  outgoing.end(bodies?.[host]);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  await once(incoming.resume(), 'end');
  const { statusCode, headers } = incoming;
  if (statusCode === 503 && headers['retry-after'] === undefined) withoutRetryAfter += 1;
  return String(statusCode);
}

const end = performance.now() + load.seconds * 1000;
await Promise.all(
  Array.from({ length: load.atOnce }, async (_, host) => {
    do {
      const begin = performance.now();
      const status = await exchange(host).catch(() => 'closed');
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status !== 'closed') milliseconds.push(performance.now() - begin);
    } while (performance.now() < end);
  }),
);
const outcome: Outcome = { statuses, withoutRetryAfter, milliseconds };
process.stdout.write(JSON.stringify(outcome));

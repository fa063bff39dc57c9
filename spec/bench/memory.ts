/**
 * Measures resident memory of the built gateway over many enrolments on connections that are kept open, and prints a table:
 * whether it still grows at the end, and how long the enrolments take. Needs Linux. `node spec/bench/memory.ts
 * [enrolments]`; 50,000 for each number of connections by default.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolClient, newBody } from './enrolment.ts';
import { median } from './pace.ts';
import { estGateway, main, post, residentMegabytes, row, start, stop, type Server } from './processes.ts';

const enrolments = Number(process.argv[2] ?? 50_000);
const port = 18_463;
const url = `https://localhost:${port}/.well-known/est`;

/** Looks at the memory in each fifth of the enrolments. */
const looks = 10;
const fifths = 5;

/** Gives megabytes, in the order of the enrolments. */
async function enrolAll(server: Server, client: RequestOptions, connections: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const step = Math.ceil(enrolments / (looks * fifths));
  const megabytes: number[] = [];
  for (let done = 0; done < enrolments; done += step) {
    let left = step;
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (left > 0) {
          left -= 1;
          await post(`${url}/simpleenroll`, { ...client, agent }, await newBody());
        }
      }),
    );
    megabytes.push(residentMegabytes(server));
  }
  agent.destroy();
  return megabytes;
}

async function measure(connections: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));
  try {
    estGateway('init', '--directory', directory, '--hostname', 'localhost', '--port', String(port));
    const server = await start(main, 'serve', '--config', join(directory, 'est-gateway.yaml'));
    const startedAt = performance.now();
    const megabytes = await enrolAll(server, await enrolClient(directory, url), connections);
    const seconds = (performance.now() - startedAt) / 1000;
    await stop(server);
    const second = median(megabytes.slice(looks, 2 * looks));
    const last = median(megabytes.slice(-looks));
    row(`resident memory, ${enrolments} enrolments over ${connections} connections`, '', '');
    row('  in the second fifth of them', `${second.toFixed(0)} MB`, '');
    row('  in the last one', `${last.toFixed(0)} MB`, '');
    row('  the last beside the second', (last / second).toFixed(2), 'at most 1.10');
    row('  enrolments per second', (enrolments / seconds).toFixed(0), '');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const connections of [8, 64]) await measure(connections);

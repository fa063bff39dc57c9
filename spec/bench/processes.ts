import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The built gateway. */
export const main = join(import.meta.dirname, '../../dist/main.js');

/** A server in a process of its own. */
export interface Server {
  readonly process: ChildProcess;
  readonly pid: number;
  /** The first line that it printed. */
  readonly firstLine: string;
}

/** Starts Node with these words and waits for the first line. */
export async function start(...words: readonly string[]): Promise<Server> {
  return await startIn(process.env, ...words);
}

/** As `start`, in another environment. */
export async function startIn(env: NodeJS.ProcessEnv, ...words: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [firstLine] = (await once(lines, 'line')) as [string];
  child.stdout.resume();
  return { process: child, pid: child.pid ?? 0, firstLine };
}

/** Ends a server and waits for its end. */
export async function stop({ process: child }: Server): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** User and system time of a process so far, in seconds; the kernel counts in hundredths. */
export function cpuSeconds({ pid }: Server): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process now (`VmRSS`), or the most that it ever had (`VmHWM`). */
export function residentMegabytes({ pid }: Server, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

/** One request, over a new connection unless the options say otherwise; rejects unless it is answered with 2xx. */
export async function post(target: string, options: RequestOptions, body: string): Promise<string> {
  const outgoing = request(target, { agent: false, method: 'POST', ...options });
  outgoing.setHeader('Content-Length', body.length);
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const { statusCode = 0 } = incoming;
  if (statusCode < 200 || statusCode > 299) throw new Error(`${target} answered ${statusCode}: ${text}`);
  return text;
}

/** Runs a command of the gateway; gives what it printed. */
export function estGateway(...words: readonly string[]): string {
  return execFileSync(process.execPath, [main, ...words], { encoding: 'utf8' }).trim();
}

/** A line of the table. */
export function row(what: string, value: string, wanted: string): void {
  process.stdout.write(`${what.padEnd(58)}${value.padStart(14)}   ${wanted}\n`);
}

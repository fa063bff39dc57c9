import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a command did. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs, in a folder of its own choice. */
export interface RunningCommand {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves with all of stdout once it holds the text; rejects when the command ends before. */
  stdoutWith(text: string): Promise<string>;
}

interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** Instead of `node src/main.ts`. */
  readonly program?: readonly [string, ...string[]];
}

const source: readonly [string, ...string[]] = [
  process.execPath,
  join(import.meta.dirname, '../../src/main.ts'),
];

/** With what was compiled by an earlier process, a command starts in half the time. */
const compileCache = join(import.meta.dirname, '../../node_modules/.cache/compile');

/** Starts est-gateway as a process. */
export function start(words: readonly string[], options: RunOptions = {}): RunningCommand {
  const [file, ...before] = options.program ?? source;
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache };
  const child = spawn(file, [...before, ...words], { cwd: options.cwd ?? tmpdir(), env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined).end(options.input);
  const outcome = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  return {
    process: child,
    outcome,
    stdoutWith: async (text) =>
      await new Promise((resolve, reject) => {
        const look = (): void => {
          if (stdout.includes(text)) resolve(stdout);
        };
        child.stdout.on('data', look);
        look();
        void outcome.then(() => {
          reject(new Error(`It ended without "${text}": ${stdout}${stderr}`));
        });
      }),
  };
}

/** Runs est-gateway to its end. */
export async function run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return await start(words, options).outcome;
}

/** What a command that succeeds prints on stdout; anything on stderr fails. */
export async function output(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(words, options);
  if (code !== 0 || stderr !== '') throw new Error(`${words.join(' ')}: exit ${String(code)}: ${stderr}`);
  return stdout;
}

/** An empty folder, and how to remove it. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'est-gateway-cli-'));
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true });
    },
  };
}

/** A port that is free, as the next one is. */
export async function freePorts(): Promise<number> {
  const first = await listen(0);
  const address = first.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const second = await listen(port + 1).catch(() => undefined);
  await Promise.all([first, second].map(closed));
  return second === undefined ? await freePorts() : port;
}

/** A server that takes the port on every address. */
export async function listen(port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, '::');
  await once(server, 'listening');
  return server;
}

/** Frees the port. */
export async function closed(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  server.close();
  await once(server, 'close');
}

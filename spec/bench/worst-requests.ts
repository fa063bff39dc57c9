/**
 * Sends the built gateway the requests of a legal size that ask for most, and prints for each the longest piece of work
 * that kept its event loop from everything else. Each is sent several times, and the shortest of the longest pieces
 * counts: what every one of them had, without the collector of garbage and what else the machine did. TLS handshakes
 * are left out. `node spec/bench/worst-requests.ts [words of a request]`
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse, stringify } from 'yaml';
import { certificationRequest, generateKeyPair } from '../support/csr.ts';
import { worstRequest, worstRequests } from '../support/worst-csrs.ts';
import { estGateway, main, row } from './processes.ts';

const port = 18_453;
const times = 25;
const wanted = 5;

const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));
const file = join(directory, 'est-gateway.yaml');
const url = `https://localhost:${port}/.well-known/est/simpleenroll`;

/** A gateway that grants every name, so that no check is left out. */
function configure(): void {
  estGateway('init', '--directory', directory, '--hostname', 'localhost', '--port', String(port));
  const written = parse(readFileSync(file, 'utf8')) as { readonly aliases: { readonly est: object } };
  const policy = {
    names: 'any',
    subject: ['commonName', 'organizationName', 'serialNumber'],
    subjectAltName: [
      'dNSName',
      'iPAddress',
      'uniformResourceIdentifier',
      'rfc822Name',
      'registeredID',
      'directoryName',
    ],
    keys: ['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
    rules: ['subjectAltName.dNSName? in *.*.*.example | *.example | h${identity.username}'],
  };
  const est = { ...written.aliases.est, authentication: 'basic', policy };
  writeFileSync(file, stringify({ ...written, aliases: { est } }));
}

/** The gateway, with the probe in it. */
async function startWithProbe(): Promise<ChildProcess> {
  const probe = join(import.meta.dirname, 'stall-probe.ts');
  const child = spawn(process.execPath, ['--import', probe, main, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  if (child.stdout === null) throw new Error('The gateway has no output.');
  await once(createInterface({ input: child.stdout }), 'line');
  child.stdout.resume();
  return child;
}

/** Gives the status. */
async function send(options: RequestOptions, body: Buffer): Promise<number> {
  const outgoing = request(url, { method: 'POST', ...options });
  outgoing.setHeader('Content-Length', body.length);
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.resume();
  await once(incoming, 'end');
  return incoming.statusCode ?? 0;
}

/** The longest piece of work while the request is handled, milliseconds, and the status of the answer. */
async function stallBy(gateway: ChildProcess, options: RequestOptions, body: Buffer) {
  gateway.send('begin');
  const status = await send(options, body);
  const answered = once(gateway, 'message') as Promise<[number]>;
  gateway.send('end');
  const [longest] = await answered;
  return { longest, status };
}

async function measure(gateway: ChildProcess, code: string): Promise<void> {
  const options: RequestOptions = {
    agent: new Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: readFileSync(join(directory, 'trust-anchor.pem')),
    }),
    auth: `bench:${code}`,
    headers: { 'Content-Type': 'application/pkcs10' },
  };
  const plain = async (): Promise<Buffer> =>
    await certificationRequest({ key: await generateKeyPair('P-256') });
  const all: readonly (readonly [string, () => Promise<Buffer>])[] = [
    ['an ordinary CSR', plain],
    ...Object.keys(worstRequests).map((what) => [what, async () => await worstRequest(what)] as const),
  ];
  const [, , ...words] = process.argv;
  for (const [what, make] of all.filter(([name]) => name.includes(words.join(' ')))) {
    const found = [];
    for (let n = 0; n < times; n += 1) found.push(await stallBy(gateway, options, await make()));
    const statuses = [...new Set(found.map(({ status }) => status))].join();
    const shortest = Math.min(...found.map(({ longest }) => longest));
    row(`${what}: ${statuses}`, `${shortest.toFixed(1)} ms`, `wanted: at most ${wanted}`);
  }
}

process.stdout.write('\nThe longest piece of work of requests that ask for most\n');
try {
  configure();
  const code = estGateway('user', 'add', 'bench', '--alias', 'est', '--config', file);
  const gateway = await startWithProbe();
  try {
    await measure(gateway, code);
  } finally {
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  }
} finally {
  rmSync(directory, { recursive: true });
}

/**
 * Measures what a relay adds to the time of an enrolment, at 100 requests a second over connections that stay open: the
 * same enrolments at a gateway with the local CA, and through a second gateway in front of it, in both modes.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { certificationRequest, generateKeyPair, id, name, utf8String, type KeyPair } from '../support/csr.ts';
import { privatePem } from '../support/device.ts';
import { callsInRound, median, paced, percentile, perSecond } from './pace.ts';
import { estGateway, main, post, row, start, stop, type Server } from './processes.ts';

const rounds = 5;
const directory = mkdtempSync(join(tmpdir(), 'est-gateway-bench-'));

/** A folder as `init` makes it, with changes to its configuration. Gives the configuration file. */
function init(folder: string, port: number, change: (file: Configuration) => object): string {
  const at = join(directory, folder);
  estGateway('init', '--directory', at, '--hostname', 'localhost', '--port', String(port));
  const file = join(at, 'est-gateway.yaml');
  const written = parse(readFileSync(file, 'utf8')) as Configuration;
  writeFileSync(file, stringify({ ...written, ...change(written) }));
  return file;
}

interface Configuration {
  readonly aliases: { readonly est: object };
  readonly backends: object;
}

async function newCsr(commonName: string): Promise<{ readonly der: Buffer; readonly key: KeyPair }> {
  const key = await generateKeyPair('P-256');
  const subject = name([id.commonName, utf8String(commonName)]);
  return { der: await certificationRequest({ key, subject }), key };
}

async function newBodies(): Promise<string[]> {
  const csrs = Array.from({ length: callsInRound }, async (_, n) => await newCsr(`device-${n}`));
  return (await Promise.all(csrs)).map(({ der }) => der.toString('base64'));
}

/** Makes the registration authority by which the relay is known at the upstream. */
async function writeRegistrationAuthority(upstream: string): Promise<void> {
  const { der, key } = await newCsr('relay');
  const csr = join(directory, 'ra.csr');
  writeFileSync(csr, der);
  const role = ['--role', 'registration-authority', '--csr', csr] as const;
  writeFileSync(join(directory, 'ra.pem'), estGateway('ca', 'issue', ...role, '--config', upstream));
  writeFileSync(join(directory, 'ra.key'), privatePem(key.privateKey), { mode: 0o600 });
}

const ports = { upstream: 18_447, request: 18_449, relay: 18_451 };
type Way = keyof typeof ports;

/** Configurations of a gateway with the local CA, and of two relays in front of it. */
async function writeConfigurations(): Promise<Readonly<Record<Way, string>>> {
  const registrationAuthorities = { relay: { commonName: 'relay', names: { commonName: ['*'] } } };
  const upstream = init('upstream', ports.upstream, ({ aliases: { est } }) => ({
    aliases: { est: { ...est, registrationAuthorities } },
  }));
  await writeRegistrationAuthority(upstream);
  const backend = {
    driver: 'est',
    url: `https://localhost:${ports.upstream}/.well-known/est`,
    trustAnchor: join(directory, 'upstream/trust-anchor.pem'),
    clientCertificate: {
      certificate: join(directory, 'ra.pem'),
      privateKey: `file:${join(directory, 'ra.key')}`,
    },
  };
  const inFront = (way: Way, relay: readonly string[]): string =>
    init(way, ports[way], () => ({
      backends: { upstream: { ...backend, relay } },
      aliases: { est: { backend: 'upstream', authentication: 'basic' } },
    }));
  return { upstream, request: inFront('request', []), relay: inFront('relay', ['simpleenroll']) };
}

/** A gateway that runs, and one round of enrolments at it: milliseconds of each. */
async function startWay(
  way: Way,
  file: string,
): Promise<{ readonly server: Server; readonly round: () => Promise<readonly number[]> }> {
  const code = estGateway('user', 'add', 'bench', '--alias', 'est', '--config', file);
  const server = await start(main, 'serve', '--config', file);
  const options: RequestOptions = {
    agent: new Agent({ keepAlive: true, ca: readFileSync(join(directory, way, 'trust-anchor.pem')) }),
    auth: `bench:${code}`,
    headers: { 'Content-Type': 'application/pkcs10' },
  };
  const url = `https://localhost:${ports[way]}/.well-known/est/simpleenroll`;
  return {
    server,
    round: async () => {
      const bodies = await newBodies();
      return await paced(async () => await post(url, options, bodies.pop() ?? ''));
    },
  };
}

async function measure(): Promise<void> {
  const files = await writeConfigurations();
  const upstream = await startWay('upstream', files.upstream);
  const request = await startWay('request', files.request);
  const relay = await startWay('relay', files.relay);
  const ways = { upstream, request, relay };
  const times: Record<Way, (readonly number[])[]> = { upstream: [], request: [], relay: [] };
  for (let n = 0; n <= rounds; n += 1) {
    for (const way of ['upstream', 'request', 'relay'] as const) times[way][n] = await ways[way].round();
  }
  for (const percent of [50, 99]) {
    // The first round warms up.
    const typical = (way: Way): number => median(times[way].slice(1).map((one) => percentile(one, percent)));
    const own = typical('upstream');
    row(`Enrolment at an EST server, ${perSecond} a second, p${percent}`, `${own.toFixed(1)} ms`, '');
    for (const way of ['request', 'relay'] as const) {
      const added = typical(way) - own;
      row(`  what a gateway in front adds (${way} mode), p${percent}`, `${added.toFixed(1)} ms`, '');
    }
  }
  await Promise.all(
    Object.values(ways).map(async ({ server }) => {
      await stop(server);
    }),
  );
}

process.stdout.write('\n');
try {
  await measure();
} finally {
  rmSync(directory, { recursive: true });
}

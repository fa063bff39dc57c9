import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { init } from '../../src/cli/init.ts';
import { readCertificate } from '../../src/pkix/certificate.ts';
import { readCertsOnly } from '../../src/pkix/certs-only-read.ts';
import { send, type Answer } from '../support/client.ts';
import { certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
import { freePorts, output, start, temporaryFolder, type RunningCommand } from './command-line.ts';

const uses = 500;
const crashes = 3;
const clients = 8;

/** A device that asks for one certificate until it has it. */
interface Device {
  readonly body: string;
  /** Of each certificate that it was given. */
  readonly serialNumbers: Set<string>;
}

describe('est-gateway serve, killed in the midst of enrolments', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;
  let port: number;
  let ca: string;
  let code: string;
  let running: RunningCommand | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    file = join(folder.path, 'est-gateway.yaml');
    port = await freePorts();
    await init({ directory: folder.path, hostname: 'localhost', port });
    // What was under way counts as abandoned after this time.
    const written = await readFile(file, 'utf8');
    const limits = 'limits: { requestTimeout: 2, headersTimeout: 2 }';
    await writeFile(file, written.replace(/^limits:\n( .*\n)*/m, `${limits}\n`));
    code = (await output(['user', 'add', 'device', '--uses', String(uses), '--config', file])).trim();
    ca = await readFile(join(folder.path, 'trust-anchor.pem'), 'utf8');
  });
  afterAll(async () => {
    running?.process.kill('SIGKILL');
    await folder.remove();
  });

  async function serve(): Promise<RunningCommand> {
    running = start(['serve', '--config', file]);
    await running.stdoutWith(`EST is served at https://localhost:${port}`);
    return running;
  }

  async function newDevice(): Promise<Device> {
    const key = await generateKeyPair('P-256');
    const subject = name([id.commonName, utf8String('device')]);
    return {
      body: (await certificationRequest({ key, subject })).toString('base64'),
      serialNumbers: new Set(),
    };
  }

  /** Undefined: the gateway is gone. */
  async function ask({ body }: Device): Promise<Answer | undefined> {
    const headers = { 'Content-Type': 'application/pkcs10' };
    const options = { ca, method: 'POST', auth: `device:${code}`, headers, body };
    return await send(`https://localhost:${port}/.well-known/est/simpleenroll`, options).catch(
      () => undefined,
    );
  }

  /** Has devices enrol, one after the other, until the gateway is gone. */
  async function enrolAll(devices: Device[]): Promise<void> {
    for (;;) {
      const device = await newDevice();
      devices.push(device);
      const answer = await ask(device);
      if (answer === undefined) return;
      expect(answer.status).toBe(200);
      take(device, answer);
    }
  }

  function take({ serialNumbers }: Device, { body }: Answer): void {
    const [der = Buffer.alloc(0)] = readCertsOnly(Buffer.from(body, 'base64'));
    serialNumbers.add(readCertificate(der).serialNumber);
  }

  /** Repeats until the gateway no longer says that the request is under way. */
  async function repeat(device: Device): Promise<void> {
    for (;;) {
      const answer = await ask(device);
      if (answer?.status === 200) {
        take(device, answer);
        return;
      }
      expect(answer?.status).toBe(202);
      await setTimeout(100);
    }
  }

  it('E-22 loses and doubles no certificate, and takes one use of the code for each', async () => {
    const devices: Device[] = [];
    for (let crash = 1; crash <= crashes; crash += 1) {
      const gateway = await serve();
      const enrolling = Promise.all(
        Array.from({ length: clients }, async () => {
          await enrolAll(devices);
        }),
      );
      await setTimeout(200 + Math.random() * 300);
      gateway.process.kill('SIGKILL');
      await Promise.all([enrolling, gateway.outcome]);
    }
    const gateway = await serve();
    await Promise.all(devices.map(repeat));
    gateway.process.kill('SIGKILL');
    await gateway.outcome;

    const database = new DatabaseSync(join(folder.path, 'est-gateway.sqlite'));
    const recorded = database.prepare("SELECT serial_number FROM enrollments WHERE state = 'issued'").all();
    const registered = database.prepare('SELECT serial_number FROM certificates').all();
    const left = database.prepare('SELECT remaining_uses FROM users').get();
    database.close();
    const known = devices.flatMap(({ serialNumbers }) => [...serialNumbers]).sort();
    const sorted = (rows: typeof recorded) => rows.map((row) => String(row['serial_number'])).sort();
    expect(devices.length).toBeGreaterThan(clients * crashes);
    expect(known).toHaveLength(devices.length);
    expect(sorted(recorded)).toEqual(known);
    expect(sorted(registered)).toEqual(known);
    expect(left).toEqual({ remaining_uses: uses - devices.length });
  });
});

/** Gateways that share a journal, in front of a modelled EJBCA: everything may be late, lost or killed while it is rough. */
import type { EnrollmentRequest } from '../../../src/ca/ca.ts';
import {
  createEndEntityTurns,
  type EndEntityTurns,
} from '../../../src/ca/ejbca/enrollment/end-entity-turns.ts';
import { enrollByCode } from '../../../src/ca/ejbca/enrollment/enrollment-by-code.ts';
import { enrollApproved } from '../../../src/ca/ejbca/enrollment/approved-enrollment.ts';
import { enrollInOneStep } from '../../../src/ca/ejbca/enrollment/one-step-enrollment.ts';
import type { EnrollmentAnswer } from '../../../src/ca/ejbca/calls.ts';
import type { EnrollmentParts } from '../../../src/ca/ejbca/enrollment/enrollment-parts.ts';
import { enrollRegistered, type Target } from '../../../src/ca/ejbca/enrollment/registered-enrollment.ts';
import { newEndEntity } from '../../../src/ca/ejbca/web-service.ts';
import { EstError, toEstError } from '../../../src/errors.ts';
import { nameFromAttributes } from '../../../src/pkix/names.ts';
import type { Attempt, AttemptRegistry } from '../../../src/store/store.ts';
import { asRefusal, type ModelledEjbca } from './ejbca.ts';
import type { World } from './world.ts';

/** How a device enrols. */
export type Mode = 'ra' | 'client' | 'vendor' | 'approval' | 'one step';

/** A device with one request, which it repeats until it is answered. */
export interface Device {
  readonly name: string;
  readonly mode: Mode;
  readonly username: string;
  /** The code of client mode. */
  readonly code: string;
  /** Of a certificate with the same key that it renews. */
  readonly renewed: string | undefined;
}

/** What a device hears. */
type Answer =
  | { readonly state: 'certificate'; readonly certificate: Buffer }
  | { readonly state: 'refused'; readonly error: EstError }
  | { readonly state: 'later' };

/** A record of the journal. */
interface JournalRecord {
  readonly id: string;
  readonly firstOpenedAt: number;
  openedAt: number;
  state: 'open' | 'pending' | 'failed' | 'issued' | 'refused';
  /** While it is pending: of EJBCA's request for approval, where that is known. */
  approval?: number | undefined;
  certificate?: Buffer;
}

/** What all gateways share. */
export interface Shared {
  readonly world: World;
  readonly ejbca: ModelledEjbca;
  readonly records: Map<string, JournalRecord>;
  readonly attempts: Map<string, Attempt>;
  readonly occupied: Map<string, { record: string; until: number }>;
  /** Sets the clock of whoever goes on. */
  readonly setClock: (time: number) => void;
  isRough: boolean;
}

/** One process. */
export interface ModelledGateway {
  ask(device: Device): Promise<Answer>;
  kill(): void;
}

/** Milliseconds for which a call of EJBCA is waited for, and seconds for all calls of one enrolment. */
const answerTime = 3000;
const deadline = 20;

/** Starts one whose clock differs by `skew` milliseconds. */
export function startGateway(shared: Shared, skew: number): ModelledGateway {
  const { world, ejbca, records } = shared;
  const jobs = new Map<string, Promise<Answer>>();
  let isDead = false;

  /** What is dead does not go on. */
  async function alive<Value>(value: Value): Promise<Value> {
    if (isDead) return await new Promise<never>(() => undefined);
    shared.setClock(world.now() + skew);
    return value;
  }

  async function overNetwork<Value>(job: () => Promise<Value>): Promise<Value> {
    await alive(undefined);
    const isLost = shared.isRough && world.chance.happens(0.06);
    const isAnswerLost = shared.isRough && world.chance.happens(0.12);
    const isLate = shared.isRough && world.chance.happens(0.1);
    const answer = (async () => {
      await world.pause(isLate ? 8 * answerTime : 20);
      if (isLost) throw unavailable();
      const value = await job();
      await world.pause(20);
      if (isAnswerLost) throw unavailable();
      return value;
    })();
    const timeout = world.sleep(answerTime).then(() => {
      throw new EstError('ca_timeout', 'EJBCA did not answer in time.');
    });
    timeout.catch(() => undefined);
    try {
      return await alive(await Promise.race([answer, timeout]));
    } catch (thrown) {
      answer.catch(() => undefined);
      throw await alive(asRefusal(thrown));
    }
  }

  async function inStore<Value>(change: () => Value): Promise<Value> {
    await world.pause(4);
    await alive(undefined);
    const value = change();
    await world.pause(4);
    return await alive(value);
  }

  const attempts = attemptsIn(shared, inStore);
  const turns: EndEntityTurns = createEndEntityTurns({
    attempts,
    backend: 'ejbca',
    deadline,
    sleep: async (milliseconds) => {
      await world.sleep(milliseconds);
      await alive(undefined);
    },
  });
  const parts = {
    dn: 'CN=Device CA',
    calls: {
      certificateStatus: async () => await overNetwork(async () => await Promise.resolve('unknown')),
      findCertificates: async (text: string, since: Date | undefined) =>
        await overNetwork(async () => await ejbca.search(text, since)),
      showsCertificatesOf: async () =>
        await overNetwork(async () => await Promise.resolve(ejbca.database.certificates.length > 0)),
      hidesCertificatesOf: async () => await overNetwork(async () => await Promise.resolve(false)),
      finalize: async (approval: number) => await overNetwork(async () => await ejbca.finalize(approval)),
      pkcs10Enroll: async (call: { csr: Buffer; username: string; password: string }) => ({
        status: 'issued',
        certificate: await overNetwork(
          async () => await ejbca.pkcs10Enroll(call.username, call.password, call.csr.toString()),
        ),
      }),
      certificateRequest: async ({
        csr,
        username,
        code,
      }: {
        csr: Buffer;
        username: string;
        code: string;
      }) => ({
        status: 'issued',
        certificate: await overNetwork(
          async () => await ejbca.certificateRequest(username, code, csr.toString()),
        ),
      }),
    },
    webService: {
      findEndEntity: async (username: string) =>
        await overNetwork(async () => await ejbca.findUser(username)),
      editEndEntity: async (fields: Parameters<ModelledEjbca['editUser']>[0]) => {
        await overNetwork(async () => {
          await ejbca.editUser(fields);
        });
      },
      missingRules: async (rules: readonly string[]) => await Promise.resolve(rules),
      authorizedEndEntityProfiles: async () =>
        await overNetwork(async () => await Promise.resolve([{ id: 1, name: 'Device' }])),
    },
    settings: { certificateAuthority: 'Device CA', ...profiles },
    attempts,
    turns,
    transactionTimeout: 300,
    pendingExpiry: 3600,
    backend: 'ejbca',
    log: { error: silence, warn: silence, info: silence, debug: silence },
    record: 'complete',
  } as unknown as EnrollmentParts & { readonly record: 'complete' };

  async function enroll(
    device: Device,
    record: JournalRecord,
    openedAs: Opened['state'],
  ): Promise<EnrollmentAnswer> {
    const { signal } = new AbortController();
    const request = requestOf(device, record, openedAs === 'again');
    const { username, mode, code } = device;
    const target = targetOf(device);
    switch (mode) {
      case 'client':
        return await enrollByCode(parts, request, { username, code }, signal);
      case 'one step':
        return await enrollInOneStep(parts, request, { username, ...profiles }, signal);
      case 'ra':
      case 'vendor':
      case 'approval': {
        const held = { target, approval: record.approval };
        if (openedAs === 'pending') return await enrollApproved(parts, request, held, signal);
        return await enrollRegistered(parts, request, target, signal);
      }
    }
  }

  async function run(device: Device, record: JournalRecord, openedAs: Opened['state']): Promise<Answer> {
    const { signal } = new AbortController();
    const { username, mode } = device;
    const turn = { username, record: record.id, keepOnDoubt: mode === 'client', signal };
    try {
      const answer = await turns.run(turn, async () => await enroll(device, record, openedAs));
      if (answer.status === 'waiting') {
        await inStore(() => {
          Object.assign(record, { state: 'pending', approval: answer.requestId });
        });
        return { state: 'later' };
      }
      const { certificate } = answer;
      await inStore(() => {
        Object.assign(record, { state: 'issued', certificate });
      });
      return { state: 'certificate', certificate };
    } catch (thrown) {
      const error = toEstError(thrown);
      if (error.code === 'internal') throw thrown;
      await inStore(() => {
        record.state = error.status < 500 ? 'refused' : 'failed';
      });
      return error.status < 500 ? { state: 'refused', error } : { state: 'later' };
    } finally {
      jobs.delete(record.id);
    }
  }

  return {
    async ask(device) {
      const opened = await inStore(() => open(records, device.name, world.now() + skew));
      if (opened.state === 'in_progress') return (await jobs.get(opened.record.id)) ?? { state: 'later' };
      const { record } = opened;
      if (opened.state === 'issued') {
        return { state: 'certificate', certificate: record.certificate ?? Buffer.alloc(0) };
      }
      const job = run(device, record, opened.state);
      jobs.set(record.id, job);
      return await job;
    },
    kill() {
      isDead = true;
    },
  };
}

const profiles = { certificateProfile: 'Device', endEntityProfile: 'Device' };

const silence = (): void => undefined;

function unavailable(): EstError {
  return new EstError('ca_unavailable', 'EJBCA cannot be reached.');
}

interface Opened {
  readonly state: 'opened' | 'again' | 'pending' | 'issued' | 'in_progress';
  readonly record: JournalRecord;
}

/** As the journal opens records; one is abandoned when its gateway must have given up. */
function open(records: Map<string, JournalRecord>, name: string, now: number): Opened {
  const record = records.get(name);
  if (record === undefined || record.state === 'refused') {
    const id = `${name} ${records.size} ${now}`;
    const opened: JournalRecord = { id, firstOpenedAt: now, openedAt: now, state: 'open' };
    records.set(name, opened);
    return { state: 'opened', record: opened };
  }
  if (record.state === 'issued') return { state: 'issued', record };
  if (record.state === 'open' && record.openedAt >= now - (deadline + 2) * 1000) {
    return { state: 'in_progress', record };
  }
  const isPending = record.state === 'pending';
  Object.assign(record, { state: 'open', openedAt: now });
  return { state: isPending ? 'pending' : 'again', record };
}

function attemptsIn(
  { records, attempts, occupied }: Shared,
  inStore: <Value>(change: () => Value) => Promise<Value>,
): AttemptRegistry {
  return {
    begin: async (record, attempt, startedAt) =>
      await inStore(() => {
        const before = attempts.get(record);
        const next = {
          ...attempt,
          before: before?.before ?? attempt.before,
          number: (before?.number ?? 0) + 1,
          startedAt,
        };
        attempts.set(record, next);
        return next;
      }),
    latest: async (record) => await inStore(() => attempts.get(record)),
    end: async (record) => {
      await inStore(() => attempts.delete(record));
    },
    forget: async () => {
      await Promise.resolve();
    },
    occupy: async ({ username }, record, now, until) =>
      await inStore(() => {
        const holder = occupied.get(username);
        if (holder !== undefined && holder.record !== record && holder.until > now.getTime()) return false;
        occupied.set(username, { record, until: until.getTime() });
        return true;
      }),
    vacate: async ({ username }, record) => {
      await inStore(() => {
        if (occupied.get(username)?.record === record) occupied.delete(username);
      });
    },
    // Every device has a key of its own, so that the journal knows no other certificate of it.
    serialNumbersOf: async () => await inStore(() => (records.size === 0 ? [] : [])),
  };
}

function targetOf({ mode, username }: Device): Target {
  const registered = {
    username,
    caName: 'Device CA',
    certificateProfileName: 'Device',
    endEntityProfileName: 'Device',
    subjectDN: 'CN=device',
    tokenType: 'USERGENERATED',
  };
  if (mode !== 'vendor') {
    return { username, withNames: true, onlyWhenNew: false, toRegister: () => registered };
  }
  return {
    username,
    withNames: false,
    onlyWhenNew: true,
    toRegister(existing) {
      if (existing?.status === newEndEntity) return existing;
      throw new EstError('bad_certification_request', 'It is not NEW.');
    },
  };
}

/** The key of a device is its name. */
function requestOf(
  { name, renewed }: Device,
  { id, firstOpenedAt }: JournalRecord,
  isRepeat: boolean,
): EnrollmentRequest {
  const key = Buffer.from(name);
  return {
    requestId: id,
    idempotencyKey: id,
    attemptedSince: isRepeat ? new Date(firstOpenedAt) : undefined,
    renewed: renewed === undefined ? undefined : { serialNumber: renewed, notBefore: new Date(0) },
    csr: { der: key, publicKey: { spki: key, sha256: name } },
    subject: nameFromAttributes([]),
    subjectAltName: [],
    repeatsSince: new Date(firstOpenedAt - 3_600_000),
    allowedChanges: [],
  } as unknown as EnrollmentRequest;
}

import { argon2, createHmac, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { Party } from '../ops/turns.ts';
import { createCodeGate } from './code-gate.ts';

/** Cost of a new hash: OWASP's recommendation for argon2id, about 20 ms. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 };
const tagLength = 32;

/** One core is left to all else; and of the four threads that Node has for such work, one to names and files. */
export const mostAtOnce = Math.min(Math.max(1, availableParallelism() - 1), 3);

const gate = createCodeGate(mostAtOnce);

/** Hashes a code that somebody chose with argon2id, as a PHC string: guessing it from the store takes long. */
export async function hashCode(code: string): Promise<string> {
  const salt = randomBytes(16);
  return write(salt, await derive(code, { salt, ...cost }));
}

/** Of no code, for users that do not exist: they must cost the same time as those that do. */
export const dummyHash = write(randomBytes(16), randomBytes(tagLength));

/**
 * Whether this is the code of the hash. A success is remembered in memory by the hash itself, so that a fleet
 * that shares a user does not pay for argon2id each time, and a changed or removed user is known at once.
 * For the others the client's networks take turns (`networksOf`). Throws `too_many_requests` as
 * `createCodeGate` says.
 */
export async function verifyCode(
  code: string,
  hash: string,
  signal: AbortSignal,
  networks?: Party,
): Promise<boolean> {
  const proof = createHmac('sha256', proofKey).update(code).digest();
  const known = proofs.get(hash);
  if (known !== undefined && timingSafeEqual(known, proof)) return true;
  const { tag, ...parameters } = parse(hash);
  const derived = await gate.run(signal, async () => await derive(code, parameters), networks);
  const proved = timingSafeEqual(derived, tag);
  if (proved) remember(hash, proof);
  return proved;
}

const proofKey = randomBytes(32);
const proofs = new Map<string, Buffer>();
const mostProofs = 10_000;

function remember(hash: string, proof: Buffer): void {
  const [oldest] = proofs.keys();
  if (proofs.size >= mostProofs && oldest !== undefined) proofs.delete(oldest);
  proofs.set(hash, proof);
}

const deriveKey = promisify<'argon2id', Argon2Parameters, Buffer>(argon2);

interface HashParameters {
  readonly salt: Buffer;
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

async function derive(code: string, { salt, ...parameters }: HashParameters): Promise<Buffer> {
  return await deriveKey('argon2id', { message: Buffer.from(code), nonce: salt, tagLength, ...parameters });
}

function write(salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

const phcString =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{43})$/;

function parse(hash: string): HashParameters & { readonly tag: Buffer } {
  const [, memory, passes, parallelism, salt, tag] = phcString.exec(hash) ?? [];
  if (salt === undefined || tag === undefined)
    throw new Error('The stored hash of a code has an unknown form.');
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

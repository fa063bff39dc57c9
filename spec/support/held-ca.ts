import type {
  CertificationAuthority,
  CertificationAuthorityDriver,
  EnrollmentRequest,
  EnrollmentResult,
} from '../../src/ca/ca.ts';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { newCaTexts } from '../ca/setup.ts';
import { signChanged, signingCa } from './changed-certificate.ts';

/** A call to the CA, which waits until the spec decides what comes of it. */
interface HeldCall {
  readonly request: EnrollmentRequest;
  /** Issues a new certificate, whatever was issued before. */
  issue(): void;
  wait(): void;
  fail(error: Error): void;
}

/** A CA that keeps nothing in mind, and that the spec answers for. */
export interface HeldCa {
  readonly driver: CertificationAuthorityDriver;
  /** How often it was asked. */
  readonly asked: () => number;
  /** The next call, in the order in which they come. */
  next(): Promise<HeldCall>;
  /** Serial numbers, lower-case hex. */
  readonly revoked: readonly string[];
}

/** Its driver is named `held`. */
export async function createHeldCa(): Promise<HeldCa> {
  const texts = await newCaTexts();
  const ca = signingCa(texts);
  const chain = [ca.certificate, ...texts.chain.flatMap(certificatesFromPem)].map(({ der }) => der);
  const calls: HeldCall[] = [];
  const waiting: ((call: HeldCall) => void)[] = [];
  const revoked: string[] = [];
  let asked = 0;

  async function hold(request: EnrollmentRequest): Promise<EnrollmentResult> {
    asked += 1;
    const { promise, resolve, reject } = Promise.withResolvers<'issue' | 'wait'>();
    const call: HeldCall = {
      request,
      issue: () => {
        resolve('issue');
      },
      wait: () => {
        resolve('wait');
      },
      fail: reject,
    };
    const taker = waiting.shift();
    if (taker === undefined) calls.push(call);
    else taker(call);
    if ((await promise) === 'wait') return { status: 'pending', reference: 'r', retryAfter: 1 };
    const { subject, subjectAltName: alternativeNames, csr } = request;
    const approved = { subject, alternativeNames, spki: csr.publicKey.spki };
    return { status: 'issued', certificate: await signChanged(ca, approved, 'none') };
  }

  const authority: CertificationAuthority = {
    caCertificates: async () => await Promise.resolve(chain),
    enroll: hold,
    resume: async (_reference, request) => await hold(request),
    revoke: async ({ serialNumber }) => {
      revoked.push(serialNumber);
      await Promise.resolve();
    },
  };
  return {
    driver: {
      name: 'held',
      optionsSchema: { type: 'object', title: 'Held', description: 'x', additionalProperties: false },
      open: async () => await Promise.resolve(authority),
    },
    asked: () => asked,
    next: async () => {
      const call = calls.shift();
      if (call !== undefined) return call;
      const { promise, resolve } = Promise.withResolvers<HeldCall>();
      waiting.push(resolve);
      return await promise;
    },
    revoked,
  };
}

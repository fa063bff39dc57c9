import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hashCode } from '../../src/auth/code.ts';
import { examination } from '../../src/policy/examination.ts';
import { startChain } from '../relay/chain.ts';
import { send, type Answer } from '../support/client.ts';
import { openSigner, signedByRequestedKey, type TestSigner } from '../support/cmc.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  primeModulus,
  subjectAltName,
  utf8String,
  type CertificationRequestParts,
  type KeyPair,
} from '../support/csr.ts';
import { certificateOf, privatePem, renew, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { watchKeyMaker } from '../support/key-generation.ts';
import { keyPairOf } from '../support/key-holders.ts';
import { sayJson, startWebhook, type TestWebhook } from '../support/webhook.ts';

/** What can be wrong with a request, in the order in which it is looked at, and the rule that says so. */
const faults = [
  ['framing', 'fixed: HTTP framing'],
  ['alias', 'fixed: an alias and its operation'],
  ['credentials', 'authentication'],
  ['form', 'fixed: the form of the request'],
  ['linking', 'fixed: linking to the TLS session'],
  ['otpChallenge', 'fixed: the code in otpChallenge'],
  ['used up', 'fixed: a code that is still good'],
  ['signature', 'fixed: the signature of the CSR'],
  ['policy', 'policy.subjectAltName'],
  ['quota', 'policy.quota'],
  ['key holder', 'fixed: no key of a CA'],
  ['key', 'fixed: no prime as RSA modulus'],
  ['webhook', 'policy.webhook'],
] as const;
type Fault = (typeof faults)[number][0];

const operations = ['simpleenroll', 'serverkeygen', 'fullcmc', 'simplereenroll'] as const;
type Operation = (typeof operations)[number];

/** What an operation does not look at. */
const without: Readonly<Record<Operation, readonly Fault[]>> = {
  simpleenroll: [],
  // The key and the signature of the CSR mean nothing.
  serverkeygen: ['signature', 'key holder', 'key'],
  // No message can be signed with such a key.
  fullcmc: ['key'],
  // The client shows a certificate, and no code but that in the CSR; its name is a good one.
  simplereenroll: ['used up', 'webhook'],
};

const code = 'correct-horse-battery';
const otp = { challengePassword: '1.2.840.113549.1.9.7', otpChallenge: '1.2.840.113549.1.9.16.2.56' };

function faultsOf(operation: Operation, { usesOtp }: Setup): readonly Fault[] {
  return faults
    .map(([fault]) => fault)
    .filter((fault) => !without[operation].includes(fault) && (usesOtp || fault !== 'otpChallenge'));
}

function pairsOf(operation: Operation, setup: Setup): readonly (readonly [Fault, Fault])[] {
  const possible = faultsOf(operation, setup);
  return possible
    .flatMap((one, index) => possible.slice(index + 1).map((other) => [one, other] as const))
    .filter((pair) => !(pair.includes('key') && pair.includes('key holder')));
}

/** A gateway whose requests are examined, and the key of the CA behind it. */
interface Setup {
  readonly gateway: TestGateway;
  readonly caKey: KeyPair;
  readonly operations: readonly Operation[];
  /** An EST server elsewhere would refuse what it does not use. */
  readonly usesOtp: boolean;
  stop(): Promise<void>;
}

let service: TestWebhook;
let signer: TestSigner;
beforeAll(async () => {
  signer = await openSigner();
  service = await startWebhook();
  service.answer(({ json }, response) => {
    const isBad = JSON.stringify(json['subject']).includes('bad');
    sayJson({ decision: isBad ? 'refuse' : 'permit' })({ json } as never, response);
  });
});
afterAll(async () => {
  await service.stop();
  await signer.remove();
});

function optionsOf(alias: object, policy: object = {}) {
  const webhook = {
    url: service.url,
    trustAnchor: 'service.pem',
    token: 'file:token',
    timeouts: { answer: 30 },
  };
  const quota = { certificates: 2, period: 3600 };
  return {
    aliases: {
      examined: {
        serverKeyGeneration: {},
        fullCmc: { signer: signer.files },
        policy: { quota, webhook, ...policy },
        ...alias,
      },
    },
    files: { 'service.pem': service.trustAnchor, token: 'Zm9yIHRoZSBzZXJ2aWNl' },
  };
}

const setups: readonly (readonly [kind: string, open: () => Promise<Setup>])[] = [
  [
    'with a CA of its own',
    async () => {
      const gateway = await startTestGateway(optionsOf({}, { otpChallenge: 'required' }));
      const caKey = keyPairOf(gateway, gateway.issuingKey);
      return {
        gateway,
        caKey,
        operations,
        usesOtp: true,
        stop: async () => {
          await gateway.stop();
        },
      };
    },
  ],
  [
    'that relays the answers of its CA',
    async () => {
      const chain = await startChain({
        backend: { relay: ['simpleenroll', 'simplereenroll'] },
        relay: optionsOf({ backend: 'upstream' }),
      });
      const caKey = keyPairOf(chain.upstream, chain.upstream.issuingKey);
      return {
        gateway: chain.relay,
        caKey,
        operations: ['simpleenroll', 'simplereenroll'],
        usesOtp: false,
        stop: async () => {
          await chain.stop();
        },
      };
    },
  ],
];

describe('the examination', () => {
  it('is a list in which no step needs what is found later', () => {
    const stages = ['connection', 'request', 'identity', 'csr', 'proved', 'compared'];
    const needs = examination.map((step) => stages.indexOf(step.needs));
    expect(needs).toEqual(needs.toSorted((one, other) => one - other));
    const findings = examination.flatMap((step) => ('finds' in step ? [step] : []));
    expect(findings.map(({ finds }) => stages.indexOf(finds))).toEqual(
      findings.map(({ needs: stage }) => stages.indexOf(stage) + 1),
    );
    expect(new Set(examination.map((step) => step.name)).size).toBe(examination.length);
  });
});

describe.each(setups)('a gateway %s', (_kind, open) => {
  let setup: Setup;
  let prime: Awaited<ReturnType<typeof primeModulus>>;
  const devices = new Map<string, Device>();

  beforeAll(async () => {
    setup = await open();
    prime = await primeModulus();
    const codeHash = await hashCode(code);
    const user = { alias: 'examined', codeHash, createdAt: new Date() };
    const { users } = setup.gateway.store;
    for (const [name, remainingUses] of [
      ['full', undefined],
      ['fresh', undefined],
      ['renews', undefined],
      ['renews-full', undefined],
      ['used-up', 0],
      ['used-up-full', 2],
    ] as const) {
      await users.add({ ...user, name, remainingUses });
    }
    // What they may have is used up, but for the one that renews.
    for (const name of ['full', 'full', 'used-up-full', 'used-up-full', 'renews', 'renews-full']) {
      devices.set(name, await enrol(name));
    }
    const full = devices.get('renews-full');
    const csr = await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: named('renews-full'),
    });
    await certificateOf(await renew(setup.gateway, full, csr, 'examined'));
  });
  afterAll(async () => {
    await setup.stop();
  });

  const named = (commonName: string): Buffer => name([id.commonName, utf8String(commonName)]);
  const otpOf = (value: string): Buffer => attribute(otp.otpChallenge, utf8String(value));
  const proofs = (): readonly Buffer[] => (setup.usesOtp ? [otpOf(code)] : []);
  const basicOf = (user: string, shown: string): string =>
    `Basic ${Buffer.from(`${user}:${shown}`).toString('base64')}`;

  async function enrol(user: string): Promise<Device> {
    const keyPair = await generateKeyPair('P-256');
    const csr = await certificationRequest({ key: keyPair, subject: named(user), attributes: proofs() });
    const answer = await send(`${setup.gateway.url}/examined/simpleenroll`, {
      ca: setup.gateway.trustAnchor,
      method: 'POST',
      headers: { 'Content-Type': 'application/pkcs10', Authorization: basicOf(user, code) },
      body: csr.toString('base64'),
    });
    return {
      commonName: user,
      keyPair,
      key: privatePem(keyPair.privateKey),
      cert: await certificateOf(answer),
    };
  }

  /** The padded hash of a key without a private half is signed by another one as it is. */
  async function signedWrongly(isPrime: boolean): Promise<CertificationRequestParts> {
    if (isPrime) return { mutateSignature: (signature) => signature };
    return { signWith: (await generateKeyPair('P-256')).privateKey };
  }

  /** Asks with exactly these faults. */
  async function ask(operation: Operation, wrong: readonly Fault[]): Promise<Answer> {
    const has = (fault: Fault): boolean => wrong.includes(fault);
    const isRenewal = operation === 'simplereenroll';
    const user = isRenewal
      ? `renews${has('quota') ? '-full' : ''}`
      : ['used-up', 'full'].filter((_, index) => has(index === 0 ? 'used up' : 'quota')).join('-') || 'fresh';
    const key = has('key holder') ? setup.caKey : await generateKeyPair('P-256');
    const parts: CertificationRequestParts = {
      key,
      ...(has('key') ? prime : {}),
      subject: named(has('webhook') ? 'bad' : user),
      attributes: [
        ...(has('linking') ? [attribute(otp.challengePassword, utf8String('of another session'))] : []),
        ...(has('otpChallenge') ? [otpOf('none of mine')] : isRenewal ? [] : proofs()),
      ],
      extensions: has('policy') ? [subjectAltName(generalName(1, 'a@b.example'))] : [],
      ...(has('signature') && (await signedWrongly(has('key')))),
    };
    const csr = await certificationRequest(parts);
    const body = operation === 'fullcmc' ? await signedByRequestedKey(csr, key) : csr;
    const mediaType =
      operation === 'fullcmc' ? 'application/pkcs7-mime; smime-type=CMC-request' : 'application/pkcs10';
    const device = isRenewal ? devices.get(user) : undefined;
    const { key: tlsKey, cert } = device ?? {};
    return await send(`${setup.gateway.url}/${has('alias') ? 'nowhere' : 'examined'}/${operation}`, {
      ca: setup.gateway.trustAnchor,
      ...(tlsKey !== undefined && !has('credentials') && { key: tlsKey, cert }),
      method: 'POST',
      headers: {
        'Content-Type': has('form') ? 'text/plain' : mediaType,
        ...(has('framing') && { Expect: 'a miracle' }),
        ...(!isRenewal && { Authorization: basicOf(user, has('credentials') ? 'a wrong one' : code) }),
      },
      body: body.toString('base64'),
    });
  }

  /** A renewal keeps its names. */
  function ruleOf(fault: Fault, operation: Operation): string | undefined {
    if (operation === 'simplereenroll' && fault === 'policy') return 'fixed: names of the client certificate';
    return faults.find(([one]) => one === fault)?.[1];
  }

  it('refuses by the cheaper one of two faults, and spends nothing on what comes later', async () => {
    const { store, log } = setup.gateway;
    const before = await store.enrollments.list(1);
    const made = watchKeyMaker();
    const wrong: unknown[] = [];
    for (const operation of setup.operations) {
      for (const pair of pairsOf(operation, setup)) {
        const asked = service.questions.length;
        made.mockClear();
        const { status } = await ask(operation, pair);
        const { rule } = log.entries.findLast(({ message }) => message === 'request')?.fields ?? {};
        const expected = ruleOf(pair[0], operation);
        const spent =
          service.questions.length - asked + (operation === 'serverkeygen' ? made.mock.calls.length : 0);
        if (rule !== expected || status < 400 || spent > 0) {
          wrong.push({ operation, pair, status, rule, expected, spent });
        }
      }
    }
    made.mockRestore();
    expect(wrong).toEqual([]);
    expect(await store.enrollments.list(1)).toEqual(before);
  });

  it('refuses each fault alone by its rule, and records none of them', async () => {
    const before = await setup.gateway.store.enrollments.list(1);
    for (const operation of setup.operations) {
      for (const fault of faultsOf(operation, setup)) {
        await ask(operation, [fault]);
        const entry = setup.gateway.log.entries.findLast(({ message }) => message === 'request');
        expect([operation, fault, entry?.fields['rule']]).toEqual([
          operation,
          fault,
          ruleOf(fault, operation),
        ]);
      }
    }
    expect(await setup.gateway.store.enrollments.list(1)).toEqual(before);
  });

  it('gives a repeat of what used up a code and a quota the same certificate, when it passes all the rest', async () => {
    const { gateway } = setup;
    await gateway.store.users.add({
      alias: 'examined',
      name: 'repeats',
      codeHash: await hashCode(code),
      remainingUses: 2,
      createdAt: new Date(),
    });
    await enrol('repeats');
    const parts = {
      key: await generateKeyPair('P-256'),
      subject: named('repeats'),
      attributes: proofs(),
    };
    const post = async (csr: Buffer): Promise<Answer> =>
      await send(`${gateway.url}/examined/simpleenroll`, {
        ca: gateway.trustAnchor,
        method: 'POST',
        headers: { 'Content-Type': 'application/pkcs10', Authorization: basicOf('repeats', code) },
        body: csr.toString('base64'),
      });
    const first = await post(await certificationRequest(parts));
    const repeated = await post(await certificationRequest(parts));
    expect([first.status, repeated.status]).toEqual([200, 200]);
    expect(await certificateOf(repeated)).toBe(await certificateOf(first));
    const forged = await post(
      await certificationRequest({ ...parts, signWith: (await generateKeyPair('P-256')).privateKey }),
    );
    expect(forged.status).toBe(400);
    const other = await post(await certificationRequest({ ...parts, key: await generateKeyPair('P-256') }));
    expect([other.status, other.body]).toEqual([403, expect.stringContaining('has been used up')]);
  });
});

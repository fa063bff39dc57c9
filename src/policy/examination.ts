import { hash } from 'node:crypto';
import type { Credentials } from '../auth/auth.ts';
import { checkChannelBinding, type ChannelBinding } from '../auth/channel-binding.ts';
import type { OtpVerifier } from '../auth/otp-challenge.ts';
import type { CertificationAuthority } from '../ca/ca.ts';
import { EstError } from '../errors.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import { strengthOf } from '../pkix/private-keys.ts';
import {
  renewsOfOther,
  type AskedEnrollment,
  type ComparedEnrollment,
  type ProvedEnrollment,
} from './asked-enrollment.ts';
import { pass, underRule, type Check } from './check.ts';
import { compare, examineCode, type JournalServices } from './enrollment-record.ts';
import { examineKeyHolder, type KeyHolderServices } from './key-holder.ts';
import { examineEnrollment, examineRenewal, type Policy } from './policy.ts';
import { examineModulus } from './prime-modulus.ts';
import { examineQuotas } from './quota.ts';
import { createView, type RequestView } from './request-view.ts';
import type { PolicyWebhook } from './webhook.ts';

/** What a step spends at most: nothing to speak of, memory, the store, computing, or the time of another service. */
type Cost = 'none' | 'memory' | 'store' | 'computing' | 'network';

/** A step of the examination. */
interface Step {
  /** The rule that a refusal names; the checks of a question have rules of their own. */
  readonly name: string;
  readonly cost: Cost;
}

/** Finds out what later steps need; what it can neither read nor believe, it refuses. */
interface Finding extends Step {
  readonly needs: 'connection' | 'request' | 'identity' | 'csr' | 'proved';
  readonly finds: 'request' | 'identity' | 'csr' | 'proved' | 'compared';
}

/** Asks about what has been found. */
interface Question<Stage extends keyof Stages> extends Step {
  readonly needs: Stage;
  readonly ask: (
    services: Stages[Stage]['services'],
    asked: Stages[Stage]['asked'],
  ) => readonly Check[] | Promise<readonly Check[]>;
}

/**
 * What a question has: the CSR in its TLS session, or all of it when the client has proved every code that it showed and
 * the journal was asked for an earlier request.
 */
interface Stages {
  readonly csr: { readonly services: SessionServices; readonly asked: AskedEnrollment };
  readonly compared: { readonly services: StateServices; readonly asked: ComparedEnrollment };
}

/** What the questions about a CSR in its TLS session need besides it. */
export interface SessionServices {
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
  readonly channelBinding: () => ChannelBinding;
  /** Bits of the key with which TLS encrypts the answer; 0 where nobody knows. Throws `malformed_request`. */
  readonly cipherStrength: () => number;
  readonly alias: { readonly policy: Policy; readonly verifyOtp: OtpVerifier };
}

/** What the questions need that the configuration, the state and other services answer. */
export interface StateServices extends JournalServices, KeyHolderServices {
  readonly credentials: Pick<Credentials, 'address'>;
  readonly signal: AbortSignal;
  readonly alias: JournalServices['alias'] &
    KeyHolderServices['alias'] & {
      readonly ca: Pick<CertificationAuthority, 'refuseNames'>;
      /** Undefined: nobody else is asked. */
      readonly askPolicyWebhook: PolicyWebhook | undefined;
    };
}

/** No two ways to read the request, which `src/http` sees to. */
export const framing: Finding = {
  name: 'fixed: HTTP framing',
  cost: 'none',
  needs: 'connection',
  finds: 'request',
};

/** Path and method name an operation of an alias. */
export const address: Finding = {
  name: 'fixed: an alias and its operation',
  cost: 'none',
  needs: 'connection',
  finds: 'request',
};

/** Certificates and codes, and whether they are in force. What can be refused without the body is refused before it is read. */
export const authentication: Finding = {
  name: 'authentication',
  cost: 'network',
  needs: 'request',
  finds: 'identity',
};

/** Media type, size and encoding of the body, and every field of the CSR; all but its signature. */
export const form: Finding = {
  name: 'fixed: the form of the request',
  cost: 'memory',
  needs: 'identity',
  finds: 'csr',
};

const ofCsr: readonly Question<'csr'>[] = [
  { name: 'fixed: linking to the TLS session', cost: 'memory', needs: 'csr', ask: linking },
  { name: 'fixed: a cipher suite as strong as the key', cost: 'memory', needs: 'csr', ask: cipherSuite },
];

/** The code that a CSR may hold (RFC 7894, section 3.1) is a credential like those of HTTP. */
const otpChallenge: Finding = {
  name: 'fixed: the code in otpChallenge',
  cost: 'network',
  needs: 'csr',
  finds: 'proved',
};

/** A repeat of an earlier request, as after a lost reply, is examined like any other, but costs neither a use of a code nor quota. */
export const repeat: Finding = {
  name: 'fixed: a repeat of an earlier request',
  cost: 'store',
  needs: 'proved',
  finds: 'compared',
};

/** The rule of names that the CA would certify in another form. */
export const namesOfCa = 'fixed: names that the CA certifies as they are';

const ofCompared: readonly Question<'compared'>[] = [
  { name: 'a code that is still good', cost: 'store', needs: 'compared', ask: examineCode },
  { name: 'signatures', cost: 'computing', needs: 'compared', ask: (_, { signatures }) => signatures },
  { name: 'policy', cost: 'memory', needs: 'compared', ask: policy },
  { name: namesOfCa, cost: 'memory', needs: 'compared', ask: namesThatCaCertifies },
  { name: 'alias of the certificate', cost: 'store', needs: 'compared', ask: aliasOfCertificate },
  { name: 'quota', cost: 'store', needs: 'compared', ask: examineQuotas },
  { name: 'key holder', cost: 'store', needs: 'compared', ask: keyHolder },
  { name: 'key', cost: 'computing', needs: 'compared', ask: key },
  { name: 'certificates', cost: 'network', needs: 'compared', ask: (_, { certificates }) => certificates },
  { name: 'policy.webhook', cost: 'network', needs: 'compared', ask: webhook },
];

/**
 * "May this client have this?" in the order in which it is asked: first who asks, then what is cheap before what is dear,
 * so that a request that is refused has spent nothing that comes later. Every enrolling operation goes through all of it;
 * only then the journal records the request, a key is made where one is asked for, and the CA is asked.
 */
export const examination: readonly (Finding | Question<'csr'> | Question<'compared'>)[] = [
  ...[framing, address, authentication, form],
  ...ofCsr,
  otpChallenge,
  repeat,
  ...ofCompared,
];

/** Gives what a step finds out; a refusal names the step. */
export async function find<Found>({ name }: Finding, how: () => Found | Promise<Found>): Promise<Found> {
  return await underRule(name, how);
}

/**
 * Asks all questions about a request whose form is known, each when all before it were answered well, and throws the
 * first refusal.
 */
export async function examine<Csr extends RequestedCertificate>(
  services: SessionServices & StateServices,
  asked: AskedEnrollment<Csr>,
): Promise<ComparedEnrollment<Csr>> {
  for (const question of ofCsr) await pass(await question.ask(services, asked));
  const otpUser = await find(otpChallenge, async () => await proveOtp(services, asked));
  const compared = await find(repeat, async () => await compare(services, { ...asked, otpUser }));
  for (const question of ofCompared) await pass(await question.ask(services, compared));
  return compared;
}

/** Asks a request that turned out to be no repeat, when it was recorded, what a repeat is not asked. */
export async function examineAsNew(services: StateServices, asked: ComparedEnrollment): Promise<void> {
  await pass(policy(services, { ...asked, isRepeat: false }));
}

/** Where the alias makes no use of it, the policy refuses it unread. */
async function proveOtp(
  services: SessionServices,
  { csr, identity }: AskedEnrollment,
): Promise<ProvedEnrollment['otpUser']> {
  const { policy: options, verifyOtp } = services.alias;
  return options.otpChallenge === 'unused' ? undefined : await verifyOtp(csr, identity, services);
}

function linking({ channelBinding }: SessionServices, { csr, identity }: AskedEnrollment): readonly Check[] {
  const check = (): void => {
    checkChannelBinding(csr, channelBinding, identity);
  };
  return [{ rule: 'fixed: linking to the TLS session', check }];
}

/** The way of a key that is made here must not be weaker than the key (RFC 7030, section 4.4). */
function cipherSuite({ cipherStrength }: SessionServices, { csr }: AskedEnrollment): readonly Check[] {
  const { publicKey } = csr;
  if (!('kind' in publicKey)) return [];
  const { kind } = publicKey;
  const wanted = strengthOf(kind);
  const check = (): void => {
    const found = cipherStrength();
    if (found >= wanted) return;
    const why = found === 0 ? 'the strength of this one is not known here' : 'offer a stronger one';
    throw new EstError(
      'refused_by_policy',
      `A key of the kind ${kind} is given only over a TLS cipher suite of ${wanted} bits; ${why}.`,
    );
  };
  return [{ rule: 'fixed: a cipher suite as strong as the key', check }];
}

/** What the alias grants and demands, and then what its operator's own rules say. */
function policy(services: StateServices, asked: ComparedEnrollment): readonly Check[] {
  const { identity, csr, renewed, isRepeat } = asked;
  // Of what was found in the journal, the answer to the first request is the newest.
  const isAnswered = isRepeat && renewsOfOther(asked);
  const { policy: own } = services.alias;
  return [
    ...(renewed === undefined
      ? examineEnrollment(own, identity, csr)
      : examineRenewal(own, identity, renewed, csr, isAnswered ? undefined : services.receivedAt)),
    ...own.examine(() => viewOf(services, asked)),
  ];
}

/** Asked of the backend alone; its CA hears nothing of it. */
function namesThatCaCertifies(
  { alias: { ca } }: StateServices,
  { identity, renewed, names }: ComparedEnrollment,
): readonly Check[] {
  if (ca.refuseNames === undefined) return [];
  const check = (): void => {
    ca.refuseNames?.({ identity, renewed, ...names });
  };
  return [{ rule: namesOfCa, check }];
}

/** Each alias renews what it has issued. Of what the journal does not know, nobody can say where that was. */
function aliasOfCertificate(
  { alias, journal }: StateServices,
  { renewed }: ComparedEnrollment,
): readonly Check[] {
  if (renewed === undefined || alias.policy.renewOtherAliases) return [];
  const { der: certificate, notAfter, spki } = renewed;
  const check = async (): Promise<void> => {
    const publicKey = hash('sha256', spki, 'hex');
    const issued = await journal.issuedTo({ certificate, notAfter, publicKey });
    if (issued === undefined || issued.alias === alias.id) return;
    throw new EstError(
      'refused_by_policy',
      'The certificate to renew was issued at another alias of this gateway; renew it there.',
    );
  };
  return [{ rule: 'policy.renewOtherAliases', check }];
}

/** Of a key that the gateway makes there is nothing to ask. */
async function keyHolder(services: StateServices, asked: ComparedEnrollment): Promise<readonly Check[]> {
  const { publicKey } = asked.csr;
  return 'kind' in publicKey ? [] : await examineKeyHolder(services, asked, publicKey);
}

async function key(
  { credentials: { address }, signal }: StateServices,
  { csr: { publicKey }, identity }: ComparedEnrollment,
): Promise<readonly Check[]> {
  return 'kind' in publicKey
    ? []
    : await examineModulus(publicKey, { address, identity: identity.key }, signal);
}

function webhook(services: StateServices, asked: ComparedEnrollment): readonly Check[] {
  const { alias, id, signal } = services;
  const { askPolicyWebhook: ask } = alias;
  if (ask === undefined) return [];
  const check = async (): Promise<void> => {
    await ask(viewOf(services, asked), id, signal);
  };
  return [{ rule: 'policy.webhook', check }];
}

/** The request as the operator's rules see it. */
function viewOf({ alias, credentials }: StateServices, asked: AskedEnrollment): RequestView {
  return createView({ alias: alias.name, clientAddress: credentials.address, ...asked });
}

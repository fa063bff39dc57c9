import { checkChannelBinding } from '../auth/channel-binding.ts';
import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { withKey, type KeyGenerationRequest } from '../pkix/key-generation-request.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import {
  generatePrivateKey,
  keyTypeOf,
  privateKeyInfo,
  strengthOf,
  type GeneratedKeyKind,
} from '../pkix/private-keys.ts';
import { describeNames } from '../pkix/requested-names.ts';
import { permitEnrollment, permitRenewal } from '../policy/policy.ts';
import type { Alias, ServerKeyGeneration } from './alias.ts';
import { identify, withoutCode } from './enrollment-code.ts';
import { cannotWait, certificateContent, enroll } from './enrollment.ts';
import { chooseKeyProtection } from './key-protection.ts';
import type { EstRequest, EstResponse } from './message.ts';
import type { PermittedEnrollment } from './permitted-enrollment.ts';
import { receiveKeyGenerationRequest } from './received-request.ts';
import { inOrderOf } from './renewed-certificate.ts';

/**
 * A certificate together with a new private key (RFC 7030, section 4.4). The CSR's own key is not certified: the
 * gateway puts a new one in its place and signs, and from there on it is an enrolment or a renewal like any other.
 * The key is stored nowhere; whoever asks again gets another one.
 */
export async function serverkeygen(request: EstRequest): Promise<EstResponse> {
  const { alias } = request;
  const { keys, encryption } = settingsOf(request);
  const { shown, renewed } = await whoAsks(request);
  request.annotate({ identity: shown.description, trustAnchor: shown.certificate?.trustAnchor });
  const asked = receiveKeyGenerationRequest(request, await request.readBody('application/pkcs10'));
  checkChannelBinding(withoutCode(alias, asked), request.channelBinding, shown);
  const protect = chooseKeyProtection(encryption, asked, shown, request.receivedAt);
  const kind = chooseKind(keys, asked);
  requireCipher(request, kind);
  const privateKey = await generatePrivateKey(kind);
  const received = await withKey(asked, keyTypeOf(kind), privateKey);
  const { identity, csr, names } =
    renewed === undefined
      ? permitFirst(alias, shown, received)
      : permitAgain(request, shown, renewed, received);
  request.annotate({ identity: identity.description, ...describeNames(csr) });
  const otpUser = await alias.verifyOtp(csr, identity, request);
  const keyPart = await protect(privateKeyInfo(privateKey));
  try {
    const outcome = await enroll(request, {
      operation: 'serverkeygen',
      renewed,
      identity,
      otpUser,
      csr,
      names,
    });
    if (outcome.status === 'pending') throw cannotWait();
    return { status: 'ok', secretParts: [keyPart, certificateContent(outcome.certificate)] };
  } catch (error) {
    keyPart.body.fill(0);
    throw error;
  }
}

interface Asking {
  readonly shown: ClientIdentity;
  /** Undefined: a first certificate is asked for. */
  readonly renewed: Certificate | undefined;
}

/** Where the alias allows it, a certificate of its CA and nothing else asks for the next one, as simplereenroll does. */
async function whoAsks(request: EstRequest): Promise<Asking> {
  const { alias, credentials, receivedAt, signal } = request;
  const isAlone = credentials.clientCertificate !== undefined && credentials.authorization === undefined;
  const holder = settingsOf(request).renewals && isAlone ? await holderOf(request) : undefined;
  if (holder?.certificate?.trustAnchor === 'explicit') {
    return { shown: holder, renewed: holder.certificate.certificate };
  }
  return { shown: await alias.authenticate(credentials, receivedAt, signal), renewed: undefined };
}

/** Undefined: the certificate is not accepted, and its holder may still show what a first enrolment takes. */
async function holderOf({
  alias,
  credentials,
  receivedAt,
  signal,
}: EstRequest): Promise<ClientIdentity | undefined> {
  try {
    return await alias.authenticateRenewal(credentials, receivedAt, signal);
  } catch (error) {
    if (error instanceof EstError && error.status === 403) return undefined;
    throw error;
  }
}

type Permitted = Pick<PermittedEnrollment, 'identity' | 'csr' | 'names'>;

function permitFirst(alias: Alias, shown: ClientIdentity, received: CertificationRequest): Permitted {
  const { identity, csr } = identify(alias, shown, received);
  return { identity, csr, names: permitEnrollment(alias.policy, identity, csr) };
}

function permitAgain(
  { alias, receivedAt }: EstRequest,
  identity: ClientIdentity,
  current: Certificate,
  received: CertificationRequest,
): Permitted {
  const csr = inOrderOf(current, withoutCode(alias, received), alias);
  return { identity, csr, names: permitRenewal(alias.policy, identity, current, csr, receivedAt) };
}

function settingsOf({ alias: { serverKeyGeneration } }: EstRequest): ServerKeyGeneration {
  if (serverKeyGeneration === undefined) {
    throw new EstError('unknown_operation', 'This alias makes no keys for its clients.');
  }
  return serverKeyGeneration;
}

/** The kind of the key in the CSR where the alias makes such keys; nothing else of that key matters. */
function chooseKind(keys: ServerKeyGeneration['keys'], { keyType }: KeyGenerationRequest): GeneratedKeyKind {
  return keys.find((kind) => keyTypeOf(kind) === keyType) ?? keys[0];
}

/** The way of the key must not be weaker than the key (RFC 7030, section 4.4). */
function requireCipher({ cipherStrength }: EstRequest, kind: GeneratedKeyKind): void {
  const found = cipherStrength();
  if (found >= strengthOf(kind)) return;
  const why = found === 0 ? 'the strength of this one is not known here' : 'offer a stronger one';
  throw new EstError(
    'refused_by_policy',
    `A key of the kind ${kind} is given only over a TLS cipher suite of ${strengthOf(kind)} bits; ${why}.`,
  );
}

import { checkChannelBinding } from '../auth/channel-binding.ts';
import { EstError } from '../errors.ts';
import {
  readKeyGenerationRequest,
  withKey,
  type KeyGenerationRequest,
} from '../pkix/key-generation-request.ts';
import {
  generatePrivateKey,
  keyTypeOf,
  privateKeyInfo,
  strengthOf,
  type GeneratedKeyKind,
} from '../pkix/private-keys.ts';
import { permitEnrollment } from '../policy/policy.ts';
import type { ServerKeyGeneration } from './alias.ts';
import { identify, withoutCode } from './enrollment-code.ts';
import { cannotWait, certificateContent, enroll } from './enrollment.ts';
import { chooseKeyProtection } from './key-protection.ts';
import type { EstRequest, EstResponse } from './message.ts';

/**
 * A certificate together with a new private key (RFC 7030, section 4.4). The CSR's own key is not certified: the gateway
 * puts a new one in its place and signs, and from there on it is an enrolment like any other. The key is stored nowhere;
 * whoever asks again gets another one.
 */
export async function serverkeygen(request: EstRequest): Promise<EstResponse> {
  const { alias } = request;
  const { keys, encryption } = settingsOf(request);
  const shown = await alias.authenticate(request.credentials, request.receivedAt, request.signal);
  request.annotate({ identity: shown.description, trustAnchor: shown.certificate?.trustAnchor });
  const asked = readKeyGenerationRequest(await request.readBody('application/pkcs10'));
  checkChannelBinding(withoutCode(alias, asked), request.channelBinding);
  const protect = chooseKeyProtection(encryption, asked, shown, request.receivedAt);
  const kind = chooseKind(keys, asked);
  requireCipher(request, kind);
  const privateKey = await generatePrivateKey(kind);
  const { identity, csr } = identify(alias, shown, await withKey(asked, keyTypeOf(kind), privateKey));
  request.annotate({ identity: identity.description });
  const names = permitEnrollment(alias.policy, identity, csr);
  const otpUser = await alias.verifyOtp(csr, identity);
  const keyPart = await protect(privateKeyInfo(privateKey));
  try {
    const outcome = await enroll(request, { operation: 'serverkeygen', identity, otpUser, csr, names });
    if (outcome.status === 'pending') throw cannotWait();
    return { status: 'ok', secretParts: [keyPart, certificateContent(outcome.certificate)] };
  } catch (error) {
    keyPart.body.fill(0);
    throw error;
  }
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
  if (cipherStrength() >= strengthOf(kind)) return;
  throw new EstError(
    'refused_by_policy',
    `A key of the kind ${kind} is given only over a TLS cipher suite of ${strengthOf(kind)} bits; offer a stronger one.`,
  );
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { contextTag, readDer, readInteger } from '../pkix/der.ts';
import type { Challenges } from '../pkix/pkcs10.ts';

/**
 * The channel binding of a TLS session; undefined when it has none that can be trusted. TLS 1.2: tls-unique, the first
 * Finished message, which is the client's in a full handshake and ours in a resumed one (RFC 5929, section 3).
 * TLS 1.3: tls-exporter with the empty context (RFC 9266), used in EST as RFC 9148, section 3 does; Finished
 * octets are no binding there, although Node still returns some.
 */
export function channelBindingOf(socket: TLSSocket): Buffer | undefined {
  if (socket.getProtocol() === 'TLSv1.3') {
    return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  }
  if (!socket.isSessionReused()) return socket.getPeerFinished();
  return hasExtendedMasterSecret(socket.getSession()) ? socket.getFinished() : undefined;
}

/**
 * Whether the session was made with the extended master secret (RFC 7627). Without it one in the middle can give two
 * resumed sessions the same tls-unique. Node does not tell, but OpenSSL notes it in the flags of its SSL_SESSION.
 */
function hasExtendedMasterSecret(session: Buffer | undefined): boolean {
  if (session === undefined) return false;
  const flags = readDer(session).children.find(({ tag }) => tag === contextTag(13, 'constructed'));
  const [value] = flags?.children ?? [];
  return value !== undefined && (readInteger(value) & 1n) === 1n;
}

/**
 * What is known of the client's TLS session: its channel binding; undefined: it has none that can be trusted.
 * `unknown`: TLS ended elsewhere. `trusted`: there, by a proxy that is declared to keep its clients apart.
 */
export type ChannelBinding = Buffer | 'unknown' | 'trusted' | undefined;

/** True when the CSR carries linking data, in the attribute of RFC 7030, section 3.5 or of RFC 7894, section 3.3. */
export function isLinked(csr: Challenges): boolean {
  return csr.challengePassword !== undefined || csr.estIdentityLinking !== undefined;
}

/**
 * Verifies the linking of identity and proof of possession whenever a CSR carries it (RFC 7030, section 3.5):
 * a value that is there and wrong is refused although linking is optional, and so is one that nobody can verify. A
 * registration authority may be allowed to pass on the linking data of a device's session with itself, which means
 * nothing here. Throws `channel_binding_mismatch`, `refused_by_policy`.
 */
export function checkChannelBinding(
  csr: Challenges,
  channelBinding: () => ChannelBinding,
  { registrationAuthority }: Pick<ClientIdentity, 'registrationAuthority'>,
): void {
  if (!isLinked(csr) || registrationAuthority?.foreignLinking === true) return;
  const binding = channelBinding();
  if (binding === 'trusted') return;
  if (binding === 'unknown') throw unverifiable();
  const values = [csr.challengePassword, csr.estIdentityLinking].filter((value) => value !== undefined);
  if (values.every((value) => binding !== undefined && isBase64Of(value, binding))) return;
  throw new EstError(
    'channel_binding_mismatch',
    'The challengePassword or estIdentityLinking attribute is not the channel binding of this TLS session ' +
      '(linking of identity and proof of possession); leave the attribute out or fill in tls-unique or tls-exporter.',
  );
}

function unverifiable(): EstError {
  return new EstError(
    'refused_by_policy',
    'TLS ends at a proxy, so that challengePassword and estIdentityLinking (linking of identity and proof of possession) ' +
      'cannot be verified; leave them out.',
  );
}

function isBase64Of(text: string, expected: Buffer): boolean {
  return timingSafeEqual(sha256(text), sha256(expected.toString('base64')));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

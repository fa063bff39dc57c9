import type { EstRequest, EstResponse } from './message.ts';
import { relayedAnswer } from './relayed-answer.ts';

/**
 * What a CSR should hold (RFC 7030, section 4.5): anyone may ask. Nothing demanded is 204, since small clients
 * stumble over an empty list. Linking is not asked for where TLS ended elsewhere, and a CSR with it is refused.
 */
export async function csrattrs(request: EstRequest): Promise<EstResponse> {
  const relayed = await relayedAnswer(request, 'csrattrs');
  if (relayed !== undefined) return relayed;
  const { csrAttributes, csrAttributesWithoutLinking } = request.alias.policy;
  const body = request.canLink ? csrAttributes : csrAttributesWithoutLinking;
  return body === undefined ? { status: 'empty' } : { status: 'ok', mediaType: 'application/csrattrs', body };
}

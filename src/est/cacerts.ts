import type { EstRequest, EstResponse } from './message.ts';
import { relayedAnswer } from './relayed-answer.ts';

/**
 * The CA certificates (RFC 7030, section 4.1): anyone may ask. The media type goes without the smime-type
 * parameter, as in the RFC's example; Bouncy Castle once refused it here.
 */
export async function cacerts(request: EstRequest): Promise<EstResponse> {
  const relayed = await relayedAnswer(request, 'cacerts');
  if (relayed !== undefined) return relayed;
  const { certsOnly } = await request.alias.caCertificates.current(request.signal);
  return { status: 'ok', mediaType: 'application/pkcs7-mime', body: certsOnly };
}

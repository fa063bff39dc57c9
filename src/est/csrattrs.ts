import type { EstRequest, EstResponse } from './message.ts';

/**
 * What a CSR should hold (RFC 7030, section 4.5): anyone may ask. Nothing demanded is 204, since small clients
 * stumble over an empty list.
 */
export function csrattrs({ alias }: EstRequest): Promise<EstResponse> {
  const body = alias.policy.csrAttributes;
  return Promise.resolve(
    body === undefined ? { status: 'empty' } : { status: 'ok', mediaType: 'application/csrattrs', body },
  );
}

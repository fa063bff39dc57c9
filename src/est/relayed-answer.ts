import type { EstRequest, EstResponse } from './message.ts';

/** The CA's own answer to what anyone may ask; undefined where the gateway answers itself. */
export async function relayedAnswer(
  { alias, signal, clientGone }: EstRequest,
  operation: 'cacerts' | 'csrattrs',
): Promise<EstResponse | undefined> {
  const { relay } = alias.ca;
  if (relay?.operations.has(operation) !== true) return undefined;
  const answer = await relay.get(operation, AbortSignal.any([signal, clientGone()]));
  return answer === undefined ? { status: 'empty' } : { status: 'relayed', answer };
}

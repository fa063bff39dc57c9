import type { Authentication } from '../auth/index.ts';
import type { ClientIdentity } from '../identity.ts';
import { giveWay } from '../ops/give-way.ts';
import { authentication, find, form } from '../policy/examination.ts';
import type { EstRequest } from './message.ts';

/** Who asks, by what it shows in TLS and HTTP: the first step that an enrolling operation takes. */
export async function authenticate(
  request: EstRequest,
  how: Authentication = request.alias.authenticate,
): Promise<ClientIdentity> {
  const { credentials, receivedAt, signal } = request;
  const shown = await find(authentication, async () => await how(credentials, receivedAt, signal));
  request.annotate({ identity: shown.description, trustAnchor: shown.certificate?.trustAnchor });
  return shown;
}

/** What is asked for: the second step. The body comes in the media type that the operation demands. */
export async function readRequest<Value>(
  request: EstRequest,
  mediaType: string,
  read: (der: Buffer) => Value,
): Promise<Value> {
  return await find(form, async () => {
    const der = await request.readBody(mediaType);
    await giveWay(der.length);
    const value = read(der);
    await giveWay(der.length);
    return value;
  });
}

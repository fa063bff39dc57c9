import { checkChannelBinding } from '../auth/channel-binding.ts';
import { verifyProofOfPossession } from '../pkix/pkcs10.ts';
import { describeNames } from '../pkix/requested-names.ts';
import { permitEnrollment } from '../policy/policy.ts';
import { identify } from './enrollment-code.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { receiveCertificationRequest } from './received-request.ts';
import { enrollAndAnswer } from './relayed-enrollment.ts';

/** A first certificate, or another one, for an authenticated client (RFC 7030, section 4.2.1). */
export async function simpleenroll(request: EstRequest): Promise<EstResponse> {
  const { alias } = request;
  const shown = await alias.authenticate(request.credentials, request.receivedAt, request.signal);
  request.annotate({ identity: shown.description, trustAnchor: shown.certificate?.trustAnchor });
  const received = receiveCertificationRequest(request, await request.readBody('application/pkcs10'));
  await verifyProofOfPossession(received);
  const { identity, csr } = identify(alias, shown, received);
  request.annotate({ identity: identity.description, ...describeNames(csr) });
  checkChannelBinding(csr, request.channelBinding, identity);
  const names = permitEnrollment(alias.policy, identity, csr);
  const otpUser = await alias.verifyOtp(csr, identity, request);
  return await enrollAndAnswer(request, { operation: 'simpleenroll', identity, otpUser, csr, names });
}

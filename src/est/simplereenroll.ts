import { checkChannelBinding } from '../auth/channel-binding.ts';
import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { verifyProofOfPossession } from '../pkix/pkcs10.ts';
import { permitRenewal } from '../policy/policy.ts';
import { withoutCode } from './enrollment-code.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { receiveCertificationRequest } from './received-request.ts';
import { enrollAndAnswer } from './relayed-enrollment.ts';
import { findRenewedCertificate, inOrderOf } from './renewed-certificate.ts';

/**
 * Renewal or rekey of a certificate of the EST CA (RFC 7030, section 4.2.2). The TLS client certificate shows
 * the names; it need not be the very certificate that is renewed, but one of the same identity.
 */
export async function simplereenroll(request: EstRequest): Promise<EstResponse> {
  const { alias } = request;
  const identity = await alias.authenticateRenewal(request.credentials, request.receivedAt, request.signal);
  request.annotate({ identity: identity.description, trustAnchor: identity.certificate?.trustAnchor });
  const own = renewableCertificate(identity);
  const received = receiveCertificationRequest(request, await request.readBody('application/pkcs10'));
  await verifyProofOfPossession(received);
  const csr = inOrderOf(own, withoutCode(alias, received), alias);
  checkChannelBinding(csr, request.channelBinding, identity);
  const current = await findRenewedCertificate(request, identity, own, csr);
  if (current.notAfter < request.receivedAt) request.annotate({ expiredAt: current.notAfter.toISOString() });
  const names = permitRenewal(alias.policy, identity, current, csr, request.receivedAt);
  const otpUser = await alias.verifyOtp(csr, identity, request);
  return await enrollAndAnswer(request, {
    operation: 'simplereenroll',
    renewed: current,
    identity,
    otpUser,
    csr,
    names,
  });
}

/** Only the EST CA's own certificates are renewed, never a vendor's (RFC 7030, section 4.2.2). */
function renewableCertificate(identity: ClientIdentity): Certificate {
  if (identity.certificate?.trustAnchor !== 'explicit') {
    throw new EstError(
      'client_certificate_missing',
      'simplereenroll renews the certificate of this CA that is shown as TLS client certificate, and none was; ' +
        'use simpleenroll for a first certificate.',
    );
  }
  return identity.certificate.certificate;
}

import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { proofOfPossession } from '../policy/asked-enrollment.ts';
import { authentication, find } from '../policy/examination.ts';
import { namesToCertify } from '../policy/policy.ts';
import { withoutCode } from './enrollment-code.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { authenticate, readRequest } from './reading.ts';
import { receiveCertificationRequest } from './received-request.ts';
import { enrollAndAnswer } from './relayed-enrollment.ts';
import { findRenewedCertificate, inOrderOf, renewedInForce } from './renewed-certificate.ts';

/**
 * Renewal or rekey of a certificate of the EST CA (RFC 7030, section 4.2.2). The TLS client certificate shows
 * the names; it need not be the very certificate that is renewed, but one of the same identity.
 */
export async function simplereenroll(request: EstRequest): Promise<EstResponse> {
  const { alias, receivedAt } = request;
  const identity = await authenticate(request, alias.authenticateRenewal);
  const own = await find(authentication, () => renewableCertificate(identity));
  const received = await readRequest(request, 'application/pkcs10', (der) =>
    receiveCertificationRequest(request, der),
  );
  const asked = withoutCode(alias, received);
  const current = await findRenewedCertificate(request, identity, own, asked);
  const csr = inOrderOf(current, asked, alias);
  if (current.notAfter < receivedAt) request.annotate({ expiredAt: current.notAfter.toISOString() });
  return await enrollAndAnswer(request, {
    operation: 'simplereenroll',
    identity,
    renewed: current,
    csr,
    names: namesToCertify(csr, current),
    signatures: [proofOfPossession(csr)],
    certificates: renewedInForce(request, current, own),
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

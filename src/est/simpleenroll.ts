import { describeNames } from '../pkix/requested-names.ts';
import { proofOfPossession } from '../policy/asked-enrollment.ts';
import { namesToCertify } from '../policy/policy.ts';
import { identify } from './enrollment-code.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { authenticate, readRequest } from './reading.ts';
import { receiveCertificationRequest } from './received-request.ts';
import { enrollAndAnswer } from './relayed-enrollment.ts';

/** A first certificate, or another one, for an authenticated client (RFC 7030, section 4.2.1). */
export async function simpleenroll(request: EstRequest): Promise<EstResponse> {
  const shown = await authenticate(request);
  const received = await readRequest(request, 'application/pkcs10', (der) =>
    receiveCertificationRequest(request, der),
  );
  const { identity, csr } = identify(request.alias, shown, received);
  request.annotate({ identity: identity.description, ...describeNames(csr) });
  return await enrollAndAnswer(request, {
    operation: 'simpleenroll',
    identity,
    csr,
    names: namesToCertify(csr),
    signatures: [proofOfPossession(csr)],
    certificates: [],
  });
}

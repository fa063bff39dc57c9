import { EstError } from '../errors.ts';
import { readKeyGenerationRequest, type KeyGenerationRequest } from '../pkix/key-generation-request.ts';
import { readCertificationRequest, type CertificationRequest } from '../pkix/pkcs10.ts';
import { describeNames } from '../pkix/requested-names.ts';
import type { EstRequest } from './message.ts';

type Names = Parameters<typeof describeNames>[0];

/** Reads the CSR that a request brings (DER), and notes in the log line for whom it is, refused or not. */
export function receiveCertificationRequest(request: EstRequest, der: Buffer): CertificationRequest {
  return receive(
    request,
    () => readCertificationRequest(der),
    (csr) => csr,
  );
}

/** The same for a CSR that asks for a key. */
export function receiveKeyGenerationRequest(request: EstRequest, der: Buffer): KeyGenerationRequest {
  return receive(
    request,
    () => readKeyGenerationRequest(der),
    ({ contents }) => contents,
  );
}

function receive<Received>(
  request: EstRequest,
  read: () => Received,
  namesIn: (received: Received) => Names,
): Received {
  try {
    const received = read();
    if (isShown(request)) request.annotate(describeNames(namesIn(received)));
    return received;
  } catch (error) {
    if (error instanceof EstError && isShown(request)) request.annotate({ ...error.requestedNames });
    throw error;
  }
}

/** Not where an enrolment code may stand in the subject. */
function isShown({ alias }: EstRequest): boolean {
  return alias.enrollmentCodes?.place !== 'subject';
}

import { EstError, type CertificateFault } from '../../errors.ts';
import { DerError } from '../der.ts';

/** Why a certificate does not count: a stable word, and what follows "it is refused: ". */
export interface Objection {
  readonly fault: CertificateFault;
  readonly text: string;
}

/** Makes an objection. */
export function objection(fault: CertificateFault, text: string): Objection {
  return { fault, text };
}

/** What `look` objects to, under this fault; `failure` when it meets what is malformed or of a kind that is not accepted. */
export function checked(
  look: () => string | undefined,
  fault: CertificateFault,
  failure: Objection,
): Objection | undefined {
  try {
    const text = look();
    return text === undefined ? undefined : objection(fault, text);
  } catch (error) {
    if (error instanceof EstError || error instanceof DerError) return failure;
    throw error;
  }
}

import type { ClientIdentity } from '../identity.ts';
import type { Challenges, RequestedContents } from '../pkix/pkcs10.ts';
import type { Alias } from './alias.ts';

/**
 * Who asks for a first certificate, and for what. Where the alias's CA checks enrolment codes itself, the client is who it
 * says it is until the CA has answered; the code is taken out of the CSR, so that it gets into no record.
 */
export function identify<Csr extends RequestedContents>(
  alias: Alias,
  shown: ClientIdentity,
  received: Csr,
): { readonly identity: ClientIdentity; readonly csr: Csr } {
  const { enrollmentCodes } = alias;
  if (enrollmentCodes === undefined) return { identity: shown, csr: received };
  const { claim, csr } =
    shown.claim === undefined ? enrollmentCodes.take(received) : { claim: shown.claim, csr: received };
  const identity: ClientIdentity = {
    key: `claim:${enrollmentCodes.fingerprint(claim)}`,
    description: `${claim.username} (not verified here)`,
    user: undefined,
    certificate: undefined,
    claim,
  };
  return { identity, csr: withoutCode(alias, csr) };
}

/** A challengePassword is no linking data where the alias's CA looks for an enrolment code in it. */
export function withoutCode<Csr extends Challenges>({ enrollmentCodes }: Alias, csr: Csr): Csr {
  return enrollmentCodes?.place === 'challengePassword' ? { ...csr, challengePassword: undefined } : csr;
}

import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { generalNamesEqual, type GeneralName } from '../pkix/general-names.ts';
import { attributeValues, type Name } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';

/**
 * Refuses names that are not the identity's own: each commonName and each subjectAltName must be the user's
 * name, or stand in the client certificate. Throws `refused_by_policy`.
 */
export function refuseForeignNames(
  identity: ClientIdentity,
  subject: Name,
  subjectAltName: readonly GeneralName[],
): void {
  const commonNames = attributeValues(subject, oids.commonName);
  if (commonNames.every((name) => ownCommonNames(identity).includes(name)) && subjectAltName.every(isOwn))
    return;
  throw new EstError(
    'refused_by_policy',
    'The CSR asks for a name that does not belong to the authenticated client.',
    { cmcFailure: 'badIdentity' },
  );

  function isOwn(name: GeneralName): boolean {
    const own = identity.certificate?.certificate.subjectAltName ?? [];
    return (
      own.some((other) => generalNamesEqual([name], [other])) ||
      (name.type === 'dNSName' && name.value.toLowerCase() === identity.user?.name.toLowerCase())
    );
  }
}

function ownCommonNames(identity: ClientIdentity): readonly string[] {
  const user = identity.user === undefined ? [] : [identity.user.name];
  const certificate = identity.certificate?.certificate.subject;
  return [...user, ...(certificate === undefined ? [] : attributeValues(certificate, oids.commonName))];
}

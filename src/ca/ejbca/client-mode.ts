import { createHmac } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { EnrollmentClaim, EnrollmentCodes } from '../../identity.ts';
import { attributeValues, nameFromAttributes, type Name } from '../../pkix/names.ts';
import type { RequestedContents } from '../../pkix/pkcs10.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import { distinguishedNameFields, type DistinguishedNameField } from './distinguished-name-fields.ts';
import { wholeName } from './name-generation.ts';

/**
 * Where registered end entities show their enrolment codes, which EJBCA checks; undefined: not by this alias. The secret
 * makes the fingerprints of codes useless to whoever reads them.
 */
export function enrollmentCodesOf(settings: EjbcaAliasSettings, secret: string): EnrollmentCodes | undefined {
  const module = settings.operationMode === 'client' ? settings.authenticationModule : undefined;
  const fingerprint = ({ username, code }: EnrollmentClaim): string =>
    createHmac('sha256', secret)
      .update(JSON.stringify([username, code]))
      .digest('hex');
  switch (module) {
    case undefined:
      return undefined;
    case 'HttpBasicAuth':
      return { place: 'basic', take: nothingToTake, fingerprint };
    case 'ChallengePwd':
      return { place: 'challengePassword', take: (csr) => takeChallenge(csr, settings), fingerprint };
    case 'DnPartPwd':
      return { place: 'subject', take: (csr) => takeDnPart(csr, settings), fingerprint };
  }
}

interface Taken<Csr> {
  readonly claim: EnrollmentClaim;
  readonly csr: Csr;
}

function nothingToTake(): never {
  throw new EstError('unauthenticated', 'The enrolment code is shown by HTTP Basic.');
}

function takeChallenge<Csr extends RequestedContents>(csr: Csr, settings: EjbcaAliasSettings): Taken<Csr> {
  const { challengePassword: code } = csr;
  if (code === undefined) {
    throw new EstError(
      'bad_certification_request',
      'Could not extract password from CSR request using the ChallengePwd authentication module: there is no challengePassword.',
    );
  }
  return { claim: { username: usernameIn(csr.subject, settings), code }, csr };
}

function takeDnPart<Csr extends RequestedContents>(csr: Csr, settings: EjbcaAliasSettings): Taken<Csr> {
  const field = settings.extractDnPartPasswordComponent;
  const type = typeOf(field);
  const [code] = type === undefined ? [] : attributeValues(csr.subject, type);
  if (code === undefined) {
    throw new EstError(
      'bad_certification_request',
      `Could not extract password from CSR request using the DnPartPwd authentication module: the subject has no ${field}.`,
    );
  }
  const rest = csr.subject.rdns.flat().filter((attribute) => attribute.type !== type);
  const claim = { username: usernameIn(csr.subject, settings), code };
  return { claim, csr: { ...csr, subject: nameFromAttributes(rest) } };
}

/** The name of the end entity, which is a part of the subject, or all of it. */
export function usernameIn(subject: Name, { extractUsernameComponent: field }: EjbcaAliasSettings): string {
  const type = typeOf(field);
  const [username] = type === undefined ? [wholeName(subject)] : attributeValues(subject, type);
  if (username !== undefined && username !== '') return username;
  throw new EstError(
    'bad_certification_request',
    `The subject of the CSR must have the part ${field}, which names the end entity at the CA.`,
  );
}

/** Undefined for the whole name. */
function typeOf(field: 'DN' | DistinguishedNameField): string | undefined {
  return field === 'DN' ? undefined : distinguishedNameFields[field];
}

import { EstError } from '../errors.ts';
import { DerError, readBitString, readDer } from '../pkix/der.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import {
  holds,
  netscapeCertType,
  neverGrantedAttributes,
  neverGrantedExtensions,
  neverGrantedName,
  neverGrantedOtherNames,
  neverGrantedPurposes,
  neverGrantedUri,
} from '../pkix/never-granted.ts';
import type { RequestedContents } from '../pkix/pkcs10.ts';
import { offendingName, offendingValue } from '../pkix/offending.ts';

/** What a CSR asks for besides its subject and its key. */
export type RequestedRights = Pick<
  RequestedContents,
  'keyUsage' | 'extendedKeyUsage' | 'basicConstraints' | 'subjectAltName'
> & {
  readonly changeSubjectName: { readonly subjectAltName: readonly GeneralName[] } | undefined;
  /** The value, DER, may be a blank. */
  readonly extensions: readonly { readonly oid: string; readonly value: Buffer | undefined }[];
  /** Dotted object identifiers. */
  readonly attributes: { keys(): Iterable<string> };
};

/**
 * Refuses a CSR that asks for rights no device may have, whatever the alias grants: `pkix/never-granted.ts` has the list.
 * Throws `refused_by_policy`.
 */
export function refuseForbiddenExtensions(csr: RequestedRights): void {
  refuseRightsOfCa(csr);
  const purpose = csr.extendedKeyUsage?.find((oid) => holds(neverGrantedPurposes, oid));
  if (purpose !== undefined) {
    throw forbidden(
      'for the rights of a CA, a registration authority or a signer (extendedKeyUsage)',
      offendingValue('extendedKeyUsage', neverGrantedName(purpose)),
    );
  }
  const extension = csr.extensions.find(({ oid }) => holds(neverGrantedExtensions, oid));
  if (extension !== undefined) {
    throw forbidden(
      'for an extension that only a CA may hold or decide about, or for a Microsoft template or account',
      neverGrantedName(extension.oid),
    );
  }
  const attribute = [...csr.attributes.keys()].find((oid) => holds(neverGrantedAttributes, oid));
  if (attribute !== undefined) {
    throw forbidden(
      'by an attribute for what only extensionRequest may ask for, or for a Microsoft template or requester',
      neverGrantedName(attribute),
    );
  }
  const name = [...(csr.subjectAltName ?? []), ...(csr.changeSubjectName?.subjectAltName ?? [])].find(
    isAccount,
  );
  if (name !== undefined) throw forbidden('for an account of Active Directory', offendingName(name));
}

function refuseRightsOfCa({ basicConstraints, keyUsage, extensions }: RequestedRights): void {
  if (basicConstraints?.cA === true || basicConstraints?.pathLenConstraint !== undefined) {
    throw forbidden('to be a certificate authority (basicConstraints)', 'basicConstraints');
  }
  const usage = keyUsage?.find((one) => one === 'keyCertSign' || one === 'cRLSign');
  if (usage !== undefined) {
    throw forbidden('to sign certificates or CRLs (keyUsage)', offendingValue('keyUsage', usage));
  }
  const certType = extensions.find(({ oid }) => oid === netscapeCertType.oid)?.value;
  if (certType !== undefined && isTypeOfCaOrSigner(certType)) {
    throw forbidden('to be a certificate authority or to sign code (netscapeCertType)', 'netscapeCertType');
  }
}

/** What cannot be read could be read in another way elsewhere. */
function isTypeOfCaOrSigner(value: Buffer): boolean {
  try {
    const { octets } = readBitString(readDer(value));
    return octets.length > 1 || ((octets[0] ?? 0) & netscapeCertType.neverGrantedBits) !== 0;
  } catch (error) {
    if (error instanceof DerError) return true;
    throw error;
  }
}

function isAccount(name: GeneralName): boolean {
  if (name.type === 'otherName') return holds(neverGrantedOtherNames, name.typeId);
  return name.type === 'uniformResourceIdentifier' && neverGrantedUri.test(name.value);
}

function forbidden(what: string, offending: string): EstError {
  return new EstError('refused_by_policy', `The CSR asks ${what}, which is never granted.`, {
    cmcFailure: 'unsupportedExt',
    refusedBy: { offending },
  });
}

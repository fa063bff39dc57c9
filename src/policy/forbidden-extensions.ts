import { EstError } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { DerError, readBitString, readDer, readObjectIdentifier } from '../pkix/der.ts';
import type { Extension } from '../pkix/extensions.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import {
  extensionsOfCasOwnAccord,
  holds,
  netscapeCertType,
  neverGrantedAttributes,
  neverGrantedExtensions,
  neverGrantedName,
  neverGrantedOtherNames,
  neverGrantedPurposes,
  neverGrantedUri,
} from '../pkix/never-granted.ts';
import { oids } from '../pkix/oids.ts';
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
  const right = forbiddenRight(csr);
  if (right === undefined) return;
  throw new EstError('refused_by_policy', `The CSR asks ${right.asked}, which is never granted.`, {
    cmcFailure: 'unsupportedExt',
    refusedBy: { offending: right.offending },
  });
}

/**
 * The first right in a certificate that no device may have, as a log calls it; undefined: there is none. What CAs themselves
 * decide, such as where their CRLs are, is none.
 */
export function forbiddenRightIn(certificate: Certificate): string | undefined {
  const purposes = certificate.extensions.flatMap(applicationPolicies);
  return forbiddenRight({
    ...certificate,
    extendedKeyUsage: [...(certificate.extendedKeyUsage ?? []), ...purposes],
    extensions: certificate.extensions.filter(({ oid }) => !holds(extensionsOfCasOwnAccord, oid)),
    attributes: new Map(),
    changeSubjectName: undefined,
  })?.offending;
}

/** What a CSR asks for and no device may have: for "asks ...", and as a log calls it. */
interface ForbiddenRight {
  readonly asked: string;
  readonly offending: string;
}

function forbiddenRight(rights: RequestedRights): ForbiddenRight | undefined {
  return (
    rightOfCa(rights) ??
    forbiddenPurpose(rights) ??
    forbiddenExtension(rights) ??
    forbiddenAttribute(rights) ??
    account(rights)
  );
}

function rightOfCa({ basicConstraints, keyUsage, extensions }: RequestedRights): ForbiddenRight | undefined {
  if (basicConstraints?.cA === true || basicConstraints?.pathLenConstraint !== undefined) {
    return { asked: 'to be a certificate authority (basicConstraints)', offending: 'basicConstraints' };
  }
  const usage = keyUsage?.find((one) => one === 'keyCertSign' || one === 'cRLSign');
  if (usage !== undefined) {
    return { asked: 'to sign certificates or CRLs (keyUsage)', offending: offendingValue('keyUsage', usage) };
  }
  const certType = extensions.find(({ oid }) => oid === netscapeCertType.oid)?.value;
  return certType !== undefined && isTypeOfCaOrSigner(certType)
    ? {
        asked: 'to be a certificate authority or to sign code (netscapeCertType)',
        offending: 'netscapeCertType',
      }
    : undefined;
}

function forbiddenPurpose({ extendedKeyUsage }: RequestedRights): ForbiddenRight | undefined {
  const purpose = extendedKeyUsage?.find((oid) => holds(neverGrantedPurposes, oid));
  return purpose === undefined
    ? undefined
    : {
        asked: 'for the rights of a CA, a registration authority or a signer (extendedKeyUsage)',
        offending: offendingValue('extendedKeyUsage', neverGrantedName(purpose)),
      };
}

function forbiddenExtension({ extensions }: RequestedRights): ForbiddenRight | undefined {
  const extension = extensions.find(({ oid }) => holds(neverGrantedExtensions, oid));
  return extension === undefined
    ? undefined
    : {
        asked:
          'for an extension that only a CA may hold or decide about, or for a Microsoft template or account',
        offending: neverGrantedName(extension.oid),
      };
}

function forbiddenAttribute({ attributes }: RequestedRights): ForbiddenRight | undefined {
  const attribute = [...attributes.keys()].find((oid) => holds(neverGrantedAttributes, oid));
  return attribute === undefined
    ? undefined
    : {
        asked:
          'by an attribute for what only extensionRequest may ask for, or for a Microsoft template or requester',
        offending: neverGrantedName(attribute),
      };
}

function account({ subjectAltName = [], changeSubjectName }: RequestedRights): ForbiddenRight | undefined {
  const name = [...subjectAltName, ...(changeSubjectName?.subjectAltName ?? [])].find(isAccount);
  return name === undefined
    ? undefined
    : { asked: 'for an account of Active Directory', offending: offendingName(name) };
}

/** The purposes in Microsoft's own form ([MS-WCCE], section 2.2.2.7.7): that of certificatePolicies. What cannot be read may be any. */
function applicationPolicies({ oid, value }: Extension): readonly string[] {
  if (oid !== oids.microsoftApplicationPolicies) return [];
  try {
    return readDer(value).children.flatMap(({ children: [purpose] }) =>
      purpose === undefined ? [] : [readObjectIdentifier(purpose)],
    );
  } catch (error) {
    if (error instanceof DerError) return [oids.anyExtendedKeyUsage];
    throw error;
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

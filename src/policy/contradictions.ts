import { EstError } from '../errors.ts';
import { DerError } from '../pkix/der.ts';
import {
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensionValue,
  readKeyUsage,
} from '../pkix/extensions.ts';
import { readGeneralNames } from '../pkix/general-names.ts';
import { nameFromAttributes } from '../pkix/names.ts';
import { nameOfOid, oidOf, oids } from '../pkix/oids.ts';
import { checkRequestedNames, checkRequestedSubject } from '../pkix/requested-names.ts';
import type { Wanted } from './demand.ts';
import { refuseForbiddenExtensions, type RequestedRights } from './forbidden-extensions.ts';
import { refuseOtherSubjectAltNames, refuseOtherSubjectTypes } from './granted-names.ts';
import { refuseNamesForMany } from './names-for-many.ts';
import { valuesOf, type PolicyOptions } from './options.ts';

/**
 * Throws an Error when the policy requires what it would refuse: a CSR made from csrattrs must pass. The same
 * checks decide as for a CSR.
 */
export function refuseContradictions(options: PolicyOptions, wanted: readonly Wanted[]): void {
  try {
    checkSubject(options);
    checkExtensions(options, wanted);
    checkAttributes(options, wanted);
  } catch (error) {
    if (!(error instanceof EstError || error instanceof DerError)) throw error;
    throw new Error(`policy.required asks for what would be refused: ${error.message}`, { cause: error });
  }
}

const nothing: RequestedRights = {
  extensions: [],
  keyUsage: undefined,
  extendedKeyUsage: undefined,
  basicConstraints: undefined,
  subjectAltName: undefined,
  changeSubjectName: undefined,
  attributes: new Set(),
};

/** Attributes by which extensions are asked for, or csrattrs says which: their values would be looked at by nobody. */
const attributesOfExtensions: ReadonlySet<string> = new Set([
  oids.extensionRequest,
  oids.microsoftExtensionRequest,
  oids.extensionReqTemplate,
  oids.certificationRequestInfoTemplate,
]);

/** What has another value in every CSR, or is refused where it is switched off, whichever way it is named. */
function refuseChallenges(
  { otpChallenge, changeSubjectName }: PolicyOptions,
  types: readonly string[],
): void {
  const refused: readonly (readonly [oid: string, instead: string | undefined])[] = [
    [oids.otpChallenge, otpChallenge === 'required' ? undefined : 'set policy.otpChallenge to required'],
    [oids.changeSubjectName, changeSubjectName ? undefined : 'set policy.changeSubjectName to true'],
    [oids.revocationChallenge, 'leave it out, since nothing uses it'],
  ];
  for (const [oid, instead] of refused) {
    if (instead === undefined || !types.includes(oid)) continue;
    throw new Error(`policy.required.attributes holds ${nameOfOid(oid)}, which is refused here; ${instead}.`);
  }
}

function checkAttributes(options: PolicyOptions, wanted: readonly Wanted[]): void {
  const types = wanted.flatMap((one) => {
    if (one.what === 'attribute') return [one.attribute.type];
    return one.what === 'identifiers' ? one.oids : [];
  });
  refuseForbiddenExtensions({ ...nothing, attributes: new Set(types) });
  refuseChallenges(options, types);
  const misplaced = types.find((type) => attributesOfExtensions.has(type));
  if (misplaced !== undefined) {
    throw new Error(
      `policy.required.attributes cannot hold ${nameOfOid(misplaced)}; name each extension in policy.required.extensions.`,
    );
  }
}

/** Fits every attribute type, countryName too. */
const anyValue = 'XX';

function checkSubject(options: PolicyOptions): void {
  const attributes = Object.entries(options.required.subject).flatMap(([name, required]) => {
    const values = valuesOf(required);
    return (values.length === 0 ? [anyValue] : values).map((value) => ({ type: oidOf(name), value }));
  });
  const subject = nameFromAttributes(attributes);
  checkRequestedSubject(subject);
  refuseOtherSubjectTypes(options, subject);
  refuseNamesForMany({ subject, subjectAltName: [] });
}

function checkExtensions(options: PolicyOptions, wanted: readonly Wanted[]): void {
  const known = wanted.flatMap((one) => (one.what === 'extension' ? [one.extension] : []));
  const open = wanted.flatMap((one) => (one.what === 'openExtension' ? [one.extension] : []));
  // One by one: an extension that two keys demand is looked at twice.
  for (const extension of known) {
    const read = <Value>(oid: string, readValue: (value: Buffer) => Value): Value | undefined =>
      readExtensionValue([extension], oid, readValue);
    refuseForbiddenExtensions({
      ...nothing,
      extensions: [extension],
      keyUsage: read(oids.keyUsage, readKeyUsage),
      extendedKeyUsage: read(oids.extendedKeyUsage, readExtendedKeyUsage),
      basicConstraints: read(oids.basicConstraints, readBasicConstraints),
      subjectAltName: read(oids.subjectAltName, readGeneralNames),
    });
  }
  refuseForbiddenExtensions({ ...nothing, extensions: open });
  const names = readExtensionValue(known, oids.subjectAltName, readGeneralNames) ?? [];
  checkRequestedNames(names);
  refuseOtherSubjectAltNames(options, names);
  refuseNamesForMany({ subject: nameFromAttributes([]), subjectAltName: names });
  if (options.subjectAltName.length === 0 && open.some(({ oid }) => oid === oids.subjectAltName)) {
    throw new Error(
      'policy.required.extensions holds subjectAltName, and policy.subjectAltName allows no name in it.',
    );
  }
  const refusedType = Object.keys(options.required.subjectAltName).find(
    (type) => !options.subjectAltName.some((allowed) => allowed === type),
  );
  if (refusedType !== undefined)
    throw new Error(`policy.subjectAltName does not hold ${refusedType}, which is required.`);
}

import { EstError } from '../errors.ts';
import { attributeText, attributeValues, comparableText } from '../pkix/names.ts';
import { embed, sequence, toDer } from '../pkix/der-write.ts';
import {
  dNSName,
  generalNamesEqual,
  iPAddress,
  rfc822Name,
  uniformResourceIdentifier,
  type GeneralName,
  type GeneralNameType,
} from '../pkix/general-names.ts';
import { nameOfOid, oidOf, oids } from '../pkix/oids.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import type { Demand, Wanted } from './demand.ts';
import { missing, offendingName, offendingValue } from '../pkix/offending.ts';
import { valuesOf, type RequiredContents, type RequiredValue } from './options.ts';

/** The attribute types that the subject must hold, with the given values or with any. */
export function subjectDemands({ subject }: RequiredContents): readonly Demand[] {
  return Object.entries(subject).map(([name, required]) => subjectDemand(oidOf(name), valuesOf(required)));
}

function subjectDemand(type: string, values: readonly string[]): Demand {
  const name = nameOfOid(type);
  const expected = comparableTexts(values);
  return {
    rule: `policy.required.subject.${name}`,
    wanted: { what: 'subject', type, values: values.map((value) => toDer(attributeText(type, value))) },
    check: ({ subject }) => {
      const found = attributeValues(subject, type);
      if (found.length === 0) throw unmet(`The subject must hold a ${name}.`, missing(name));
      if (expected.length > 0 && comparableTexts(found).join('\n') !== expected.join('\n')) {
        const other = found.find((value) => !expected.includes(comparableText(value)));
        throw unmet(
          `The ${name} in the subject must be the one that csrattrs gives, and no other.`,
          other === undefined ? missing(`another ${name}`) : offendingValue(name, other),
        );
      }
    },
    onlyForFirst: true,
  };
}

/** Line feeds cannot be in a value: they are refused in a CSR. */
function comparableTexts(values: readonly string[]): readonly string[] {
  return values.map(comparableText).sort();
}

/** What the subjectAltName must hold: one demand, since csrattrs speaks of the extension as a whole. */
export function subjectAltNameDemands({ subjectAltName }: RequiredContents): readonly Demand[] {
  const entries = Object.entries(subjectAltName) as [GeneralNameType, RequiredValue][];
  if (entries.length === 0) return [];
  const demanded = entries.map(([type, required]) => ({
    type,
    names: valuesOf(required).map((value) => nameOf(type, value)),
  }));
  const check = ({ subjectAltName: found = [] }: RequestedCertificate): void => {
    for (const { type, names } of demanded) refuseOtherNames(type, names, found);
  };
  const rule = 'policy.required.subjectAltName';
  return [{ rule, wanted: wantedSubjectAltName(demanded), check, onlyForFirst: true }];
}

/** The names of one type that are demanded; empty: the client fills one in. */
interface DemandedNames {
  readonly type: GeneralNameType;
  readonly names: readonly GeneralName[];
}

function refuseOtherNames(
  type: GeneralNameType,
  names: readonly GeneralName[],
  found: readonly GeneralName[],
): void {
  const ofType = found.filter((name) => name.type === type);
  if (ofType.length === 0) {
    throw unmet(`The subjectAltName must hold a name of the type ${type}.`, missing(type));
  }
  if (names.length > 0 && !generalNamesEqual(names, ofType)) {
    const other = ofType.find((name) => !names.some((wanted) => generalNamesEqual([name], [wanted])));
    throw unmet(
      `The ${type} in the subjectAltName must be the one that csrattrs gives, and no other.`,
      other === undefined ? missing(`another ${type}`) : offendingName(other),
    );
  }
}

/** The types whose values a text can give. */
const namesFromText: Readonly<Partial<Record<GeneralNameType, (value: string) => GeneralName>>> = {
  dNSName,
  iPAddress,
  rfc822Name,
  uniformResourceIdentifier,
};

function nameOf(type: GeneralNameType, value: string): GeneralName {
  const make = namesFromText[type];
  if (make === undefined) {
    throw new Error(`policy.required.subjectAltName: ${type} can only be left blank.`);
  }
  try {
    return make(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`policy.required.subjectAltName.${type}: ${reason}.`, { cause: error });
  }
}

/** The types of which a blank can stand beside names that are known (RFC 9908, section 3.4). */
const blanks: Readonly<Partial<Record<GeneralNameType, Buffer>>> = {
  iPAddress: Buffer.from('8700', 'hex'),
  directoryName: Buffer.from('a4023000', 'hex'),
};

function wantedSubjectAltName(demanded: readonly DemandedNames[]): Wanted {
  const oid = oids.subjectAltName;
  const isKnown = ({ names }: DemandedNames): boolean => names.length > 0;
  const unsayable = demanded.find((one) => !isKnown(one) && blanks[one.type] === undefined);
  if (unsayable !== undefined) {
    if (demanded.some(isKnown)) {
      throw new Error(
        `policy.required.subjectAltName: csrattrs cannot leave ${unsayable.type} blank beside names with values; ` +
          'leave all blank, or give it a value.',
      );
    }
    return { what: 'openExtension', extension: { oid, critical: false, value: undefined } };
  }
  const names = demanded.flatMap(({ type, names: known }) =>
    known.length > 0 ? known.map(({ der }) => der) : [blanks[type] ?? Buffer.alloc(0)],
  );
  const value = toDer(sequence(...names.map(embed)));
  const what = demanded.every(isKnown) ? 'extension' : 'openExtension';
  return { what, extension: { oid, critical: false, value } };
}

function unmet(sentence: string, offending: string): EstError {
  return new EstError('refused_by_policy', sentence, { refusedBy: { offending } });
}

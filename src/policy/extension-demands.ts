import type { Usages } from '../ca/ca.ts';
import { EstError } from '../errors.ts';
import { DerError, readDer } from '../pkix/der.ts';
import { extendedKeyUsage, keyUsage } from '../pkix/extensions-write.ts';
import {
  readExtendedKeyUsage,
  readExtensionValue,
  readKeyUsage,
  type Extension,
} from '../pkix/extensions.ts';
import { nameOfOid, oidOf, oids } from '../pkix/oids.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import type { Demand, Wanted } from './demand.ts';
import { missing, offendingValue } from '../pkix/offending.ts';
import { valuesOf, type RequiredContents } from './options.ts';

type DemandedContent = Exclude<Wanted, { readonly what: 'key' | 'subject' }>;

/** The extensions that a CSR must ask for, with the given value or with any. Throws an Error for a value that is no DER. */
export function extensionDemands(required: RequiredContents): readonly Demand[] {
  return [
    ...usageDemands(required),
    ...Object.entries(required.extensions).map(([name, value]) => otherExtensionDemand(oidOf(name), value)),
  ];
}

/** The values of keyUsage and extendedKeyUsage are compared as sets. */
function usageDemands({ keyUsage: usages, extendedKeyUsage: purposes }: RequiredContents): readonly Demand[] {
  const purposeOids = purposes?.map(oidOf) ?? [];
  return [
    ...(usages === undefined ? [] : [known(keyUsage(usages), (csr) => isSameSet(csr.keyUsage, usages))]),
    ...(purposes === undefined
      ? []
      : [known(extendedKeyUsage(purposeOids), (csr) => isSameSet(csr.extendedKeyUsage, purposeOids))]),
  ];
}

function isSameSet(found: readonly string[] = [], wanted: readonly string[]): boolean {
  return found.length === wanted.length && wanted.every((value) => found.includes(value));
}

function otherExtensionDemand(oid: string, base64: string | null): Demand {
  if (base64 !== null) {
    const value = derOf(nameOfOid(oid), base64);
    return known({ oid, critical: false, value }, (csr) => valueOf(csr, oid)?.equals(value) === true);
  }
  return demand(
    { what: 'openExtension', extension: { oid, critical: false, value: undefined } },
    (csr) => valueOf(csr, oid) !== undefined,
    `The CSR must ask for the extension ${nameOfOid(oid)}.`,
  );
}

function valueOf({ extensions }: RequestedCertificate, oid: string): Buffer | undefined {
  return extensions.find((extension) => extension.oid === oid)?.value;
}

function known(extension: Extension, isMet: (csr: RequestedCertificate) => boolean): Demand {
  const sentence = `The CSR must ask for the extension ${nameOfOid(extension.oid)} with the value that csrattrs gives.`;
  return demand({ what: 'extension', extension }, isMet, sentence);
}

/** The usages that a policy demands with values, whichever way they are written. */
export function demandedUsages(required: RequiredContents): Usages {
  const demanded = extensionDemands(required).flatMap(({ wanted }) =>
    wanted?.what === 'extension' ? [wanted.extension] : [],
  );
  return {
    keyUsage: readExtensionValue(demanded, oids.keyUsage, readKeyUsage) ?? [],
    extendedKeyUsage: readExtensionValue(demanded, oids.extendedKeyUsage, readExtendedKeyUsage) ?? [],
  };
}

/** The attributes that a CSR must hold besides those that EST itself gives a meaning. */
export function attributeDemands({ attributes }: RequiredContents): readonly Demand[] {
  return Object.entries(attributes).map(([name, required]) => {
    const type = oidOf(name);
    const values = valuesOf(required).map((value) => derOf(name, value));
    if (values.length === 0) {
      const sentence = `The CSR must hold the attribute ${nameOfOid(type)}.`;
      return demand({ what: 'identifiers', oids: [type] }, (csr) => csr.attributes.has(type), sentence);
    }
    const sentence = `The CSR must hold the attribute ${nameOfOid(type)} with the value that csrattrs gives.`;
    const wanted = values.map((value) => value.toString('hex'));
    return demand(
      { what: 'attribute', attribute: { type, values } },
      (csr) =>
        isSameSet(
          csr.attributes.get(type)?.map((value) => value.toString('hex')),
          wanted,
        ),
      sentence,
    );
  });
}

function demand(
  wanted: DemandedContent,
  isMet: (csr: RequestedCertificate) => boolean,
  sentence: string,
): Demand {
  const check = (csr: RequestedCertificate): void => {
    if (isMet(csr)) return;
    throw new EstError('refused_by_policy', sentence, {
      refusedBy: { offending: offendingPartOf(csr, wanted) },
    });
  };
  return { rule: ruleOf(wanted), wanted, check, onlyForFirst: isSubjectAltName(wanted) };
}

/** Without most values: attributes of a CSR may hold secrets, and the values of extensions are binary. */
function offendingPartOf(csr: RequestedCertificate, wanted: DemandedContent): string {
  const oid = oidOfContent(wanted);
  const name = nameOfOid(oid);
  if (!csr.attributes.has(oid) && valueOf(csr, oid) === undefined) return missing(name);
  if (oid === oids.keyUsage) return offendingValue(name, (csr.keyUsage ?? []).join(' '));
  if (oid !== oids.extendedKeyUsage) return name;
  return offendingValue(name, (csr.extendedKeyUsage ?? []).map(nameOfOid).join(' '));
}

function ruleOf(wanted: DemandedContent): string {
  const name = nameOfOid(oidOfContent(wanted));
  const isExtension = wanted.what === 'extension' || wanted.what === 'openExtension';
  return isExtension ? `policy.required: extension ${name}` : `policy.required.attributes.${name}`;
}

function oidOfContent(wanted: DemandedContent): string {
  switch (wanted.what) {
    case 'extension':
    case 'openExtension':
      return wanted.extension.oid;
    case 'attribute':
      return wanted.attribute.type;
    case 'identifiers':
      return wanted.oids.join();
  }
}

function isSubjectAltName(wanted: DemandedContent): boolean {
  const isExtension = wanted.what === 'extension' || wanted.what === 'openExtension';
  return isExtension && wanted.extension.oid === oids.subjectAltName;
}

function derOf(name: string, base64: string): Buffer {
  const der = Buffer.from(base64, 'base64');
  try {
    readDer(der);
    return der;
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new Error(`policy.required: the value of ${name} is not the base64 of DER. ${error.message}`, {
      cause: error,
    });
  }
}

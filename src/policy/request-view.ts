import type { ClientIdentity } from '../identity.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import type { GeneralName, GeneralNameType } from '../pkix/general-names.ts';
import { nameToString, type Name } from '../pkix/names.ts';
import { nameOfOid } from '../pkix/oids.ts';
import { otherNameTypeNames, viewOtherName, type OtherName } from '../pkix/other-names.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';

/** Values by the RFC names of their types; a type that is not there has no member. */
export type ValuesByType = Readonly<Record<string, readonly string[]>>;

/**
 * A request as an operator's rules see it, and as the webhook gets it: plain JSON. docs/policy.md describes it. All
 * names are those to certify, after every check of the gateway's own.
 */
export interface RequestView {
  readonly alias: string;
  readonly operation: string;
  /** Left out where nobody knows. */
  readonly clientAddress?: string;
  readonly identity: IdentityView;
  /** False: a renewal under the names of the certificate that the client shows. */
  readonly newNames: boolean;
  readonly subject: ValuesByType;
  readonly subjectAltName: ValuesByType;
  readonly key: {
    readonly type: string;
    /** Of an RSA modulus or the curve; 0 for ML-DSA. */
    readonly bits: number;
    /** Of the SubjectPublicKeyInfo, hex; left out: the gateway makes the key when everything is granted. */
    readonly sha256?: string;
  };
  /** What the CSR asks for; empty when it does not ask. */
  readonly keyUsage: readonly string[];
  readonly extendedKeyUsage: readonly string[];
  /** All extensions that the CSR asks for, by name or dotted object identifier. */
  readonly extensions: readonly string[];
}

/** Who is asking. */
export interface IdentityView {
  /** `claim`: the CA will tell whether it is who it says; then nothing else is here. */
  readonly kind: 'user' | 'certificate' | 'user and certificate' | 'claim';
  readonly username?: string;
  /** The name of the registration authority in the configuration, when the client is one. */
  readonly registrationAuthority?: string;
  /** Of the client certificate. */
  readonly subject?: ValuesByType;
  readonly subjectAltName?: ValuesByType;
  readonly certificate?: {
    /** Lower-case hex. */
    readonly serialNumber: string;
    /** RFC 4514 string. */
    readonly issuer: string;
    readonly trustAnchor: 'explicit' | 'implicit';
    /** Hex. */
    readonly sha256: string;
  };
}

/** What the view is made of. */
export interface ViewedRequest {
  readonly alias: string;
  readonly operation: string;
  readonly clientAddress: string | undefined;
  readonly identity: ClientIdentity;
  readonly csr: RequestedCertificate;
  readonly names: CertifiedNames;
}

/** The view of a request. */
export function createView(request: ViewedRequest): RequestView {
  const { alias, operation, clientAddress, identity, csr, names } = request;
  return {
    alias,
    operation,
    ...(clientAddress !== undefined && { clientAddress }),
    identity: identityView(identity),
    newNames: operation !== 'simplereenroll' || csr.changeSubjectName !== undefined,
    subject: subjectView(names.subject),
    subjectAltName: subjectAltNameView(names.subjectAltName),
    key: keyView(csr),
    keyUsage: csr.keyUsage ?? [],
    extendedKeyUsage: (csr.extendedKeyUsage ?? []).map(nameOfOid),
    extensions: csr.extensions.map(({ oid }) => nameOfOid(oid)),
  };
}

function keyView({ publicKey }: RequestedCertificate): RequestView['key'] {
  const { type, bits } = publicKey;
  return { type, bits, ...('sha256' in publicKey && { sha256: publicKey.sha256 }) };
}

function identityView({ user, certificate: shown, registrationAuthority }: ClientIdentity): IdentityView {
  const username = user && { username: user.name };
  if (shown === undefined) return { kind: user === undefined ? 'claim' : 'user', ...username };
  const { certificate, trustAnchor } = shown;
  return {
    kind: user === undefined ? 'certificate' : 'user and certificate',
    ...username,
    ...(registrationAuthority !== undefined && { registrationAuthority: registrationAuthority.name }),
    subject: subjectView(certificate.subject),
    subjectAltName: subjectAltNameView(certificate.subjectAltName ?? []),
    certificate: {
      serialNumber: certificate.serialNumber,
      issuer: nameToString(certificate.issuer),
      trustAnchor,
      sha256: certificate.sha256,
    },
  };
}

/** Values that are no text, as a vendor's certificate may have them, are left out. */
function subjectView({ rdns }: Name): ValuesByType {
  const texts = rdns.flat().filter(({ isText }) => isText);
  return byType(texts.map(({ type, value }) => [nameOfOid(type), value]));
}

/** An otherName stands under its own type as well. */
function subjectAltNameView(names: readonly GeneralName[]): ValuesByType {
  return byType(
    names.flatMap((name): readonly (readonly [type: string, value: string])[] => {
      if (name.type !== 'otherName') return [[name.type, valueOf(name)]];
      const { type, value } = viewOtherName(name);
      return [
        [name.type, name.typeId],
        [type, value],
      ];
    }),
  );
}

function valueOf(name: Exclude<GeneralName, OtherName>): string {
  switch (name.type) {
    case 'directoryName':
      return nameToString(name.name);
    case 'x400Address':
    case 'ediPartyName':
      return name.der.toString('hex');
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
    case 'iPAddress':
    case 'registeredID':
      return name.value;
  }
}

function byType(values: readonly (readonly [type: string, value: string])[]): ValuesByType {
  const types = Map.groupBy(values, ([type]) => type);
  return Object.fromEntries([...types].map(([type, ofType]) => [type, ofType.map(([, value]) => value)]));
}

/** The types of names that a rule can speak of; those of otherName besides dotted object identifiers. */
export const viewedNameTypes: readonly string[] = [
  ...(['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier', 'registeredID'] as const),
  ...(['directoryName', 'otherName'] as const),
  ...otherNameTypeNames,
] satisfies readonly (GeneralNameType | (typeof otherNameTypeNames)[number])[];

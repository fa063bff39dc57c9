import type { SchemaObject } from 'ajv';
import type { GeneralNameType } from '../pkix/general-names.ts';
import type { KeyUsage } from '../pkix/extensions.ts';

const dottedIdentifier = String.raw`^[012]\.[1-3]?\d(\.(0|[1-9]\d{0,8})){1,20}$`;
const base64 = '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$';
const blank: SchemaObject = { type: 'null' };

const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'encipherOnly',
  'decipherOnly',
] as const satisfies readonly KeyUsage[];

const purposes = [
  'clientAuth',
  'serverAuth',
  'emailProtection',
  'ipsecIKE',
  'eapOverLAN',
  'smartcardLogon',
  'secureShellClient',
  'secureShellServer',
];

const extensions = ['keyUsage', 'extendedKeyUsage', 'subjectAltName', 'certificatePolicies', 'tlsFeature'];

/** JSON Schema of what a CSR must hold: `policy.required`. */
export function requiredSchema(
  attributeTypes: readonly string[],
  nameTypes: readonly GeneralNameType[],
): SchemaObject {
  return {
    type: 'object',
    title: 'Required contents',
    description:
      'What a CSR must hold; csrattrs says it, and a CSR without it is refused. A key without a value is a blank that the client fills in.',
    default: {},
    properties: {
      subject: {
        ...valuesByName('an attribute type, such as commonName', { enum: attributeTypes }),
        title: 'Required subject attributes',
        description:
          'Attribute types, each with its value, a list of all its values, or blank. A renewal keeps its old names.',
      },
      subjectAltName: {
        ...valuesByName('a name type, such as dNSName', { enum: nameTypes }),
        title: 'Required types of subjectAltName',
        description:
          'Name types, each with its value, a list of all its values, or blank. A renewal keeps its old names.',
      },
      keyUsage: {
        type: 'array',
        items: { enum: keyUsages },
        minItems: 1,
        uniqueItems: true,
        title: 'Required key usage',
        description: 'Exactly these.',
      },
      extendedKeyUsage: {
        type: 'array',
        items: { anyOf: [{ enum: purposes }, { type: 'string', pattern: dottedIdentifier }] },
        minItems: 1,
        uniqueItems: true,
        title: 'Required extended key usage',
        description: 'Exactly these purposes, by name or object identifier.',
      },
      extensions: {
        ...valuesByName('the name of an extension or its object identifier', identifiers(extensions)),
        additionalProperties: {
          anyOf: [blank, { type: 'string', pattern: base64 }],
          title: 'Value of the extension',
          description: 'Base64 of its DER, or blank.',
        },
        title: 'Other required extensions',
        description: 'Extensions that the CSR must ask for, each with its value or blank.',
      },
      attributes: {
        ...valuesByName('the name of an attribute or its object identifier', identifiers(['macAddress'])),
        additionalProperties: {
          anyOf: [
            blank,
            { type: 'string', pattern: base64 },
            { type: 'array', items: { type: 'string', pattern: base64 }, minItems: 1 },
          ],
          title: 'Value of the attribute',
          description: 'Base64 of its DER, a list of all its values, or blank.',
        },
        title: 'Required attributes',
        description: 'Attributes that the CSR must hold beside its extensions, each with its value or blank.',
      },
    },
    additionalProperties: false,
  };
}

function identifiers(names: readonly string[]): SchemaObject {
  return { anyOf: [{ enum: names }, { pattern: dottedIdentifier }] };
}

function valuesByName(description: string, names: SchemaObject): SchemaObject {
  const text: SchemaObject = { type: 'string', minLength: 1 };
  return {
    type: 'object',
    default: {},
    propertyNames: { ...names, description },
    additionalProperties: {
      anyOf: [blank, text, { type: 'array', items: text, minItems: 1 }],
      title: 'Value',
      description: 'The only value, a list of all values, or blank for any.',
    },
  };
}

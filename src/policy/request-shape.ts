import { attributeTypes, isAttributeType, isNamelessOid } from '../pkix/attribute-types.ts';
import { viewedNameTypes } from './request-view.ts';

/** What can stand at one place of a request's view. */
export type Shape =
  | { readonly is: 'string' | 'number' | 'boolean' }
  | { readonly is: 'array'; readonly items: Shape }
  | {
      readonly is: 'object';
      /** Undefined: no request has this member. */
      readonly member: (name: string) => Shape | undefined;
      /** The names of all members; where object identifiers are members, one stands for all. */
      readonly names: readonly string[];
    };

const text: Shape = { is: 'string' };
const texts: Shape = { is: 'array', items: text };

function object(members: Readonly<Record<string, Shape>>): Shape {
  return {
    is: 'object',
    member: (name) => (Object.hasOwn(members, name) ? members[name] : undefined),
    names: Object.keys(members),
  };
}

/** Lists of values by the types of names. */
function valuesByType(isType: (name: string) => boolean, names: readonly string[]): Shape {
  return {
    is: 'object',
    member: (name) => (isType(name) ? texts : undefined),
    names: [...names, '1.2.3.4'],
  };
}

const subject = valuesByType(isAttributeType, attributeTypes);
const subjectAltName = valuesByType(
  (name) => viewedNameTypes.includes(name) || isNamelessOid(name),
  viewedNameTypes,
);

/** The shape of `RequestView`. */
export const requestShape: Shape = object({
  alias: text,
  operation: text,
  clientAddress: text,
  identity: object({
    kind: text,
    username: text,
    registrationAuthority: text,
    subject,
    subjectAltName,
    certificate: object({ serialNumber: text, issuer: text, trustAnchor: text, sha256: text }),
  }),
  newNames: { is: 'boolean' },
  subject,
  subjectAltName,
  key: object({ type: text, bits: { is: 'number' }, sha256: text }),
  keyUsage: texts,
  extendedKeyUsage: texts,
  extensions: texts,
});

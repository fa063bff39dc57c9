import { createHash } from 'node:crypto';
import { EstError } from '../../errors.ts';
import { attributeValues, type Name } from '../../pkix/names.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import { distinguishedNameFields } from './distinguished-name-fields.ts';

/**
 * The name of the end entity for a request in RA mode, as EJBCA's UsernameGenerator makes it. What is random in it
 * follows from the seed, so that a repeat of the same enrolment has the same name. Throws `bad_certification_request`
 * when the subject has none of the parts that make the name.
 */
export function generateUsername(
  { scheme, parameters, prefix, postfix }: EjbcaAliasSettings['nameGeneration'],
  subject: Name,
  seed: string,
): string {
  const affix = (text: string, place: string): string =>
    text.replaceAll('${RANDOM}', () => randomName(`${place} ${seed}`));
  const name = (): string => {
    switch (scheme) {
      case 'DN':
        return parameters === '' ? wholeName(subject) : firstPart(subject, parameters.split(';'));
      case 'RANDOM':
        return randomName(seed);
      case 'FIXED':
        return parameters;
      case 'USERNAME':
        return wholeName(subject);
    }
  };
  return affix(prefix, 'prefix') + name() + affix(postfix, 'postfix');
}

function firstPart(subject: Name, fields: readonly string[]): string {
  for (const field of fields) {
    const type = Object.entries(distinguishedNameFields).find(([name]) => name === field)?.[1];
    const [value] = type === undefined ? [] : attributeValues(subject, type);
    if (value !== undefined && value !== '') return value;
  }
  throw new EstError(
    'bad_certification_request',
    `The subject of the CSR must have one of ${fields.join(', ')}: it names the end entity at the CA.`,
  );
}

/** As EJBCA writes a DN: in the order of the request, without the escapes that only its parsers need. */
export function wholeName({ rdns }: Name): string {
  const names = new Map(
    Object.entries(distinguishedNameFields).map(([name, type]): [string, string] => [type, name]),
  );
  const parts = rdns.flat().map(({ type, value }) => `${names.get(type) ?? type}=${value}`);
  if (parts.length > 0) return parts.join(',');
  throw new EstError(
    'bad_certification_request',
    'The subject of the CSR is empty: it names the end entity at the CA.',
  );
}

const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** 12 letters and digits. */
function randomName(seed: string): string {
  const octets = createHash('sha256').update(seed).digest().subarray(0, 12);
  return Array.from(octets, (octet) => alphabet[octet % alphabet.length]).join('');
}

import { EstError } from '../errors.ts';
import { isAttributeType } from '../pkix/attribute-types.ts';
import { isOtherNameType } from '../pkix/other-names.ts';
import type { Check } from './check.ts';
import {
  createNamePattern,
  foldCase,
  placeholdersIn,
  type IdentityValues,
  type NamePattern,
} from './name-pattern.ts';
import { missing, offendingValue } from '../pkix/offending.ts';
import type { PolicyOptions } from './options.ts';
import { viewedNameTypes, type RequestView, type ValuesByType } from './request-view.ts';

/** A rule that ties names of one type to the identity. */
export interface NameRule {
  readonly ask: (view: RequestView) => Check;
  /** The type of subject attribute whose values it leaves no choice about: no pattern of it has a `*`; undefined: none. */
  readonly fixes: string | undefined;
}

type GrantedTypes = Pick<PolicyOptions, 'subject' | 'subjectAltName'>;

/** What a client of an alias can show of itself. */
export interface ShownIdentity {
  readonly user: boolean;
  readonly certificate: boolean;
}

/** What the right side of a rule says, to a given identity, about one name. */
type Match = (identity: IdentityValues) => (name: string) => boolean;

/**
 * Prepares `policy.rules[index]`: `NAMES == PATH`, every such name is exactly a value of the identity; or `NAMES in
 * PATTERN | PATTERN`. A name must be there, unless NAMES ends in `?`. docs/policy.md has the language. Throws an Error
 * with a plain sentence, also where no client of the alias can have what the rule asks of it.
 */
export function createNameRule(
  text: string,
  index: number,
  granted: GrantedTypes,
  shown: ShownIdentity,
): NameRule {
  const place = `policy.rules[${index}]`;
  try {
    const rule = `${place}: ${text}`;
    const [, path = '', optional, operator, right = ''] =
      /^([\w.-]+)(\?)? (==|in) (\S(?:.*\S)?)$/.exec(text) ?? [];
    if (operator === undefined) throw new Error('expected "NAMES == PATH" or "NAMES in PATTERN"');
    const names = readNames(path, granted);
    const paths = operator === '==' ? [right] : placeholdersIn(right);
    for (const one of paths) {
      requirePath(one);
      requireShown(one, shown);
    }
    const match = operator === '==' ? equalTo(right, names) : oneOf(right, names);
    const isFixed = names.place === 'subject' && (operator === '==' || !right.includes('*'));
    return { ask, fixes: isFixed ? names.type : undefined };

    function ask(view: RequestView): Check {
      return {
        rule,
        check: () => {
          const found = valuesOf(view[names.place], names.type);
          if (found.length === 0 && optional === undefined) {
            throw refusal(`The policy of this alias requires ${names.what}.`, path, missing(names.type));
          }
          const identity: IdentityValues = (wanted) => valuesAt(view, wanted);
          const isMatch = match(identity);
          const foreign = found.find((name) => !isMatch(name));
          if (foreign === undefined) return;
          const unknown = paths.find((wanted) => identity(wanted).length === 0);
          const sentence = `This client may not have what the CSR asks for as ${names.what}.`;
          throw refusal(sentence, unknown ?? path, offendingValue(names.type, foreign));
        },
      };
    }

    function refusal(sentence: string, where: string, offending: string): EstError {
      return new EstError('refused_by_policy', sentence, {
        cmcFailure: 'badIdentity',
        refusedBy: { rule, path: where, offending },
      });
    }
  } catch (error) {
    throw new Error(`${place} "${text}": ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    });
  }
}

/** The names that a rule is about. */
interface RuledNames {
  readonly place: 'subject' | 'subjectAltName';
  readonly type: string;
  readonly what: string;
}

/** A rule about names that are refused anyway is a mistake. */
function readNames(path: string, granted: GrantedTypes): RuledNames {
  const [, place, type = ''] = /^(subject|subjectAltName)\.(\w+)$/.exec(path) ?? [];
  if (place !== 'subject' && place !== 'subjectAltName') {
    throw new Error('the left side is subject.TYPE or subjectAltName.TYPE');
  }
  const types: readonly string[] = granted[place];
  const granting = place === 'subjectAltName' && isOtherNameType(type) ? 'otherName' : type;
  if (!types.includes(granting)) throw new Error(`policy.${place} does not hold ${granting}`);
  return { place, type, what: `a ${type} in the ${place}` };
}

/** Whole values, octet by octet; host names without regard to case. An empty value or one with `*` equals nothing. */
function equalTo(path: string, { type }: RuledNames): Match {
  const folded = type === 'dNSName' ? foldCase : (value: string) => value;
  return (identity) => {
    const values = new Set(
      identity(path)
        .filter((value) => value !== '' && !value.includes('*'))
        .map(folded),
    );
    return (name) => values.has(folded(name));
  };
}

function oneOf(text: string, { place, type }: RuledNames): Match {
  if (type === 'directoryName') throw new Error('a directoryName can only be compared by ==');
  const ofName = place === 'subject' ? undefined : type;
  const patterns: readonly NamePattern[] = text.split(' | ').map((one) => createNamePattern(ofName, one));
  return (identity) => {
    const matches = patterns.map((pattern) => pattern(identity));
    return (name) => matches.some((isMatch) => isMatch(name));
  };
}

const plainPaths: Readonly<Record<string, (view: RequestView) => string | undefined>> = {
  alias: ({ alias }) => alias,
  'identity.username': ({ identity }) => identity.username,
  'identity.certificate.serialNumber': ({ identity }) => identity.certificate?.serialNumber,
  'identity.certificate.issuer': ({ identity }) => identity.certificate?.issuer,
  'identity.certificate.trustAnchor': ({ identity }) => identity.certificate?.trustAnchor,
};

const typedPath = /^identity\.(subject|subjectAltName)\.([\w.]+)$/;

/** Throws an Error when a path can lead nowhere. */
function requirePath(path: string): void {
  const [, place, type = ''] = typedPath.exec(path) ?? [];
  const isKnown =
    Object.hasOwn(plainPaths, path) ||
    (place === 'subject' && isAttributeType(type)) ||
    (place === 'subjectAltName' && viewedNameTypes.includes(type));
  if (!isKnown) {
    const paths = `${Object.keys(plainPaths).join(', ')}, identity.subject.TYPE or identity.subjectAltName.TYPE`;
    throw new Error(`"${path}" is no path of an identity; expected ${paths}`);
  }
}

/** Throws an Error when no client can have a value at the path. */
function requireShown(path: string, shown: ShownIdentity): void {
  const needed = path === 'identity.username' ? 'user' : path === 'alias' ? undefined : 'certificate';
  if (needed === undefined || shown[needed]) return;
  const others = needed === 'user' ? 'client certificates' : 'user names';
  throw new Error(`no client has "${path}" here, since this alias authenticates by ${others} alone`);
}

function valuesAt(view: RequestView, path: string): readonly string[] {
  const plain = plainPaths[path]?.(view);
  if (plain !== undefined) return [plain];
  const [, place, type = ''] = typedPath.exec(path) ?? [];
  const { subject, subjectAltName } = view.identity;
  return valuesOf((place === 'subject' ? subject : subjectAltName) ?? {}, type);
}

function valuesOf(names: ValuesByType, type: string): readonly string[] {
  return names[type] ?? [];
}

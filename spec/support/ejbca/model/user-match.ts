/** Finds end entities as the web service's findUser does. */
import type { Administrator } from '../administrator.ts';
import { partsOf } from '../distinguished-name.ts';
import { endEntityStatuses, type Database, type EndEntity } from './database.ts';

/** EJBCA's UserMatch. */
export interface UserMatch {
  readonly matchWith: number;
  readonly matchType: number;
  readonly matchValue: string;
}

/** EJBCA gives no more. */
const mostUsers = 100;

/** Undefined: this is no query for EJBCA. What the role may not see is left out without a word. */
export function findUsers(
  { endEntities }: Database,
  administrator: Administrator,
  { matchWith, matchType, matchValue }: UserMatch,
): readonly EndEntity[] | undefined {
  const valuesOf = matchable[matchWith];
  const compare = comparisons[matchType];
  if (valuesOf === undefined || compare === undefined || dangerous.test(matchValue)) return undefined;
  const wanted = matchValue.toLowerCase();
  return [...endEntities.values()]
    .filter(
      ({ endEntityProfile, certificationAuthority }) =>
        administrator.isAuthorized(`/endentityprofilesrules/${endEntityProfile}/view_end_entity`) &&
        administrator.isAuthorized(`/ca/${certificationAuthority}`),
    )
    .filter((endEntity) => valuesOf(endEntity).some((value) => compare(value.toLowerCase(), wanted)))
    .slice(0, mostUsers);
}

/** What EJBCA takes for an attempt at SQL; at the brace its query fails, with a fault of another text. */
const dangerous = /["\n\r\\;|!\0%`<>?$~{]/;

/** MATCH_WITH_... of EJBCA's UserMatch. */
const matchable: Readonly<Record<number, ((endEntity: EndEntity) => readonly string[]) | undefined>> = {
  0: ({ username }) => [username],
  1: ({ email }) => [email],
  2: ({ status }) => [String(endEntityStatuses[status])],
  3: ({ endEntityProfile }) => [endEntityProfile],
  4: ({ certificateProfile }) => [certificateProfile],
  5: ({ certificationAuthority }) => [certificationAuthority],
  6: ({ token }) => [token],
  7: ({ subjectDn }) => [subjectDn],
  100: subjectPart('UID'),
  101: subjectPart('CN'),
  102: subjectPart('SN'),
  107: subjectPart('OU'),
  108: subjectPart('O'),
  111: subjectPart('DC'),
  112: subjectPart('C'),
};

function subjectPart(symbol: string): (endEntity: EndEntity) => readonly string[] {
  return ({ subjectDn }) =>
    partsOf(subjectDn).flatMap((part) => (part.symbol === symbol ? [part.value] : []));
}

/** MATCH_TYPE_... of EJBCA's UserMatch, without regard to case as most databases have it. */
const comparisons: Readonly<Record<number, ((value: string, wanted: string) => boolean) | undefined>> = {
  0: (value, wanted) => value === wanted,
  1: (value, wanted) => value.startsWith(wanted),
  2: (value, wanted) => value.includes(wanted),
};

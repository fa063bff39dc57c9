/** Finds certificates as EJBCA's database does: EQUAL is SQL's LIKE, and what the role may not see is left out without a word. */
import type { Administrator } from '../administrator.ts';
import { isAtLeast, since } from '../version.ts';
import type { Ejbca } from '../ejbca.ts';
import { refusals } from '../refusal.ts';
import { revocationReasons, type Database, type IssuedCertificate } from './database.ts';

/** One condition. */
export interface Criterion {
  readonly property: string;
  readonly value: string;
  readonly operation: string;
}

/** Whom a search is for. */
interface Search {
  readonly ejbca: Ejbca;
  readonly administrator: Administrator;
}

/** All that match, in the order of their issuing. Throws a Refusal for criteria that EJBCA does not take. */
export function searchCertificates(
  { ejbca, administrator }: Search,
  criteria: readonly Partial<Criterion>[],
): readonly IssuedCertificate[] {
  if (criteria.length === 0) throw refusals.emptyCriteria();
  const checked = criteria.map((criterion) => requireCriterion(ejbca, criterion));
  if (checked.filter(({ property }) => property === 'QUERY').length > 1) throw refusals.severalQueries();
  for (const criterion of checked) requireKnown(ejbca.database, administrator, criterion);
  const byProperty = Map.groupBy(checked, ({ property }) => property);
  const tests = [...byProperty].map(([property, group]) => {
    const each = group.map(matcher);
    // Dates narrow each other down; any other property takes one of its values.
    return dates.has(property) ? all(each) : any(each);
  });
  return visibleCertificates(ejbca.database, administrator).filter(all(tests));
}

/** What is found is limited to CAs and profiles of the caller's role, and to profiles that list no CA beside these. */
export function visibleCertificates(
  { certificates, endEntityProfiles, certificateProfiles }: Database,
  administrator: Administrator,
): readonly IssuedCertificate[] {
  const isCaAllowed = (ca: string): boolean => administrator.isAuthorized(`/ca/${ca}`);
  return certificates.filter(({ certificationAuthority, endEntityProfile, certificateProfile }) => {
    const lists = [
      endEntityProfiles.get(endEntityProfile)?.certificationAuthorities,
      certificateProfiles.get(certificateProfile)?.certificationAuthorities,
    ];
    return (
      administrator.isAuthorized(`/endentityprofilesrules/${endEntityProfile}`) &&
      isCaAllowed(certificationAuthority) &&
      lists.every((names) => names?.every(isCaAllowed) !== false)
    );
  });
}

type Matches = (certificate: IssuedCertificate) => boolean;

const all =
  (tests: readonly Matches[]): Matches =>
  (certificate) =>
    tests.every((matches) => matches(certificate));
const any =
  (tests: readonly Matches[]): Matches =>
  (certificate) =>
    tests.some((matches) => matches(certificate));

/** The properties that are dates, with what they compare. ISSUED_DATE is the beginning of the validity. */
const dates = new Map<string, (certificate: IssuedCertificate) => Date | undefined>([
  ['ISSUED_DATE', ({ notBefore }) => notBefore],
  ['EXPIRE_DATE', ({ notAfter }) => notAfter],
  ['REVOCATION_DATE', ({ revocation }) => revocation?.at],
  ['UPDATE_TIME', ({ updatedAt }) => updatedAt],
]);

const names = ['END_ENTITY_PROFILE', 'CERTIFICATE_PROFILE', 'CA'];
const texts = ['QUERY', 'EXTERNAL_ACCOUNT_BINDING_ID'];
const operations = ['EQUAL', 'LIKE', 'AFTER', 'BEFORE'];

const statuses = [
  'CERT_ACTIVE',
  'CERT_REVOKED',
  ...Object.keys(revocationReasons)
    .filter((reason) => reason !== 'NOT_REVOKED')
    .map((reason) => `REVOCATION_REASON_${reason.replaceAll('_', '')}`),
];

function requireCriterion({ release }: Ejbca, given: Partial<Criterion>): Criterion {
  const { property = '', value = '', operation = '' } = given;
  if (property === '') throw refusals.emptyProperty();
  if (value === '') throw refusals.emptyValue();
  if (operation === '') throw refusals.emptyOperation();
  const known = [...texts, ...names, 'STATUS', ...dates.keys()];
  const isKnown = property !== 'UPDATE_TIME' || isAtLeast(release, since.updateTime);
  if (!known.includes(property) || !isKnown) throw refusals.unknownProperty();
  if (!operations.includes(operation)) throw refusals.unknownOperation();
  const isText = operation === 'EQUAL' || operation === 'LIKE';
  if (texts.includes(property) && !isText) throw refusals.notForTexts();
  if ((names.includes(property) || property === 'STATUS') && operation !== 'EQUAL') {
    throw refusals.notForNames();
  }
  if (property === 'STATUS' && !statuses.includes(value)) throw refusals.noStatus();
  if (property === 'UPDATE_TIME') {
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)$/.test(value)) throw refusals.noUpdateTime();
  } else if (dates.has(property)) {
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value)) throw refusals.noDate();
    if (isText) throw refusals.notForDates();
  }
  return { property, value, operation };
}

/** Names of CAs and profiles must be known, and the role must have them. */
function requireKnown(
  { endEntityProfiles, certificateProfiles, certificationAuthorities }: Database,
  administrator: Administrator,
  { property, value }: Criterion,
): void {
  if (property === 'END_ENTITY_PROFILE') {
    const isAllowed = administrator.isAuthorized(`/endentityprofilesrules/${value}`);
    if (!endEntityProfiles.has(value) || !isAllowed) throw refusals.unknownInSearch('end entity profile');
  }
  if (property === 'CERTIFICATE_PROFILE') {
    const cas = certificateProfiles.get(value)?.certificationAuthorities ?? [];
    const isAllowed = cas.every((ca) => administrator.isAuthorized(`/ca/${ca}`));
    if (!certificateProfiles.has(value) || !isAllowed) throw refusals.unknownInSearch('certificate profile');
  }
  if (property === 'CA') {
    const isAllowed = administrator.isAuthorized(`/ca/${value}`);
    if (!certificationAuthorities.has(value) || !isAllowed) throw refusals.unknownInSearch('CA');
  }
}

function matcher({ property, value, operation }: Criterion): Matches {
  const dateOf = dates.get(property);
  if (dateOf !== undefined) return dateMatcher(dateOf, new Date(value), operation);
  switch (property) {
    case 'QUERY':
      return queryMatcher(value, operation);
    case 'END_ENTITY_PROFILE':
      return ({ endEntityProfile }) => endEntityProfile === value;
    case 'CERTIFICATE_PROFILE':
      return ({ certificateProfile }) => certificateProfile === value;
    case 'CA':
      return ({ certificationAuthority }) => certificationAuthority === value;
    case 'STATUS':
      return ({ revocation }) =>
        value === 'CERT_ACTIVE'
          ? revocation === undefined
          : revocation !== undefined &&
            (value === 'CERT_REVOKED' ||
              value === `REVOCATION_REASON_${revocation.reason.replaceAll('_', '')}`);
    default: {
      const pattern = like(operation === 'LIKE' ? `%${value}%` : value, '');
      return ({ accountBindingId }) => pattern.test(accountBindingId ?? '');
    }
  }
}

/** EQUAL with a date is ignored where it is not refused. */
function dateMatcher(
  dateOf: (certificate: IssuedCertificate) => Date | undefined,
  limit: Date,
  operation: string,
): Matches {
  return (certificate) => {
    const date = dateOf(certificate);
    switch (operation) {
      case 'BEFORE':
        return date !== undefined && date < limit;
      case 'AFTER':
        return date !== undefined && date > limit;
      default:
        return true;
    }
  };
}

/** Looks at subject, alternative names, user name, serial number and account binding at once. */
function queryMatcher(value: string, operation: string): Matches {
  const wanted = operation === 'LIKE' ? `%${value}%` : value;
  const [inAnyCase, inThisCase] = [like(wanted, 'i'), like(wanted, '')];
  return ({ subjectDn, subjectAltName, username, serialNumber, accountBindingId = '' }) =>
    isSerialNumber(value, serialNumber) ||
    inAnyCase.test(subjectDn) ||
    inAnyCase.test(username) ||
    inThisCase.test(subjectAltName) ||
    inThisCase.test(accountBindingId);
}

/** A pattern of SQL's LIKE. */
function like(pattern: string, flags: '' | 'i'): RegExp {
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
    .replaceAll('%', '.*')
    .replaceAll('_', '.');
  return new RegExp(`^${source}$`, `${flags}s`);
}

/** In decimal or in hex, leading zeros or not. */
function isSerialNumber(text: string, serialNumber: string): boolean {
  const value = BigInt(`0x${serialNumber}`);
  return (
    (/^[0-9]+$/.test(text) && BigInt(text) === value) ||
    (/^[0-9a-fA-F]+$/.test(text) && BigInt(`0x${text}`) === value)
  );
}

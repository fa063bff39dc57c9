import type { Answer } from '../../support/client.ts';
import { answerText, normalized } from './answer-text.ts';
import type { Probe } from './enrollment-probes.ts';
import type { ProbeCriterion, ProbeSite } from './site.ts';

interface Found {
  readonly certificates: readonly Readonly<Record<string, unknown>>[];
  readonly pagination_summary: Readonly<Record<string, unknown>>;
}

function found({ body }: Answer): Found {
  return JSON.parse(body) as Found;
}

const query = (value: string, operation = 'EQUAL'): ProbeCriterion => ['QUERY', value, operation];

/** One that enrolled just now. */
async function newlyEnrolled(site: ProbeSite): Promise<string> {
  const username = site.newUser();
  await site.pkcs10Enroll({ username });
  return username;
}

/** How many are found for a new user name, written in some way. */
const count =
  (written: (username: string) => string): Probe =>
  async (site) =>
    found(await site.searchV2([query(written(await newlyEnrolled(site)))])).certificates.length;

/** What comes of a new user name with another criterion. */
const and =
  (criterion: () => ProbeCriterion): Probe =>
  async (site) =>
    summary(await site.searchV2([query(await newlyEnrolled(site)), criterion()]));

const only =
  (...criteria: readonly ProbeCriterion[]): Probe =>
  async (site) =>
    summary(await site.searchV2(criteria));

function summary(answer: Answer): string {
  if (answer.status === 200) return `200 ${found(answer).certificates.length} found`;
  return `${answer.status} ${errorOf(answer)}`;
}

function errorOf({ body }: Answer): string {
  return (JSON.parse(body) as { readonly error_message: string }).error_message;
}

const some = ({ status, ...answer }: Answer): string =>
  `${status} ${status === 200 ? 'ok' : errorOf({ status, ...answer })}`;

/** Seconds from now, as EJBCA takes dates. */
function date(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

const v1 =
  (most: number): Probe =>
  async (site) =>
    some(await site.searchV1([query('x', 'LIKE')], most));
const v2 =
  (pageSize: number): Probe =>
  async (site) =>
    some(await site.searchV2([query('x', 'LIKE')], pageSize));

const decoded = (base64: unknown): string => Buffer.from(String(base64), 'base64').toString('latin1');

/** Searches of certificates. */
export const searchProbes: Readonly<Record<string, Probe>> = {
  'user name with blanks is trimmed': async (site) => {
    const username = site.newUser();
    await site.pkcs10Enroll({ username: ` ${username} `, subject: `/CN=${username}` });
    const names = found(await site.searchV2([query(username)])).certificates.map((one) => one['username']);
    return normalized(JSON.stringify(names));
  },
  'search EQUAL, other case': count((username) => username.toUpperCase()),
  'search EQUAL with _': count((username) => `${username.slice(0, -1)}_`),
  'search EQUAL with %': async (site) =>
    Math.min(Number(await count((username) => `${username.slice(0, -2)}%`)(site)), 1),
  'search EQUAL subject': count((username) => `CN=${username}`),
  'v2 members': async (site) => {
    const { certificates } = found(await site.searchV2([query(await newlyEnrolled(site))]));
    return JSON.stringify(Object.keys(certificates[0] ?? {}).sort());
  },
  'v2 serialNumber/subjectKeyId/base64Cert forms': async (site) => {
    const { certificates } = found(await site.searchV2([query(await newlyEnrolled(site))]));
    const { serialNumber, subjectKeyId, base64Cert, crlPartitionIndex, subjectAltName, status } =
      certificates[0] ?? {};
    return [
      /[A-F]/.test(String(serialNumber)) ? 'hex' : 'dec',
      /^[0-9a-f]{40}$/.test(String(subjectKeyId)) ? 'hex' : 'base64',
      decoded(base64Cert).includes('\n') ? 'lines' : 'one line',
      `crlPartitionIndex=${String(crlPartitionIndex)} SAN=${String(subjectAltName)} status=${String(status)}`,
    ].join(' ');
  },
  'v2 pagination_summary': async (site) =>
    JSON.stringify(found(await site.searchV2([query(await newlyEnrolled(site))])).pagination_summary),
  'search + ISSUED_DATE after now-70s': and(() => ['ISSUED_DATE', date(-70), 'AFTER']),
  'search + UPDATE_TIME after now-70s': and(() => ['UPDATE_TIME', date(-70), 'AFTER']),
  'search + UPDATE_TIME EQUAL': and(() => ['UPDATE_TIME', date(-70), 'EQUAL']),
  'search + date with ms': and(() => ['ISSUED_DATE', '2026-11-30T01:00:00.000Z', 'AFTER']),
  'search + date without zone': and(() => ['ISSUED_DATE', '2026-11-30T01:00:00', 'AFTER']),
  'search + date garbage': and(() => ['ISSUED_DATE', 'yesterday', 'AFTER']),
  'search + unknown property': and(() => ['FOO', 'x', 'EQUAL']),
  'search + QUERY twice': and(() => query('y')),
  'search + unknown EEP': and(() => ['END_ENTITY_PROFILE', 'NoSuch', 'EQUAL']),
  'search + unknown CP': and(() => ['CERTIFICATE_PROFILE', 'NoSuch', 'EQUAL']),
  'search + unknown CA': and(() => ['CA', 'NoSuch', 'EQUAL']),
  'search + empty value': and(() => ['STATUS', '', 'EQUAL']),
  'search + STATUS FOO': and(() => ['STATUS', 'FOO', 'EQUAL']),
  'search no criteria': only(),
  'search QUERY BEFORE': only(query('x', 'BEFORE')),
  'search unknown operation': only(query('x', 'FOO')),
  'v1 search max 0': v1(0),
  'v2 search page_size 0': v2(0),
  'v1 search max 401': v1(401),
  'v2 search page_size 401': v2(401),
  'v1 search max 1000': v1(1000),
  'v2 search page_size 1000': v2(1000),
  'v2 total_certs with page_size 3': async (site) => {
    for (let left = 4; left > 0; left -= 1) await newlyEnrolled(site);
    const { pagination_summary } = found(await site.searchV2([query(site.run, 'LIKE')], 3));
    return pagination_summary['total_certs'] === 3 ? 3 : 'more than page';
  },
  'v1 search form': async (site) => {
    const [first = {}] = found(await site.searchV1([query(await newlyEnrolled(site))])).certificates;
    const form = decoded(first['certificate']).startsWith('0') ? 'base64 of DER' : 'base64 of base64';
    return `${form} ${JSON.stringify(Object.keys(first).sort())}`;
  },
  'profile v2 unknown': async (site) => answerText(await site.get('/v2/certificate/profile/NoSuch')),
  count: async (site) => answerText(await site.get('/v2/certificate/count')),
};

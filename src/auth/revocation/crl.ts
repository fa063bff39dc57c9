import type { Certificate } from '../../pkix/certificate.ts';
import type { Revocation } from '../../pkix/crl-read.ts';
import { DerError } from '../../pkix/der.ts';
import {
  allReasons,
  distributionPointsOf,
  pointsServedBy,
  urlsOf,
  type DistributionPoint,
  type Reasons,
} from '../../pkix/distribution-points.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isOfIssuer } from './crl-issuer.ts';
import type { CrlStore, StoredCrl } from './crl-store.ts';
import {
  isConfigured,
  sentence,
  undetermined,
  urlsToTry,
  type RevocationQuestion,
  type RevocationSource,
  type Verdict,
} from './source.ts';

/** A URL of CRLs, and for whose certificates it is asked. */
export interface CrlUrl {
  readonly url: string;
  /** The certificates of the CA, which may have had several keys; undefined: whatever CA has issued a certificate. */
  readonly issuers: readonly Certificate[] | undefined;
}

/** Where an alias looks for CRLs. */
export interface CrlSourceOptions {
  readonly store: CrlStore;
  /** Paths. */
  readonly files: readonly string[];
  readonly urls: readonly CrlUrl[];
  /** Whether to go where certificates of configured CAs say. */
  readonly followCertificates: boolean;
}

/** Clocks differ by so many milliseconds. */
const clockSkew = 300_000;

/**
 * What is expected at a place: CRLs of whichever CAs they are (a file is what it is), of one CA, of some CA (a list of URLs
 * speaks at least of all end entities), or what a point of the certificate promises.
 */
type Expected = 'anything' | 'issuer' | 'someCa' | DistributionPoint;

/** A CRL that was found, and what was expected there. */
interface FoundCrl {
  readonly place: string;
  readonly expected: Expected;
  /** Certificates of one CA by the configuration. */
  readonly together: readonly Certificate[];
  readonly crl: StoredCrl;
}

/** What was found out so far (RFC 5280, section 6.3.3). */
interface Findings {
  readonly revocation: Revocation | undefined;
  /** For which reasons the certificate is surely not revoked. */
  readonly covered: Reasons;
  /** Sentences for the log. */
  readonly problems: readonly string[];
}

/** CRLs (RFC 5280, section 6.3) that the issuer itself signed, until they cover all reasons of revocation together. */
export function createCrlSource({
  store,
  files,
  urls,
  followCertificates,
}: CrlSourceOptions): RevocationSource {
  async function findConfigured(issuer: Certificate): Promise<readonly (FoundCrl | string)[]> {
    const bound = urls.filter(
      ({ issuers }) => issuers === undefined || issuers.some(({ spki }) => spki.equals(issuer.spki)),
    );
    const found = await Promise.all([
      ...files.map(async (file) => await findAt(file, store.inFile, 'anything')),
      ...bound.map(
        async ({ url, issuers }) =>
          await findAt(url, store.atUrl, issuers === undefined ? 'someCa' : 'issuer', issuers),
      ),
    ]);
    return found.flat();
  }

  /** One URL after another, until they have told enough. */
  async function followPoints(question: RevocationQuestion, before: Findings): Promise<Findings> {
    const points = distributionPointsOf(question.certificate);
    const unusable = points.flatMap(objectionToPoint);
    const places = points
      .filter(({ isIndirect }) => !isIndirect)
      .flatMap((point) => urlsOf(point).map((url) => ({ url, point })));
    const { tried, omitted } = urlsToTry(places.map(({ url }) => url));
    let findings: Findings = { ...before, problems: [...before.problems, ...unusable, ...omitted] };
    for (const { url, point } of places.filter((place) => tried.includes(place.url))) {
      if (isSettled(findings)) break;
      findings = await assess(await findAt(url, store.atUrl, point), question, findings);
    }
    return findings;
  }

  return {
    name: 'crl',
    async status(question) {
      try {
        const configured = await findConfigured(question.issuer);
        const findings = await assess(configured, question, nothingFound);
        const isFollowed = followCertificates && isConfigured(question) && !isSettled(findings);
        return verdictBy(isFollowed ? await followPoints(question, findings) : findings);
      } catch (error) {
        if (error instanceof DerError) return undetermined(error);
        throw error;
      }
    },
  };
}

const nothingFound: Findings = { revocation: undefined, covered: new Set(), problems: [] };

function isSettled({ revocation, covered }: Findings): boolean {
  return revocation !== undefined || covered.size === allReasons.size;
}

function verdictBy(findings: Findings): Verdict {
  const { revocation, covered, problems } = findings;
  if (revocation !== undefined) return { status: 'revoked', revocation };
  if (isSettled(findings)) return { status: 'good' };
  if (covered.size === 0 && problems.length === 0) return { status: 'uncovered' };
  const missing = [...allReasons].filter((reason) => !covered.has(reason)).join(', ');
  const partly = covered.size === 0 ? [] : [`The CRLs do not cover these reasons of revocation: ${missing}.`];
  return { status: 'undetermined', reasons: [...partly, ...problems] };
}

/** The CRLs at a place, or the sentence why there are none. */
async function findAt(
  place: string,
  read: (place: string) => Promise<readonly StoredCrl[]>,
  expected: Expected,
  together: readonly Certificate[] = [],
): Promise<readonly (FoundCrl | string)[]> {
  try {
    return (await read(place)).map((crl) => ({ place, expected, together, crl }));
  } catch (error) {
    return [sentence(error)];
  }
}

/** What makes a point useless here. */
function objectionToPoint(point: DistributionPoint): readonly string[] {
  if (point.isIndirect)
    return ['A distribution point of the certificate names another CRL issuer, which is not supported.'];
  return urlsOf(point).length === 0
    ? ['A distribution point of the certificate has no http or https URL.']
    : [];
}

/** Adds what these CRLs tell: of those of one scope the newest, and of all of them that the certificate is revoked. */
async function assess(
  found: readonly (FoundCrl | string)[],
  question: RevocationQuestion,
  before: Findings,
): Promise<Findings> {
  const failures = found.filter((one) => typeof one === 'string');
  const crls = found
    .filter((one) => typeof one !== 'string')
    .toSorted((a, b) => b.crl.list.thisUpdate.getTime() - a.crl.list.thisUpdate.getTime());
  const heard = new Set<string>();
  let findings: Findings = { ...before, problems: [...before.problems, ...failures] };
  for (const one of crls) {
    const { scope, revocationOf } = one.crl.list;
    if (heard.has(scope.text)) continue;
    const told = await reasonsTold(one, crls, question);
    if (typeof told === 'string') findings = { ...findings, problems: [...findings.problems, told] };
    if (typeof told !== 'object') continue;
    heard.add(scope.text);
    const revocation = revocationOf(question.certificate.serialNumber);
    findings = { ...findings, revocation, covered: new Set([...findings.covered, ...told]) };
    if (revocation !== undefined) break;
  }
  return findings;
}

/** For which reasons the CRL says of the certificate whether it is revoked; why it does not; undefined: it need not. */
async function reasonsTold(
  found: FoundCrl,
  all: readonly FoundCrl[],
  question: RevocationQuestion,
): Promise<Reasons | string | undefined> {
  const { place, crl, expected, together } = found;
  const { list } = crl;
  const { certificate, now } = question;
  const problem = (text: string): string => `${place}: ${text}`;
  if (!namesEqual(list.issuer, certificate.issuer)) {
    if (expected === 'anything') return undefined;
    if (expected === 'someCa' && (await isOfOtherCa(crl, question))) {
      const twin = all.find((other) => isTwin(found, other));
      if (twin === undefined) return undefined;
      return problem(
        `the same CRL as at ${twin.place}; crlUrls with the file of a CA for each URL says which of them is for this CA.`,
      );
    }
    return problem(
      `expected a CRL of ${nameToString(certificate.issuer)}, found one of ${nameToString(list.issuer)}.`,
    );
  }
  const isCa = certificate.basicConstraints?.cA === true;
  if (list.scope.only !== undefined && isCa !== (list.scope.only === 'CAs')) {
    if (expected === 'anything') return undefined;
    return problem(`the CRL is for certificates of ${isCa ? 'end entities' : 'CAs'} alone.`);
  }
  const reasons = reasonsInScope(found, certificate);
  if (reasons === undefined)
    return problem('the CRL is for another distribution point than the certificate names.');
  if (reasons.size === 0) return problem('the CRL covers none of the reasons that the certificate names.');
  const objection = objectionToDates(crl, now);
  if (objection !== undefined) return problem(objection);
  const isGenuine = await isOfIssuer(list.authorityKeyIdentifier, crl.isSignedBy, question, together);
  return isGenuine ? reasons : problem('the CRL was not signed by the CA of the certificate.');
}

/** RFC 5280, section 6.3.3, steps b and d; undefined: it is for other distribution points. */
function reasonsInScope(
  { crl: { list }, expected }: FoundCrl,
  certificate: Certificate,
): Reasons | undefined {
  const served = pointsServedBy(
    list.scope,
    list.scope.names === undefined ? [] : distributionPointsOf(certificate),
  );
  if (served?.length === 0) return undefined;
  const points = served ?? (typeof expected === 'string' ? undefined : [expected]);
  if (points === undefined) return list.scope.reasons;
  const ofPoints = points.flatMap(({ reasons }) => [...reasons]);
  return new Set(ofPoints.filter((reason) => list.scope.reasons.has(reason)));
}

function objectionToDates({ list }: StoredCrl, now: Date): string | undefined {
  if (list.thisUpdate.getTime() > now.getTime() + clockSkew) return 'the thisUpdate of the CRL is to come.';
  return list.nextUpdate < now ? 'the nextUpdate of the CRL has passed.' : undefined;
}

/** Of two URLs with CRLs of one CA and scope one may be meant for another CA, whose CRL was replaced. */
function isTwin(one: FoundCrl, other: FoundCrl): boolean {
  return (
    one.place !== other.place &&
    one.crl.list.scope.text === other.crl.list.scope.text &&
    namesEqual(one.crl.list.issuer, other.crl.list.issuer)
  );
}

/**
 * In a list of URLs each must speak of the CAs of end entities; that none speaks of a CA's certificate is no failure as long
 * as each is what another configured CA gave out.
 */
async function isOfOtherCa(
  crl: StoredCrl,
  { certificate, configured, now }: RevocationQuestion,
): Promise<boolean> {
  if (certificate.basicConstraints?.cA !== true || objectionToDates(crl, now) !== undefined) return false;
  for (const ca of configured) {
    if (namesEqual(ca.subject, crl.list.issuer) && (await crl.isSignedBy(ca))) return true;
  }
  return false;
}

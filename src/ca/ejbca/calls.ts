import type { Revocation } from '../../pkix/crl-read.ts';
import { EstError } from '../../errors.ts';
import type { EnrollmentResult } from '../ca.ts';
import { parseJson } from '../../ops/connection.ts';
import { readCertificate, certificatesFromPem, type Certificate } from '../../pkix/certificate.ts';
import {
  isCaList,
  isCrl,
  isFound,
  type FoundRow,
  isFoundByV1,
  isIssued,
  isProfile,
  isRevocation,
  isStatus,
} from './answers.ts';
import { nonsense, type RestClient } from './rest-client.ts';
import { reasonNamed } from './revocation-reasons.ts';

/** The calls of EJBCA's REST API that the gateway makes, each with its answer checked. Unknown members are no fault. */
export interface EjbcaCalls {
  /** Such as `EJBCA 8.3.2 Community`. */
  status(signal: AbortSignal): Promise<string>;
  /** Whether the version 2 of certificate management answers; throws when it is switched off. */
  statusOfV2(signal: AbortSignal): Promise<void>;
  /** The CAs that the gateway may use and that issue; undefined: this version has no such list. */
  certificationAuthorities(signal: AbortSignal): Promise<readonly ListedCa[] | undefined>;
  /** From the CA up to its root, DER. */
  chain(dn: string, signal: AbortSignal): Promise<readonly Buffer[]>;
  /** The CRL of a partition, or of what belongs to none (0), DER; undefined: EJBCA has no such CRL. */
  latestCrl(dn: string, partition: number, signal: AbortSignal): Promise<Buffer | undefined>;
  /** By serial number in hex; a `Revocation`: it is revoked; `unknown`: EJBCA has no such certificate of this CA. */
  certificateStatus(
    dn: string,
    serialNumber: string,
    signal: AbortSignal,
  ): Promise<'good' | 'unknown' | Revocation>;
  /** Resolves when the certificate is revoked; `reason` is one of EJBCA's. */
  revoke(dn: string, serialNumber: string, reason: string, signal: AbortSignal): Promise<void>;
  /** The CAs that a certificate profile allows, as far as the gateway may use them; undefined: there is no such profile. */
  casOfCertificateProfile(name: string, signal: AbortSignal): Promise<readonly string[] | 'any' | undefined>;
  /** Registers the end entity, or changes it, and issues. */
  pkcs10Enroll(request: Pkcs10Enroll, signal: AbortSignal): Promise<EnrollmentAnswer>;
  /** Issues to an end entity that is registered, if the code is right. */
  certificateRequest(request: CertificateRequestCall, signal: AbortSignal): Promise<EnrollmentAnswer>;
  /** Issues what was waiting for approval. */
  finalize(requestId: number, forRequest: string, signal: AbortSignal): Promise<EnrollmentAnswer>;
  /**
   * The certificates whose subject, user name or serial number is this text, as SQL's LIKE compares without regard to case, and
   * whose rows in EJBCA's database have changed since; undefined: at any time.
   */
  findCertificates(
    text: string,
    updatedSince: Date | undefined,
    signal: AbortSignal,
  ): Promise<readonly FoundCertificate[]>;
  /** Whether EJBCA shows any certificate of the CA and the profiles; where it hides one, it hides all. */
  showsCertificatesOf(
    settings: Profiles & { readonly certificateAuthority: string },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Whether EJBCA hides the certificates of a certificate profile: it lists a CA that the gateway may not use. */
  hidesCertificatesOf(certificateProfile: string, signal: AbortSignal): Promise<boolean>;
  /** The profiles with which a certificate was issued; undefined: EJBCA does not say. */
  profilesOf(certificate: Certificate, signal: AbortSignal): Promise<Profiles | undefined>;
}

/** The names of the two profiles of an end entity. */
export interface Profiles {
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
}

/** A CA as EJBCA lists it. */
interface ListedCa {
  readonly name: string;
  /** In EJBCA's own writing, which its paths take. */
  readonly dn: string;
}

/** What `pkcs10enroll` takes. */
interface Pkcs10Enroll extends Profiles {
  readonly requestId: string;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  readonly username: string;
  readonly password: string;
  readonly certificateAuthority: string;
}

/** What `certificaterequest` takes. */
interface CertificateRequestCall {
  readonly requestId: string;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  readonly username: string;
  /** The enrolment code. */
  readonly code: string;
  readonly certificateAuthority: string;
}

/** An answer to an enrolment. */
export type EnrollmentAnswer =
  IssuedAnswer | { readonly status: 'waiting'; readonly requestId: number | undefined };

/** A certificate, DER; further members as in `EnrollmentResult`. */
export type IssuedAnswer = Extract<EnrollmentResult, { readonly status: 'issued' }>;

/** A certificate that EJBCA knows. */
export interface FoundCertificate {
  readonly certificate: Certificate;
  /** Of the end entity. */
  readonly username: string;
  readonly isRevoked: boolean;
}

const searchPath = '/v2/certificate/search';

/** The most that EJBCA gives in one page is 500. */
const pageSize = 200;

/** CERT_REVOKED and CERT_ARCHIVED with EJBCA's numbers. */
const revokedStatuses = [40, 60];

/** The typed calls over a client. */
export function createEjbcaCalls(client: RestClient): EjbcaCalls {
  async function get<Answer>(
    path: string,
    check: Parameters<typeof client.json<Answer>>[1],
    signal: AbortSignal,
  ): Promise<Answer> {
    const answer = await client.json({ method: 'GET', path }, check, signal);
    if (answer === undefined) throw nonsense(path);
    return answer;
  }

  async function enroll(
    path: string,
    call: {
      readonly body: object;
      readonly requestId: string;
      readonly secret?: string;
      readonly certificateAuthority?: string;
    },
    signal: AbortSignal,
  ): Promise<EnrollmentAnswer> {
    const answer = await client.call({ method: 'POST', path, ...call }, signal);
    if (answer.status === 'waiting') return answer;
    const value = answer.status === 'ok' ? parseJson(answer.body) : undefined;
    const certificate = isIssued(value) ? decodeCertificate(value.certificate) : undefined;
    if (certificate === undefined) throw nonsense(path);
    return { status: 'issued', certificate };
  }

  /**
   * What is new comes last, so that no page changes while the next one is asked for. Undefined: EJBCA does not know the CA or
   * a profile of the criteria, or does not let the gateway use it.
   */
  async function search(
    criteria: readonly object[],
    page: number,
    size: number,
    signal: AbortSignal,
  ): Promise<readonly FoundRow[] | undefined> {
    const body = {
      pagination: { page_size: size, current_page: page },
      sort: { property: 'UPDATE_TIME', operation: 'ASC' },
      criteria,
    };
    const absent = /Invalid search criteria content, unknown /;
    const call = { method: 'POST', path: searchPath, body, isSafe: true, absent } as const;
    return (await client.json(call, isFound, signal))?.certificates;
  }

  return {
    async status(signal) {
      return (await get('/v1/certificate/status', isStatus, signal)).revision;
    },
    async statusOfV2(signal) {
      await get('/v2/certificate/status', isStatus, signal);
    },
    async certificationAuthorities(signal) {
      const absent = /"RESTEASY003210: /;
      const list = await client.json({ method: 'GET', path: '/v1/ca', absent }, isCaList, signal);
      return list?.certificate_authorities.map(({ name, subject_dn: dn }) => ({ name, dn }));
    },
    async chain(dn, signal) {
      const path = `/v1/ca/${encodeURIComponent(dn)}/certificate/download`;
      const answer = await client.call({ method: 'GET', path }, signal);
      const certificates = answer.status === 'ok' ? readPem(answer.body) : [];
      if (certificates.length === 0) throw nonsense(path);
      return certificates;
    },
    async latestCrl(dn, partition, signal) {
      const path = `/v1/ca/${encodeURIComponent(dn)}/getLatestCrl?crlPartitionIndex=${partition}`;
      const { crl } = await get(path, isCrl, signal);
      const der = crl === null ? undefined : decodeDer(crl);
      if (crl !== null && der === undefined) throw nonsense(path);
      return der;
    },
    async certificateStatus(dn, serialNumber, signal) {
      const path = `/v1/certificate/${encodeURIComponent(dn)}/${serialNumber}/revocationstatus`;
      const absent = /Certificate with serial number .* was not found/;
      const answer = await client.json({ method: 'GET', path, absent }, isRevocation, signal);
      if (answer === undefined) return 'unknown';
      if (!answer.revoked) return 'good';
      const { revocation_reason: reason, revocation_date: since = '' } = answer;
      const at = new Date(since);
      return { reason: reasonNamed(reason), since: Number.isNaN(at.getTime()) ? new Date(0) : at };
    },
    async revoke(dn, serialNumber, reason, signal) {
      const path = `/v1/certificate/${encodeURIComponent(dn)}/${serialNumber}/revoke?reason=${reason}`;
      const answer = await client.call({ method: 'PUT', path }, signal);
      if (answer.status === 'waiting') {
        throw new EstError('rejected_by_ca', 'The revocation waits for an approval in EJBCA.');
      }
      const value = answer.status === 'ok' ? parseJson(answer.body) : undefined;
      if (!isRevocation(value) || !value.revoked) throw nonsense(path);
    },
    async casOfCertificateProfile(name, signal) {
      const path = `/v2/certificate/profile/${encodeURIComponent(name)}`;
      const absent = /unknown certificate profile/;
      const answer = await client.json({ method: 'GET', path, absent }, isProfile, signal);
      return answer?.available_cas.includes('ANY_CA') === true ? 'any' : answer?.available_cas;
    },
    async pkcs10Enroll({ requestId, csr, password, ...request }, signal) {
      const body = {
        certificate_request: pemOf(csr),
        certificate_authority_name: request.certificateAuthority,
        certificate_profile_name: request.certificateProfile,
        end_entity_profile_name: request.endEntityProfile,
        username: request.username,
        password,
        include_chain: false,
      };
      const { certificateAuthority } = request;
      const call = { body, requestId, secret: password, certificateAuthority };
      return await enroll('/v1/certificate/pkcs10enroll', call, signal);
    },
    async certificateRequest({ requestId, csr, username, code, certificateAuthority }, signal) {
      const body = {
        certificate_request: pemOf(csr),
        certificate_authority_name: certificateAuthority,
        username,
        password: code,
        include_chain: false,
      };
      const call = { body, requestId, secret: code, certificateAuthority };
      return await enroll('/v1/certificate/certificaterequest', call, signal);
    },
    async finalize(waiting, requestId, signal) {
      const body = { response_format: 'DER', password: '' };
      return await enroll(`/v1/certificate/${waiting}/finalize`, { body, requestId }, signal);
    },
    async findCertificates(value, updatedSince, signal) {
      const since = updatedSince === undefined ? [] : [updatedAfter(updatedSince)];
      const criteria = [equal('QUERY', value), ...since];
      const all: FoundCertificate[] = [];
      for (let page = 1; ; page += 1) {
        const rows = await search(criteria, page, pageSize, signal);
        if (rows === undefined) throw nonsense(searchPath);
        all.push(...rows.flatMap(toFound));
        if (rows.length < pageSize) return all;
      }
    },
    async showsCertificatesOf({ certificateAuthority, certificateProfile, endEntityProfile }, signal) {
      const criteria = [
        equal('CA', certificateAuthority),
        equal('CERTIFICATE_PROFILE', certificateProfile),
        equal('END_ENTITY_PROFILE', endEntityProfile),
      ];
      const found = await search(criteria, 1, 1, signal);
      return found !== undefined && found.length > 0;
    },
    async hidesCertificatesOf(certificateProfile, signal) {
      return (await search([equal('CERTIFICATE_PROFILE', certificateProfile)], 1, 1, signal)) === undefined;
    },
    async profilesOf({ serialNumber, der }, signal) {
      const path = '/v1/certificate/search';
      const criteria = [equal('QUERY', serialNumber)];
      const body = { max_number_of_results: 100, criteria };
      const answer = await client.json({ method: 'POST', path, body, isSafe: true }, isFoundByV1, signal);
      const found = answer?.certificates.find(
        ({ certificate }) => decodeCertificate(certificate)?.equals(der) === true,
      );
      const { certificate_profile: certificateProfile, end_entity_profile: endEntityProfile } = found ?? {};
      return certificateProfile && endEntityProfile ? { certificateProfile, endEntityProfile } : undefined;
    },
  };
}

function equal(property: string, value: string): object {
  return { property, value, operation: 'EQUAL' };
}

/** The time at which the row was written: ISSUED_DATE compares notBefore. EJBCA takes whole seconds. */
function updatedAfter(date: Date): object {
  const value = date.toISOString().replace(/\.\d+Z$/, 'Z');
  return { property: 'UPDATE_TIME', value, operation: 'AFTER' };
}

function toFound({ username, base64Cert, status }: FoundRow): readonly FoundCertificate[] {
  const certificate = readFound(base64Cert);
  if (certificate === undefined) throw nonsense(searchPath);
  return username === null ? [] : [{ username, certificate, isRevoked: revokedStatuses.includes(status) }];
}

function pemOf(csr: Buffer): string {
  const lines = csr.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join(
    '\n',
  );
}

/** EJBCA gives base64 of DER, in some answers base64 of that, and so it is in XML; undefined for anything else. */
export function decodeCertificate(base64: string): Buffer | undefined {
  return decodeDer(base64) ?? decodeDer(Buffer.from(base64, 'base64').toString('latin1'));
}

const sequence = 0x30;

/** Undefined for what is no base64 of DER. */
export function decodeDer(base64: string): Buffer | undefined {
  const joined = base64.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(joined)) return undefined;
  const der = Buffer.from(joined, 'base64');
  return der[0] === sequence ? der : undefined;
}

/** Undefined for what is no certificate. */
function readFound(base64: string): Certificate | undefined {
  const der = decodeCertificate(base64);
  try {
    return der === undefined ? undefined : readCertificate(der);
  } catch {
    return undefined;
  }
}

/** Empty for what is no PEM. */
function readPem(bytes: Buffer): readonly Buffer[] {
  try {
    return certificatesFromPem(bytes.toString('latin1')).map(({ der }) => der);
  } catch {
    return [];
  }
}

import { EstError } from '../../errors.ts';
import { readCertificate, type Certificate } from '../../pkix/certificate.ts';
import { readCertsOnly } from '../../pkix/certs-only-read.ts';
import { generalNamesEqual } from '../../pkix/general-names.ts';
import { namesEqual } from '../../pkix/names.ts';
import { oids } from '../../pkix/oids.ts';
import { readSignedData } from '../../pkix/signed-data-read.ts';
import type {
  CertificationAuthority,
  CertificationAuthorityServices,
  EnrollmentRequest,
  EnrollmentResult,
  Relay,
} from '../ca.ts';
import { createEstClient, decode, type EstAnswer, type EstCall, type EstClient } from './client.ts';
import { openEstCredentials, type EstCredentials } from './credentials.ts';
import type { EstOptions } from './options.ts';

/** Reads the files; nothing is asked yet. */
export async function openEstCertificationAuthority(
  options: EstOptions,
  services: CertificationAuthorityServices,
): Promise<CertificationAuthority> {
  const credentials = await openEstCredentials(options);
  if (options.identity === 'registrationAuthority') warnOfMissingPurpose(credentials, services);
  return createEstAuthority(options, credentials, createEstClient(options, credentials, services));
}

/** RFC 7030, section 3.7 wants it; an upstream may know its registration authorities by something else. */
function warnOfMissingPurpose(
  { certificate }: EstCredentials,
  { name, log }: CertificationAuthorityServices,
): void {
  if (certificate.extendedKeyUsage?.includes(oids.cmcRA) === true) return;
  log.warn('The client certificate of a backend does not have the extended key usage id-kp-cmcRA.', {
    backend: name,
  });
}

function createEstAuthority(
  options: EstOptions,
  credentials: EstCredentials,
  client: EstClient,
): CertificationAuthority {
  const underWay = new Map<string, Promise<EnrollmentResult>>();

  async function post(
    { operation, body }: Required<Pick<EstCall, 'operation' | 'body'>>,
    { requestId, identity }: EnrollmentRequest,
    signal: AbortSignal,
  ): Promise<EstAnswer> {
    return await client.call(
      { operation, body, headers: credentials.headersFor(identity), requestId },
      signal,
    );
  }

  function operationFor({ operation }: EnrollmentRequest): 'simpleenroll' | 'simplereenroll' {
    return operation === 'simplereenroll' ? options.renewals : 'simpleenroll';
  }

  /** `csr` is what the upstream gets: of one request always the same octets. */
  async function enroll(
    csr: Buffer,
    request: EnrollmentRequest,
    signal: AbortSignal,
  ): Promise<EnrollmentResult> {
    const answer = await post({ operation: operationFor(request), body: csr }, request, signal);
    if (answer.status === 'accepted') return pending(csr, answer);
    return { status: 'issued', certificate: leafOf(certificatesIn(answer.body), request).der };
  }

  async function cacerts(signal: AbortSignal): Promise<readonly Buffer[]> {
    const answer = await client.call(
      { operation: 'cacerts', headers: credentials.headersFor(undefined) },
      signal,
    );
    if (answer.status === 'accepted') throw putOff();
    return certificatesIn(answer.body).map(({ der }) => der);
  }

  function refuseUnfit(request: EnrollmentRequest): void {
    refuseOtherNames(request);
    if (options.linked === 'refuse') refuseLinked(request);
  }

  const relay: Relay = {
    operations: new Set(options.relay),

    async get(operation, signal) {
      const headers = credentials.headersFor(undefined);
      const result = await client.relay({ operation, headers }, signal);
      if (result.status === 'accepted') throw putOff();
      return result.status === 'ok' ? result.answer : undefined;
    },

    async enroll(request, reference, signal) {
      refuseUnfit(request);
      const { requestId, identity, csr } = request;
      const body = reference === undefined ? csr.der : Buffer.from(reference, 'base64');
      const headers = credentials.headersFor(identity);
      const result = await client.relay(
        { operation: operationFor(request), body, headers, requestId },
        signal,
      );
      if (result.status === 'accepted') return pending(body, result);
      if (result.status === 'empty') throw withoutCertificate();
      return {
        status: 'relayed',
        answer: result.answer,
        certificateIn: (octets) => leafOf(certificatesIn(decode(octets)), request).der,
      };
    },
  };

  return {
    clientCertificates: [credentials.certificate.der],

    terms: () => ['est', options.url],

    checkProfile(profile) {
      if (profile === undefined) return;
      throw new Error(
        'profile: the upstream chooses it; leave it out, or name an alias of the upstream in its URL.',
      );
    },

    caCertificates: cacerts,

    relay,

    async enroll(request, signal) {
      refuseUnfit(request);
      const { idempotencyKey, csr } = request;
      const result = underWay.get(idempotencyKey) ?? enroll(csr.der, request, signal);
      underWay.set(idempotencyKey, result);
      return await result.finally(() => underWay.delete(idempotencyKey));
    },

    resume: async (reference, request, signal) =>
      await enroll(Buffer.from(reference, 'base64'), request, signal),

    async fullCmc(request, fullPkiRequest, signal) {
      if (options.linked === 'refuse') refuseLinked(request);
      const answer = await post({ operation: 'fullcmc', body: fullPkiRequest }, request, signal);
      if (answer.status === 'accepted') {
        throw new EstError(
          'rejected_by_ca',
          'The CA decides on this request later; use simpleenroll, which can wait.',
        );
      }
      const { der } = leafOf(certificatesInResponse(answer.body), request);
      return { status: 'issued', certificate: der, fullPkiResponse: answer.body };
    },

    health: async (signal) => {
      await cacerts(signal);
    },

    close: async () => {
      client.close();
      await Promise.resolve();
    },
  };
}

/** The repeat of the device goes to the upstream as the first request did, octet for octet. */
function pending(
  csr: Buffer,
  { retryAfter }: Extract<EstAnswer, { readonly status: 'accepted' }>,
): Extract<EnrollmentResult, { readonly status: 'pending' }> {
  return { status: 'pending', reference: csr.toString('base64'), retryAfter };
}

function certificatesIn(message: Buffer): readonly Certificate[] {
  return read(() => readCertsOnly(message).map((der) => readCertificate(der)));
}

function certificatesInResponse(message: Buffer): readonly Certificate[] {
  return read(() => readSignedData(message).certificates);
}

function read<Value>(reader: () => Value): Value {
  try {
    return reader();
  } catch (cause) {
    throw new EstError('ca_bad_answer', 'The answer of the EST server is malformed.', { cause });
  }
}

/** The one for the key of the CSR, or the only one; some servers add its chain (RFC 5272, section 4.1). */
function leafOf(certificates: readonly Certificate[], { csr }: EnrollmentRequest): Certificate {
  const [first, ...others] = certificates;
  const leaf =
    certificates.find(({ spki }) => spki.equals(csr.publicKey.spki)) ??
    (others.length === 0 ? first : undefined);
  if (leaf !== undefined) return leaf;
  throw withoutCertificate();
}

function withoutCertificate(): EstError {
  const sentence = 'The answer of the EST server holds no certificate for the key of the CSR.';
  return new EstError('ca_bad_answer', sentence);
}

function putOff(): EstError {
  return new EstError('ca_bad_answer', 'The EST server puts off what it should always have.');
}

/** The upstream reads the names from the CSR. */
function refuseOtherNames({ csr, subject, subjectAltName }: EnrollmentRequest): void {
  if (namesEqual(csr.subject, subject) && generalNamesEqual(csr.subjectAltName ?? [], subjectAltName)) return;
  throw new EstError('rejected_by_ca', 'The CA certifies only the names that stand in the CSR itself.');
}

/** The binding is that of another TLS session than the upstream's. */
function refuseLinked({ linked }: EnrollmentRequest): void {
  if (!linked) return;
  throw new EstError(
    'rejected_by_ca',
    'The CA stands behind another TLS connection and cannot verify the challengePassword or estIdentityLinking of ' +
      'the CSR; leave the attribute out.',
  );
}

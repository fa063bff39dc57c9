/**
 * A CA for rehearsals and tests, and the file to copy when you write a backend of your own. In short:
 *
 * 1. Say which options you take, as a JSON Schema with every default in it. The gateway checks the
 *    configuration against it; `open` gets options that are complete and valid.
 * 2. Export a driver: name, schema, `open`. Enter it in the table of `ca/index.ts`.
 * 3. `open` reads files and prepares what every request needs. It throws an Error with a plain sentence when
 *    something is unusable; the gateway then does not start.
 * 4. `caCertificates` and `enroll` are required. Leave out each other method that your CA cannot do.
 * 5. Turn each failure into an `EstError`: its code decides the HTTP status and whether the device may try
 *    again. Its sentence is read by strangers; what the CA said in detail goes into `cause`, for the log.
 * 6. Run the contract suite on it: `spec/ca/contract.ts`.
 *
 * The mock's CA is made when it opens and is gone when it closes, so it is no CA to rely on. What it answers is
 * up to the profile that the alias names: see `scripts`.
 */
import { hash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { SchemaObject } from 'ajv';
import { EstError } from '../errors.ts';
import { readCertificate } from '../pkix/certificate.ts';
import { randomSerialNumber, signCertificate } from '../pkix/certificate-write.ts';
import { certifiedNames } from '../pkix/certified-names.ts';
import { onlyBodyPart, readFullPkiRequest } from '../pkix/cmc-request.ts';
import { pkiResponse } from '../pkix/cmc-response.ts';
import {
  authorityKeyIdentifier,
  certificationAuthorityConstraints,
  extendedKeyUsage,
  keyIdentifierOf,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../pkix/extensions-write.ts';
import { nameFromAttributes } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import { createMessageSigner } from '../pkix/signed-data.ts';
import { createSigner, generateSigningKey } from '../pkix/signer.ts';
import type {
  CertificationAuthority,
  CertificationAuthorityDriver,
  CertificationAuthorityServices,
  EnrollmentRequest,
  EnrollmentResult,
} from './ca.ts';

/** What an alias can name as its profile. The first one is used when it names none. */
const scripts = [
  'issue', // a certificate, at once
  'pending', // "ask again later", some times, then a certificate
  'denied', // "ask again later", some times, then a refusal, as when a person says no
  'rejected', // a refusal, at once
  'slow', // a certificate, after a while
  'down', // cannot be reached
  'wrong-key', // a certificate for another key than the CSR's
  'garbage', // something that is no certificate
] as const;
type Script = (typeof scripts)[number];

/** The options, as the schema below completes them. */
export interface MockOptions {
  readonly validityDays: number;
  readonly pendingAnswers: number;
  readonly retryAfter: number;
  readonly delay: number;
}

const optionsSchema: SchemaObject = {
  type: 'object',
  title: 'Mock CA',
  description: `For rehearsals: issues from a key that is thrown away at the end, or answers as the profile of the alias says: ${scripts.join(', ')}.`,
  properties: {
    validityDays: {
      type: 'integer',
      minimum: 1,
      maximum: 365,
      default: 7,
      title: 'Validity in days',
      description: 'How long certificates are valid.',
    },
    pendingAnswers: {
      type: 'integer',
      minimum: 1,
      default: 2,
      title: 'Pending answers',
      description: 'How often the profiles pending and denied put the client off before they decide.',
    },
    retryAfter: {
      type: 'integer',
      minimum: 1,
      default: 1,
      title: 'Retry-After in seconds',
      description: 'When the profiles pending, denied and down tell the client to ask again.',
    },
    delay: {
      type: 'number',
      minimum: 0,
      default: 5,
      title: 'Delay in seconds',
      description: 'How long the profile slow takes.',
    },
  },
  additionalProperties: false,
};

export const mockDriver: CertificationAuthorityDriver<MockOptions> = {
  name: 'mock',
  optionsSchema,
  open: openMockCertificationAuthority,
};

async function openMockCertificationAuthority(
  options: MockOptions,
  { log }: CertificationAuthorityServices,
): Promise<CertificationAuthority> {
  const ca = await createThrowawayCa(options.validityDays);
  const foreignKey = await generateSigningKey();
  const issuedByKey = new Map<string, Promise<Buffer>>();

  /** One line per call to the CA, at level debug; the gateway itself writes the line per request. */
  function logCall(
    method: 'enroll' | 'fullCmc' | 'resume',
    { requestId, profile, linked }: EnrollmentRequest,
  ): void {
    log.debug('The mock CA is asked.', { requestId, method, script: scriptNamed(profile), linked });
  }

  /** The same idempotency key is the same enrolment: it gets the certificate that it got before. */
  async function certify(request: EnrollmentRequest, spki: Buffer): Promise<EnrollmentResult> {
    const certificate = issuedByKey.get(request.idempotencyKey) ?? ca.issue(request, spki);
    issuedByKey.set(request.idempotencyKey, certificate);
    return { status: 'issued', certificate: await certificate };
  }

  /** The reference must be enough to find the request again, also after a restart; here it counts down. */
  function putOff(answersLeft: number): EnrollmentResult {
    return { status: 'pending', reference: String(answersLeft), retryAfter: options.retryAfter };
  }

  async function enroll(request: EnrollmentRequest, signal: AbortSignal): Promise<EnrollmentResult> {
    switch (scriptNamed(request.profile)) {
      case 'issue':
        return await certify(request, request.csr.publicKey.spki);
      case 'pending':
      case 'denied':
        return putOff(options.pendingAnswers - 1);
      case 'rejected':
        throw new EstError('rejected_by_ca', 'The CA refuses this request, as its script says.');
      case 'slow':
        await pause(options.delay, signal);
        return await certify(request, request.csr.publicKey.spki);
      case 'down':
        // `cause` is what the HTTP client or the database threw; `retryAfter` is for who knows it.
        throw new EstError('ca_unavailable', 'The mock CA is down.', {
          cause: new Error('as its script says'),
          retryAfter: options.retryAfter,
          // The use of a code is given back: this CA has surely issued nothing.
          nothingIssued: true,
        });
      case 'wrong-key':
        return await certify(request, foreignKey.spki);
      case 'garbage':
        return { status: 'issued', certificate: Buffer.from('This is no certificate.') };
    }
  }

  return {
    // What decides about certificates besides the request; a repeat gets the same one only while this is the same.
    terms: (profile) => ['mock', options.validityDays, profile],

    // The whole chain up to the root; here the issuing CA is the root.
    caCertificates: async () => await Promise.resolve([ca.certificate]),

    enroll: async (request, signal) => {
      logCall('enroll', request);
      return await enroll(request, signal);
    },

    // Only a CA that speaks CMC itself has this; an alias asks for it with `passThrough`.
    fullCmc: async (request, fullPkiRequest, signal) => {
      logCall('fullCmc', request);
      const result = await enroll(request, signal);
      if (result.status === 'pending' || scriptNamed(request.profile) === 'garbage') return result;
      return { ...result, fullPkiResponse: await ca.answer(fullPkiRequest, result.certificate) };
    },

    // Only a CA that answers `pending` needs this.
    resume: async (reference, request) => {
      logCall('resume', request);
      if (!/^\d+$/.test(reference)) {
        throw new EstError('rejected_by_ca', 'The CA does not know this request any more; enrol again.');
      }
      const answersLeft = Number(reference);
      if (answersLeft > 0) return putOff(answersLeft - 1);
      if (scriptNamed(request.profile) === 'denied') {
        throw new EstError('rejected_by_ca', 'The CA has decided against this request, as its script says.');
      }
      return await certify(request, request.csr.publicKey.spki);
    },

    // With this the gateway refuses client certificates that were revoked, or never issued.
    certificateStatus: async ({ sha256 }) =>
      await Promise.resolve(ca.issued.has(sha256) ? 'good' : 'unknown'),

    // Called at start for each alias, so that a wrong name is found before a device meets it.
    checkProfile: (profile) => void scriptNamed(profile),

    // For `est-gateway check` and health probes; never called before a request.
    health: async () => {
      await Promise.resolve();
    },
  };
}

function scriptNamed(profile: string | undefined): Script {
  const script = profile === undefined ? scripts[0] : scripts.find((name) => name === profile);
  if (script !== undefined) return script;
  throw new Error(`The mock CA has no profile ${profile}; expected one of: ${scripts.join(', ')}.`);
}

/** Every wait ends when the gateway gives up: pass `signal` to whatever takes time. */
async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(seconds * 1000, undefined, { signal });
  } catch (error) {
    throw new EstError('ca_timeout', 'The mock CA was slower than the gateway waits.', { cause: error });
  }
}

interface ThrowawayCa {
  /** DER. */
  readonly certificate: Buffer;
  /** SHA-256 of each certificate, hex. */
  readonly issued: ReadonlySet<string>;
  issue(request: EnrollmentRequest, spki: Buffer): Promise<Buffer>;
  /** A Full PKI Response (RFC 5272, section 4.2) that the CA signs. */
  answer(fullPkiRequest: Buffer, issued: Buffer): Promise<Buffer>;
}

const day = 86_400_000;

/** What stands for the CA that a real backend talks to. */
async function createThrowawayCa(validityDays: number): Promise<ThrowawayCa> {
  const { privateKey, spki: caKey } = await generateSigningKey();
  const signer = createSigner(privateKey);
  const issuer = nameFromAttributes([{ type: oids.commonName, value: 'Mock CA, not to be trusted' }]);
  const issued = new Set<string>();
  const validFor = (days: number): { readonly notBefore: Date; readonly notAfter: Date } => ({
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + days * day),
  });
  const certificate = await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer,
      subject: issuer,
      ...validFor(3650),
      spki: caKey,
      extensions: [
        certificationAuthorityConstraints(0),
        keyUsage(['keyCertSign']),
        subjectKeyIdentifier(keyIdentifierOf(caKey)),
      ],
    },
    signer,
  );

  return {
    certificate,
    issued,
    answer: async (fullPkiRequest, leaf) => {
      const { pkiData } = readFullPkiRequest(fullPkiRequest);
      const { bodyPartId } = onlyBodyPart(pkiData);
      const content = pkiResponse({ status: 'success' }, bodyPartId, pkiData.conversation);
      const messageSigner = await createMessageSigner([readCertificate(certificate)], privateKey);
      return await messageSigner.sign(oids.pkiResponse, content, [leaf]);
    },
    issue: async (asked, spki) => {
      const { subject, subjectAltName: names } = certifiedNames(asked);
      const extensions = [
        authorityKeyIdentifier(keyIdentifierOf(caKey)),
        subjectKeyIdentifier(keyIdentifierOf(spki)),
        keyUsage(['digitalSignature']),
        extendedKeyUsage([oids.clientAuth]),
        ...(names.length === 0 ? [] : [subjectAltName(names, subject.rdns.length === 0)]),
      ];
      const serialNumber = randomSerialNumber();
      const der = await signCertificate(
        { serialNumber, issuer, subject, ...validFor(validityDays), spki, extensions },
        signer,
      );
      issued.add(hash('sha256', der, 'hex'));
      return der;
    },
  };
}

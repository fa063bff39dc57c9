import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { networksOf } from '../ops/networks.ts';
import type { Certificate } from '../pkix/certificate.ts';
import {
  chooseKind,
  withKey,
  withKeyToMake,
  type KeyGenerationRequest,
  type RequestedCertificate,
} from '../pkix/key-generation-request.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { privateKeyInfo, type KeyToMake } from '../pkix/private-keys.ts';
import { describeNames } from '../pkix/requested-names.ts';
import type { AskedEnrollment } from '../policy/asked-enrollment.ts';
import { find, form } from '../policy/examination.ts';
import { namesToCertify } from '../policy/policy.ts';
import type { ServerKeyGeneration } from './alias.ts';
import { identify, withoutCode } from './enrollment-code.ts';
import { askCa, begin, beforeCa, cannotWait, certificateContent, guarded } from './enrollment.ts';
import { makePrivateKey } from './key-maker.ts';
import { chooseKeyProtection, type KeyProtection } from './key-protection.ts';
import type { Content, EstRequest, EstResponse } from './message.ts';
import { authenticate, readRequest } from './reading.ts';
import { receiveKeyGenerationRequest } from './received-request.ts';
import { revokeUndelivered } from './rejected-certificate.ts';
import { inOrderOf } from './renewed-certificate.ts';

/**
 * A certificate together with a new private key (RFC 7030, section 4.4). The CSR's own key is not certified: it is an
 * enrolment or a renewal like any other for a key that is not there yet. When all of it is granted and recorded, the
 * gateway makes the key, puts it in place of the CSR's own and signs. The key is stored nowhere; whoever asks again gets
 * another one.
 */
export async function serverkeygen(request: EstRequest): Promise<EstResponse> {
  const { alias, receivedAt } = request;
  const settings = settingsOf(request);
  const { shown, renewed } = await whoAsks(request, settings);
  const received = await readRequest(request, 'application/pkcs10', (der) =>
    receiveKeyGenerationRequest(request, der),
  );
  const { protect, wanted } = await find(form, () => ({
    protect: chooseKeyProtection(settings.encryption, received, shown, receivedAt),
    wanted: withKeyToMake(received, chooseKind(settings.keys, received)),
  }));
  const { identity, csr } =
    renewed === undefined
      ? identify(alias, shown, wanted)
      : { identity: shown, csr: inOrderOf(renewed, withoutCode(alias, wanted), alias) };
  request.annotate({ identity: identity.description, ...describeNames(csr) });
  const names = namesToCertify(csr, renewed);
  const asked = {
    operation: 'serverkeygen',
    identity,
    renewed,
    csr,
    names,
    signatures: [],
    certificates: [],
  } as const;
  const { keyPart, certificate } = await guarded(
    request,
    identity,
    async () => await enrollNewKey(request, asked, received, protect),
  );
  return { status: 'ok', secretParts: [keyPart, certificateContent(certificate)] };
}

type AskedForKey = AskedEnrollment<RequestedCertificate<KeyToMake>>;

interface EnrolledKey {
  readonly status: 'issued';
  readonly keyPart: Content;
  readonly certificate: Buffer;
}

/** As other enrolments, with the key made between the record and the CA. */
async function enrollNewKey(
  request: EstRequest,
  asked: AskedForKey,
  received: KeyGenerationRequest,
  protect: KeyProtection,
): Promise<EnrolledKey> {
  const begun = await begin(request, asked);
  if (begun.status !== 'begun') throw cannotWait();
  const { record } = begun;
  const { keyPart, csr } = await beforeCa(
    request,
    record,
    async () => await makeKey(request, asked, received, protect),
  );
  const askedWithKey = { ...asked, csr };
  try {
    const outcome = await askCa(request, record, askedWithKey);
    if (outcome.status === 'pending') throw cannotWait();
    if (request.clientGone().aborted) await revokeUndelivered(request, askedWithKey, outcome.certificate);
    return { status: 'issued', keyPart, certificate: outcome.certificate };
  } catch (error) {
    keyPart.body.fill(0);
    revokeWhatComesLate(request, record.id, askedWithKey);
    throw error;
  }
}

/** A CA that is still being asked when the time of the request is over may issue for a key that is gone. */
function revokeWhatComesLate(
  request: EstRequest,
  id: string,
  asked: AskedEnrollment<CertificationRequest>,
): void {
  request.jobs
    .find(id)
    ?.then(async (outcome) => {
      if (outcome.status === 'issued') await revokeUndelivered(request, asked, outcome.certificate);
    })
    .catch(() => {
      // The job has recorded why nothing was issued.
    });
}

interface MadeKey {
  readonly keyPart: Content;
  readonly csr: CertificationRequest;
}

/** Nobody waits for the key of a client that has gone: it would get another one. */
async function makeKey(
  request: EstRequest,
  { csr, identity }: AskedForKey,
  received: KeyGenerationRequest,
  protect: KeyProtection,
): Promise<MadeKey> {
  const party = [...networksOf(request.credentials.address), identity.key];
  const signal = AbortSignal.any([request.signal, request.clientGone()]);
  const privateKey = await makePrivateKey(csr.publicKey, signal, party);
  const { der, publicKey, signature } = await withKey(received, csr.publicKey.type, privateKey);
  return { keyPart: await protect(privateKeyInfo(privateKey)), csr: { ...csr, der, publicKey, signature } };
}

interface Asking {
  readonly shown: ClientIdentity;
  /** Undefined: a first certificate is asked for. */
  readonly renewed: Certificate | undefined;
}

/** Where the alias allows it, a certificate of its CA and nothing else asks for the next one, as simplereenroll does. */
async function whoAsks(request: EstRequest, { renewals }: ServerKeyGeneration): Promise<Asking> {
  const { clientCertificate, authorization } = request.credentials;
  const isAlone = clientCertificate !== undefined && authorization === undefined;
  const holder = renewals && isAlone ? await holderOf(request) : undefined;
  if (holder?.certificate?.trustAnchor === 'explicit') {
    return { shown: holder, renewed: holder.certificate.certificate };
  }
  return { shown: await authenticate(request), renewed: undefined };
}

/** Undefined: the certificate is not accepted, and its holder may still show what a first enrolment takes. */
async function holderOf(request: EstRequest): Promise<ClientIdentity | undefined> {
  try {
    return await authenticate(request, request.alias.authenticateRenewal);
  } catch (error) {
    if (error instanceof EstError && error.status === 403) return undefined;
    throw error;
  }
}

function settingsOf({ alias: { serverKeyGeneration } }: EstRequest): ServerKeyGeneration {
  if (serverKeyGeneration === undefined) {
    throw new EstError('unknown_operation', 'This alias makes no keys for its clients.');
  }
  return serverKeyGeneration;
}

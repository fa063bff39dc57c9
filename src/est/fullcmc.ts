import { asRegistrationAuthority } from '../auth/index.ts';
import {
  claimedSigner,
  refuseForeignSigner,
  requireRegistrationAuthority,
  type ClaimedSigner,
} from '../auth/message-signer.ts';
import { EstError, toEstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { onlyBodyPart, readFullPkiRequest, type BodyPart, type FullPkiRequest } from '../pkix/cmc-request.ts';
import { nameToString } from '../pkix/names.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import {
  proofOfPossession,
  type AskedEnrollment,
  type CertificateCheck,
} from '../policy/asked-enrollment.ts';
import type { Check } from '../policy/check.ts';
import { find, form } from '../policy/examination.ts';
import { namesToCertify } from '../policy/policy.ts';
import type { FullCmc } from './alias.ts';
import { enroll } from './enrollment.ts';
import { answered, refused, type AnswerTo } from './full-pki-response.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { authenticate, readRequest } from './reading.ts';
import { receiveCertificationRequest } from './received-request.ts';

/**
 * Enrolment by a Full PKI Request (RFC 7030, section 4.3). TLS and HTTP say who asks, as for simpleenroll; the
 * signature of the message is a second check, which gives no right beyond that. From the body on, everything is
 * answered by a signed Full PKI Response.
 */
export async function fullcmc(request: EstRequest): Promise<EstResponse> {
  const fullCmc = settingsOf(request);
  const shown = await authenticate(request);
  const message = await readRequest(request, 'application/pkcs7-mime; smime-type=CMC-request', (der) => der);
  let answerTo: AnswerTo = {};
  try {
    const received = readFullPkiRequest(message);
    answerTo = { conversation: received.pkiData.conversation };
    const part = onlyBodyPart(received.pkiData);
    answerTo = { ...answerTo, bodyPartId: part.bodyPartId };
    const { identity, csr, ...signed } = await find(form, () =>
      readSignedRequest(request, fullCmc, shown, received, part),
    );
    const fullPkiRequest = fullCmc.passThrough ? message : undefined;
    const asked = {
      operation: 'fullcmc',
      identity,
      csr,
      ...signed,
      names: namesToCertify(csr),
      fullPkiRequest,
    } as const;
    const outcome = await enroll(request, asked);
    return await answered(request, fullCmc, answerTo, outcome);
  } catch (thrown) {
    return await refused(request, fullCmc, answerTo, toEstError(thrown));
  }
}

function settingsOf({ alias }: EstRequest): FullCmc {
  if (alias.fullCmc === undefined) throw new EstError('unknown_operation', 'fullcmc is switched off.');
  return alias.fullCmc;
}

/** A PKCS#10, who asks for it, and what those who have to sign the message must have signed. */
type SignedRequest = Pick<
  AskedEnrollment<CertificationRequest>,
  'csr' | 'identity' | 'signatures' | 'certificates'
>;

/** Reads who says to have signed what; nothing of it is verified yet. */
function readSignedRequest(
  request: EstRequest,
  fullCmc: FullCmc,
  identity: ClientIdentity,
  { signedData }: FullPkiRequest,
  part: BodyPart,
): SignedRequest {
  const shown = identity.certificate?.certificate;
  if (part.kind === 'request') {
    const csr = receiveCertificationRequest(request, part.certificationRequest);
    const signer = claimedSigner(signedData, { requestedKey: csr.publicKey, shown });
    return {
      csr,
      identity,
      signatures: [proofOfPossession(csr), signedByClient(request, identity, signer)],
      // The TLS client certificate has been checked for this request already.
      certificates:
        signer.certificate?.sha256 === shown?.sha256 ? [] : signerInForce(request, fullCmc, signer),
    };
  }
  const signer = claimedSigner(signedData, { shown });
  const authority = requireRegistrationAuthority(signer.certificate);
  const scope = fullCmc.registrationAuthorityOf(authority);
  const nested = readNestedRequest(request, part.contentInfo);
  return {
    csr: nested.csr,
    identity: scope === undefined ? identity : asRegistrationAuthority(identity, scope),
    signatures: [
      signedByClient(request, identity, signer),
      proofOfPossession(nested.csr),
      { rule: signatureRule, check: nested.signer.verify },
    ],
    certificates: [
      ...signerInForce(request, fullCmc, signer),
      ...signerInForce(request, fullCmc, nested.signer),
    ],
  };
}

const signatureRule = 'fixed: the signature of the Full PKI Request';

/** Whether the message is signed by the requested key or by the client. */
function signedByClient(request: EstRequest, identity: ClientIdentity, signer: ClaimedSigner): Check {
  const { certificate, verify } = signer;
  return {
    rule: signatureRule,
    check: async () => {
      await verify();
      if (certificate === undefined) return;
      request.annotate({ signedBy: nameToString(certificate.subject) });
      refuseForeignSigner(identity, certificate);
    },
  };
}

/** Whether a certificate by which somebody signed is one of the alias's CA, and in force. */
function signerInForce(
  { receivedAt, signal }: EstRequest,
  { checkSigner }: FullCmc,
  { certificate }: ClaimedSigner,
): readonly CertificateCheck[] {
  if (certificate === undefined) return [];
  const check = async (): Promise<void> => {
    await checkSigner(certificate, receivedAt, signal);
  };
  return [{ rule: 'fixed: the certificate of the signer', certificate, check }];
}

interface NestedRequest {
  readonly csr: CertificationRequest;
  readonly signer: ClaimedSigner;
}

/** The request of somebody else that a registration authority sends: signed by its own signer, and not nested again. */
function readNestedRequest(request: EstRequest, contentInfo: Buffer): NestedRequest {
  const nested = readFullPkiRequest(contentInfo);
  const part = onlyBodyPart(nested.pkiData);
  if (part.kind === 'nested') {
    throw new EstError(
      'bad_certification_request',
      'A Full PKI Request may hold one of somebody else, but no further one inside that.',
      { cmcFailure: 'badRequest' },
    );
  }
  const csr = receiveCertificationRequest(request, part.certificationRequest);
  return { csr, signer: claimedSigner(nested.signedData, { requestedKey: csr.publicKey }) };
}

import { checkChannelBinding } from '../auth/channel-binding.ts';
import {
  refuseForeignSigner,
  requireRegistrationAuthority,
  verifyMessageSigner,
} from '../auth/message-signer.ts';
import { EstError, toEstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { onlyBodyPart, readFullPkiRequest, type BodyPart, type FullPkiRequest } from '../pkix/cmc-request.ts';
import { nameToString } from '../pkix/names.ts';
import { verifyProofOfPossession, type CertificationRequest } from '../pkix/pkcs10.ts';
import { permitEnrollment } from '../policy/policy.ts';
import type { FullCmc } from './alias.ts';
import { enroll } from './enrollment.ts';
import { answered, refused, type AnswerTo } from './full-pki-response.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { receiveCertificationRequest } from './received-request.ts';

/**
 * Enrolment by a Full PKI Request (RFC 7030, section 4.3). TLS and HTTP say who asks, as for simpleenroll; the
 * signature of the message is a second check, which gives no right beyond that. From the body on, everything is
 * answered by a signed Full PKI Response.
 */
export async function fullcmc(request: EstRequest): Promise<EstResponse> {
  const { alias } = request;
  const fullCmc = settingsOf(request);
  const shown = await alias.authenticate(request.credentials, request.receivedAt, request.signal);
  request.annotate({ identity: shown.description, trustAnchor: shown.certificate?.trustAnchor });
  const message = await request.readBody('application/pkcs7-mime; smime-type=CMC-request');
  let answerTo: AnswerTo = {};
  try {
    const received = readFullPkiRequest(message);
    answerTo = { conversation: received.pkiData.conversation };
    const part = onlyBodyPart(received.pkiData);
    answerTo = { ...answerTo, bodyPartId: part.bodyPartId };
    const { csr, identity } = await readSignedRequest(request, fullCmc, shown, received, part);
    checkChannelBinding(csr, request.channelBinding, identity);
    const names = permitEnrollment(alias.policy, identity, csr);
    const fullPkiRequest = fullCmc.passThrough ? message : undefined;
    const otpUser = await alias.verifyOtp(csr, identity, request);
    const enrollment = { identity, otpUser, csr, names, fullPkiRequest };
    const outcome = await enroll(request, { operation: 'fullcmc', ...enrollment });
    return await answered(request, fullCmc, answerTo, outcome);
  } catch (thrown) {
    return await refused(request, fullCmc, answerTo, toEstError(thrown));
  }
}

function settingsOf({ alias }: EstRequest): FullCmc {
  if (alias.fullCmc === undefined) throw new EstError('unknown_operation', 'fullcmc is switched off.');
  return alias.fullCmc;
}

/** The PKCS#10 and who asks for it, when everybody who had to sign the message did so, and may. */
async function readSignedRequest(
  request: EstRequest,
  fullCmc: FullCmc,
  identity: ClientIdentity,
  received: FullPkiRequest,
  part: BodyPart,
): Promise<{ readonly csr: CertificationRequest; readonly identity: ClientIdentity }> {
  const shown = identity.certificate?.certificate;
  if (part.kind === 'request') {
    const csr = receiveCertificationRequest(request, part.certificationRequest);
    await verifyProofOfPossession(csr);
    const signer = await verifyMessageSigner(received.signedData, { requestedKey: csr.publicKey, shown });
    if (signer === undefined) return { csr, identity };
    request.annotate({ signedBy: nameToString(signer.subject) });
    refuseForeignSigner(identity, signer);
    // The TLS client certificate has been checked for this request already.
    if (signer.sha256 !== shown?.sha256)
      await fullCmc.checkSigner(signer, request.receivedAt, request.signal);
    return { csr, identity };
  }
  const authority = requireRegistrationAuthority(await verifyMessageSigner(received.signedData, { shown }));
  request.annotate({ signedBy: nameToString(authority.subject) });
  refuseForeignSigner(identity, authority);
  await fullCmc.checkSigner(authority, request.receivedAt, request.signal);
  const csr = await readNestedRequest(request, fullCmc, part.contentInfo);
  const registrationAuthority = fullCmc.registrationAuthorityOf(authority);
  return { csr, identity: { ...identity, registrationAuthority } };
}

/** The request of somebody else that a registration authority sends: signed by its own signer, and not nested again. */
async function readNestedRequest(
  request: EstRequest,
  { checkSigner }: FullCmc,
  contentInfo: Buffer,
): Promise<CertificationRequest> {
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
  await verifyProofOfPossession(csr);
  const signer = await verifyMessageSigner(nested.signedData, { requestedKey: csr.publicKey });
  if (signer !== undefined) await checkSigner(signer, request.receivedAt, request.signal);
  return csr;
}

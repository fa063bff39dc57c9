import { createHash } from 'node:crypto';
import { readCertificate, readSerialNumber, type Certificate } from './certificate.ts';
import {
  contextTag,
  DerError,
  expectTag,
  readBitString,
  readBoolean,
  readDer,
  readObjectIdentifier,
  readOctetString,
  readTime,
  tags,
  type DerNode,
} from './der.ts';
import {
  null_,
  objectIdentifier,
  octetString,
  sequence,
  serialInteger,
  toDer,
  type Asn1,
} from './der-write.ts';
import { reasonText, type Revocation } from './crl-read.ts';
import { decodePublicKey } from './keys.ts';
import { namesEqual, readName } from './names.ts';
import { oids } from './oids.ts';
import { hasUnknownCriticalExtension } from './path/issuers.ts';
import { verifySignature } from './signature.ts';

/** What a responder says of one certificate (RFC 6960, section 2.2). */
export interface CertificateStatusAnswer {
  readonly status: 'good' | 'revoked' | 'unknown';
  readonly thisUpdate: Date;
  /** Undefined: newer information is available at any time. */
  readonly nextUpdate: Date | undefined;
  /** Why and since when, where it is revoked. */
  readonly revocation: Revocation | undefined;
  /** The certificate of who answered, unless that is the CA or the CA says that it is never revoked (id-pkix-ocsp-nocheck). */
  readonly responder: Certificate | undefined;
}

/** A certificate and the one of the CA that issued it. */
export interface IssuedCertificate {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
}

/**
 * An OCSPRequest for one certificate, DER. Issuers are named by SHA-1, the only hash that all responders know
 * (RFC 5019, section 2.1.1); nothing rests on its strength.
 */
export function ocspRequest(subject: IssuedCertificate): Buffer {
  return toDer(sequence(sequence(sequence(sequence(certId(subject))))));
}

function certId({ certificate, issuer }: IssuedCertificate): Asn1 {
  return sequence(
    sequence(objectIdentifier(oids.sha1), null_()),
    octetString(sha1(certificate.issuer.der)),
    octetString(sha1(keyOctets(issuer))),
    serialInteger(certificate.serialNumber),
  );
}

/** Who answers with one of these has nothing to say; by the numbers of OCSPResponseStatus. */
const responseStatuses: Readonly<Record<number, string>> = {
  1: 'malformedRequest',
  2: 'internalError',
  3: 'tryLater',
  5: 'sigRequired',
  6: 'unauthorized',
};

/**
 * What an OCSPResponse (DER) says of the certificate, when it was signed by its issuer, or by a responder that the
 * issuer itself certified for that (RFC 6960, section 4.2.2.2), which must be in date at `now`. Throws DerError with
 * the reason why the answer does not count; EstError for a key or an algorithm that is not accepted.
 */
export async function readOcspResponse(
  der: Buffer,
  subject: IssuedCertificate,
  now: Date,
): Promise<CertificateStatusAnswer> {
  const [status, responseBytes] = expectTag(readDer(der), tags.sequence, 'The OCSPResponse').children;
  const code = expectTag(status, tags.enumerated, 'The responseStatus').content[0] ?? 0;
  if (code !== 0) throw new DerError(`The OCSP responder answers ${responseStatuses[code] ?? 'nonsense'}.`);
  const [type, response] = responseBytes?.children[0]?.children ?? [];
  if (type === undefined || response === undefined || readObjectIdentifier(type) !== oids.ocspBasic) {
    throw new DerError('The OCSP answer is no basic response.');
  }
  const basic = readBasicResponse(readOctetString(response));
  const signer = await findSigner(basic, subject.issuer, now);
  const key = decodePublicKey(readDer(signer.spki));
  if (!(await verifySignature(basic.signatureAlgorithm, key, basic.tbs.bytes, basic.signature))) {
    throw new DerError('The signature of the OCSP answer is wrong.');
  }
  const isTrusted =
    signer === subject.issuer || signer.extensions.some(({ oid }) => oid === oids.ocspNoCheck);
  return { ...findAnswer(basic.responses, subject), responder: isTrusted ? undefined : signer };
}

interface BasicResponse {
  readonly tbs: DerNode;
  readonly responderId: DerNode;
  readonly responses: readonly DerNode[];
  readonly signatureAlgorithm: DerNode;
  readonly signature: Buffer;
  readonly certificates: readonly Certificate[];
}

function readBasicResponse(der: Buffer): BasicResponse {
  const [tbs, signatureAlgorithm, signature, certificates] = readDer(der).children;
  const hasVersion = tbs?.children[0]?.tag === contextTag(0, 'constructed');
  const [responderId, , responses, extensions] = tbs?.children.slice(hasVersion ? 1 : 0) ?? [];
  if (
    tbs === undefined ||
    responderId === undefined ||
    signatureAlgorithm === undefined ||
    signature === undefined
  ) {
    throw new DerError('The OCSP answer is malformed.');
  }
  refuseCritical(extensions);
  return {
    tbs,
    responderId,
    responses: expectTag(responses, tags.sequence, 'The list of responses').children,
    signatureAlgorithm,
    signature: readBitString(signature).octets,
    certificates: (certificates?.children[0]?.children ?? []).map(({ bytes }) => readCertificate(bytes)),
  };
}

/** Nothing that may be critical is known here. */
function refuseCritical(extensions: DerNode | undefined): void {
  for (const { children } of extensions?.children[0]?.children ?? []) {
    const [, critical] = children;
    if (critical?.tag === tags.boolean && readBoolean(critical)) {
      throw new DerError('The OCSP answer has an unknown critical extension.');
    }
  }
}

/** The issuer, or a responder that the issuer certified. */
async function findSigner(
  { responderId, certificates }: BasicResponse,
  issuer: Certificate,
  now: Date,
): Promise<Certificate> {
  if (isNamedBy(responderId, issuer)) return issuer;
  const responder = certificates.find((certificate) => isNamedBy(responderId, certificate));
  if (responder === undefined) {
    throw new DerError(
      'The OCSP answer was signed by somebody else than the CA, whose certificate is not in it.',
    );
  }
  await requireDelegated(responder, issuer, now);
  return responder;
}

/** ResponderID: by name or by the SHA-1 of the key. */
function isNamedBy({ tag, children: [value] }: DerNode, certificate: Certificate): boolean {
  if (value === undefined) throw new DerError('The responderID is malformed.');
  return tag === contextTag(1, 'constructed')
    ? namesEqual(readName(value), certificate.subject)
    : readOctetString(value).equals(sha1(keyOctets(certificate)));
}

async function requireDelegated(responder: Certificate, issuer: Certificate, now: Date): Promise<void> {
  const { tbs, signatureAlgorithm, signature } = responder.signed;
  const key = decodePublicKey(readDer(issuer.spki));
  const isIssued =
    namesEqual(responder.issuer, issuer.subject) &&
    (await verifySignature(signatureAlgorithm, key, tbs, readBitString(signature).octets));
  if (!isIssued) throw new DerError('The OCSP answer was signed by somebody whom the CA has not certified.');
  const mayAnswer =
    responder.extendedKeyUsage?.includes(oids.OCSPSigning) === true &&
    responder.keyUsage?.includes('digitalSignature') !== false;
  if (!mayAnswer) {
    throw new DerError('The OCSP answer was signed by a certificate without the purpose id-kp-OCSPSigning.');
  }
  if (now < responder.notBefore || now > responder.notAfter) {
    throw new DerError('The certificate of the OCSP responder has expired or is not valid yet.');
  }
  if (hasUnknownCriticalExtension(responder)) {
    throw new DerError('The certificate of the OCSP responder has an unknown critical extension.');
  }
}

const statusByTag: ReadonlyMap<number, CertificateStatusAnswer['status']> = new Map([
  [contextTag(0, 'primitive'), 'good'],
  [contextTag(1, 'constructed'), 'revoked'],
  [contextTag(2, 'primitive'), 'unknown'],
]);

/** The SingleResponse about the certificate. */
function findAnswer(
  responses: readonly DerNode[],
  subject: IssuedCertificate,
): Omit<CertificateStatusAnswer, 'responder'> {
  const response = responses.find(({ children: [id] }) => id !== undefined && isAbout(id, subject));
  const [, statusNode, thisUpdate, ...optional] = response?.children ?? [];
  const status = statusByTag.get(statusNode?.tag ?? 0);
  if (status === undefined || thisUpdate === undefined) {
    throw new DerError('The OCSP answer says nothing of the certificate.');
  }
  refuseCritical(optional.find(({ tag }) => tag === contextTag(1, 'constructed')));
  const nextUpdate = optional.find(({ tag }) => tag === contextTag(0, 'constructed'))?.children[0];
  return {
    status,
    thisUpdate: readTime(thisUpdate),
    nextUpdate: nextUpdate === undefined ? undefined : readTime(nextUpdate),
    revocation: status === 'revoked' ? readRevokedInfo(statusNode) : undefined,
  };
}

/** RevokedInfo of RFC 6960, section 4.2.1. */
function readRevokedInfo(node: DerNode | undefined): Revocation {
  const [time, reason] = node?.children ?? [];
  if (time === undefined)
    throw new DerError('The OCSP answer does not say since when the certificate is revoked.');
  return { since: readTime(time), reason: reasonText(reason?.children[0]?.content) };
}

/** CertID: all of it as it was asked. */
function isAbout({ children: [algorithm, name, key, serial] }: DerNode, subject: IssuedCertificate): boolean {
  const [hash] = algorithm?.children ?? [];
  return (
    hash !== undefined &&
    name !== undefined &&
    key !== undefined &&
    serial !== undefined &&
    readObjectIdentifier(hash) === oids.sha1 &&
    readOctetString(name).equals(sha1(subject.certificate.issuer.der)) &&
    readOctetString(key).equals(sha1(keyOctets(subject.issuer))) &&
    readSerialNumber(serial) === subject.certificate.serialNumber
  );
}

/** The BIT STRING in the SubjectPublicKeyInfo. */
function keyOctets({ spki }: Certificate): Buffer {
  const [, key] = readDer(spki).children;
  return readBitString(expectTag(key, tags.bitString, 'The subjectPublicKey')).octets;
}

function sha1(octets: Buffer): Buffer {
  return createHash('sha1').update(octets).digest();
}

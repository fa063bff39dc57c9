import { explicit, integer, objectIdentifier, primitive, sequence, set, toDer } from './der-write.ts';
import { contextTag } from './der.ts';
import { oids } from './oids.ts';

/**
 * Certificates (DER) in a degenerate SignedData: nothing signed, no signers, no CRLs (RFC 5272, section 4.1).
 * DER sorts them; their order means nothing.
 */
export function certsOnly(certificates: readonly Buffer[]): Buffer {
  const version1 = integer(1);
  const digestAlgorithms = set();
  const encapContentInfo = sequence(objectIdentifier(oids.data));
  // CertificateSet is a SET OF under an implicit tag, sorted by octets (X.690, section 11.6).
  const sorted = [...certificates].sort((left, right) => Buffer.compare(left, right));
  const certificateSet = primitive(contextTag(0, 'constructed'), Buffer.concat(sorted));
  const signerInfos = set();
  const signedData = sequence(version1, digestAlgorithms, encapContentInfo, certificateSet, signerInfos);
  return toDer(sequence(objectIdentifier(oids.signedData), explicit(0, signedData)));
}

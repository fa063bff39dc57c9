import {
  embed,
  explicit,
  integer,
  primitive,
  sequence,
  serialInteger,
  time,
  toDer,
  type Asn1,
} from './der-write.ts';
import { tags } from './der.ts';
import { authorityKeyIdentifier, extensionToAsn1 } from './extensions-write.ts';
import type { Name } from './names.ts';
import { oids } from './oids.ts';
import { signStructure, type Signer } from './signer.ts';

/** CRLReason of RFC 5280, section 5.3.1, without what only delta CRLs need. */
const reasonCodes = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;

/** One entry of a CRL. */
export interface RevokedCertificate {
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly at: Date;
  readonly reason: keyof typeof reasonCodes;
}

/** What a CRL says (TBSCertList of RFC 5280, section 5.1). */
export interface CertificateRevocationList {
  readonly issuer: Name;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly crlNumber: number;
  /** The subject key identifier of the issuer. */
  readonly authorityKeyIdentifier: Buffer;
  readonly revoked: readonly RevokedCertificate[];
}

/** Signs a complete CRL, version 2, and gives its DER. */
export async function signCertificateRevocationList(
  crl: CertificateRevocationList,
  signer: Signer,
): Promise<Buffer> {
  const version2 = integer(1);
  return await signStructure(
    sequence(
      version2,
      signer.algorithmIdentifier,
      embed(crl.issuer.der),
      time(crl.thisUpdate),
      time(crl.nextUpdate),
      ...revokedCertificates(crl.revoked),
      explicit(0, crlExtensions(crl)),
    ),
    signer,
  );
}

/** Left out when nothing is revoked, as RFC 5280, section 5.1.2.6 demands. */
function revokedCertificates(revoked: readonly RevokedCertificate[]): readonly Asn1[] {
  if (revoked.length === 0) return [];
  return [primitive(tags.sequence, Buffer.concat(revoked.map((entry) => toDer(crlEntry(entry)))))];
}

function crlEntry({ serialNumber, at, reason }: RevokedCertificate): Asn1 {
  const entry = [serialInteger(serialNumber), time(at)];
  // RFC 5280, section 5.3.1: unspecified is said by saying nothing.
  if (reason === 'unspecified') return sequence(...entry);
  const value = toDer(primitive(tags.enumerated, Buffer.of(reasonCodes[reason])));
  return sequence(...entry, sequence(extensionToAsn1({ oid: oids.reasonCode, critical: false, value })));
}

function crlExtensions(crl: CertificateRevocationList): Asn1 {
  const crlNumber = { oid: oids.cRLNumber, critical: false, value: toDer(integer(crl.crlNumber)) };
  return sequence(
    extensionToAsn1(authorityKeyIdentifier(crl.authorityKeyIdentifier)),
    extensionToAsn1(crlNumber),
  );
}

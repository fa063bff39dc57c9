import { randomBytes } from 'node:crypto';
import { embed, explicit, integer, sequence, serialInteger, time } from './der-write.ts';
import { extensionToAsn1 } from './extensions-write.ts';
import type { Extension } from './extensions.ts';
import type { Name } from './names.ts';
import { signStructure, type Signer } from './signer.ts';

/** What a certificate says (TBSCertificate of RFC 5280, section 4.1). */
export interface TbsCertificate {
  /** Lower-case hex, of at most 20 octets. */
  readonly serialNumber: string;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** At least one. */
  readonly extensions: readonly Extension[];
}

/** Signs an X.509 certificate, version 3, and gives its DER. */
export async function signCertificate(tbs: TbsCertificate, signer: Signer): Promise<Buffer> {
  const version3 = explicit(0, integer(2));
  return await signStructure(
    sequence(
      version3,
      serialInteger(tbs.serialNumber),
      signer.algorithmIdentifier,
      embed(tbs.issuer.der),
      sequence(time(tbs.notBefore), time(tbs.notAfter)),
      embed(tbs.subject.der),
      embed(tbs.spki),
      explicit(3, sequence(...tbs.extensions.map(extensionToAsn1))),
    ),
    signer,
  );
}

/** A random serial number: positive, always 16 octets, 126 bits of chance (RFC 5280, section 4.1.2.2). */
export function randomSerialNumber(): string {
  const octets = randomBytes(16);
  octets.writeUInt8((octets.readUInt8(0) & 0x7f) | 0x40, 0);
  return octets.toString('hex');
}

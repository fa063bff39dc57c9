import { EstError } from '../../errors.ts';
import { giveWay } from '../../ops/give-way.ts';
import { randomSerialNumber, signCertificate } from '../../pkix/certificate-write.ts';
import { certifiedNames } from '../../pkix/certified-names.ts';
import {
  authorityKeyIdentifier,
  keyIdentifierOf,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../pkix/extensions-write.ts';
import type { Extension } from '../../pkix/extensions.ts';
import type { GeneralName } from '../../pkix/general-names.ts';
import type { Name } from '../../pkix/names.ts';
import type { EnrollmentRequest } from '../ca.ts';
import type { Authority } from './authority.ts';
import type { Profile } from './profile.ts';

/** A certificate that nobody has seen yet. */
interface NewCertificate {
  /** DER. */
  readonly certificate: Buffer;
  readonly serialNumber: string;
  /** SHA-256 of the subjectPublicKeyInfo, hex. */
  readonly publicKey: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Makes the certificate of a request; what the profile does not grant is `rejected_by_ca`. */
export type Issue = (request: IssuanceRequest, profile: Profile, now: Date) => Promise<NewCertificate>;

/** What of a request a certificate is made from. */
type IssuanceRequest = Pick<
  EnrollmentRequest,
  'csr' | 'subject' | 'subjectAltName' | 'keyUsage' | 'extendedKeyUsage'
>;

/**
 * Prepares what all certificates of the CA share. Certificates begin `backdate` seconds ago and never outlive
 * the CA.
 */
export function createIssuance(authority: Authority, backdate: number): Issue {
  const { certificate: issuer, signer, chain } = authority;
  const authorityKey = authorityKeyIdentifier(authority.keyIdentifier);
  const earliest = Math.max(...chain.map(({ notBefore }) => notBefore.getTime()));
  const latest = Math.min(...chain.map(({ notAfter }) => notAfter.getTime()));

  return async function issue(request, profile, now) {
    await giveWay(request.csr.der.length);
    // Certificates count in whole seconds, and the registry shall say what they say.
    const second = Math.floor(now.getTime() / 1000) * 1000;
    if (second >= latest) {
      throw new EstError('ca_unavailable', 'The CA certificate has expired; renew it.', {
        nothingIssued: true,
      });
    }
    const { spki, type, sha256: publicKey } = request.csr.publicKey;
    const validity = {
      notBefore: new Date(Math.max(second - backdate * 1000, earliest)),
      notAfter: new Date(Math.min(second + profile.validity, latest)),
    };
    const serialNumber = randomSerialNumber();
    const { subject, subjectAltName: names } = certifiedNames(request);
    const extensions = [
      authorityKey,
      subjectKeyIdentifier(keyIdentifierOf(spki)),
      ...subjectAltNames(subject, names),
      ...profile.extensionsFor(type, request),
    ];
    const tbs = { serialNumber, issuer: issuer.subject, subject, ...validity, spki, extensions };
    return { certificate: await signCertificate(tbs, signer), serialNumber, publicKey, ...validity };
  };
}

/** Critical when there is no subject (RFC 5280, section 4.1.2.6). */
function subjectAltNames(subject: Name, names: readonly GeneralName[]): readonly Extension[] {
  return names.length === 0 ? [] : [subjectAltName(names, subject.rdns.length === 0)];
}

import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { DerError, readDer } from '../pkix/der.ts';
import { generalNamesEqual } from '../pkix/general-names.ts';
import { decodePublicKey, type PublicKey } from '../pkix/keys.ts';
import { attributeValues, namesEqual } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import { verifySignedData, type SignedData, type SignerIdentifier } from '../pkix/signed-data-read.ts';

/** What may have signed a message besides the certificates that are in it. */
export interface PossibleSigners {
  /** The key for which a certificate is asked (RFC 5272, section 3.2). */
  readonly requestedKey?: PublicKey;
  /** The TLS client certificate. */
  readonly shown?: Certificate | undefined;
}

/** Who says to have signed a message. */
export interface ClaimedSigner {
  /** Undefined: the requested key. Nothing of it has been believed. */
  readonly certificate: Certificate | undefined;
  /** Rejects with `bad_certification_request` unless this one signed the message. */
  readonly verify: () => Promise<void>;
}

/** Finds the signer that a message names. Throws `bad_certification_request` when it can be none that is known. */
export function claimedSigner(
  signedData: SignedData,
  { requestedKey, shown }: PossibleSigners,
): ClaimedSigner {
  const { signerIdentifier } = signedData.signerInfo;
  const candidates = [...signedData.certificates, ...(shown === undefined ? [] : [shown])];
  const named = candidates.find((candidate) => isNamedBy(signerIdentifier, candidate));
  // Who is named by no certificate can only be the requested key, which has none yet.
  const spki = (named ?? requestedKey)?.spki;
  if (spki === undefined) throw badSignature('no certificate of the signer is in it');
  return {
    certificate: requestedKey?.spki.equals(spki) === true ? undefined : named,
    verify: async () => {
      if (!(await isSignedBy(signedData, spki))) throw badSignature('the signature or the digest is wrong');
    },
  };
}

async function isSignedBy(signedData: SignedData, spki: Buffer): Promise<boolean> {
  try {
    return await verifySignedData(signedData, decodePublicKey(readDer(spki)));
  } catch (error) {
    if (error instanceof DerError) throw badSignature('it is malformed', error);
    throw error;
  }
}

function isNamedBy(signerIdentifier: SignerIdentifier, certificate: Certificate): boolean {
  return signerIdentifier.kind === 'subjectKeyIdentifier'
    ? certificate.subjectKeyIdentifier?.equals(signerIdentifier.keyIdentifier) === true
    : certificate.issuer.der.equals(signerIdentifier.issuer) &&
        certificate.serialNumber === signerIdentifier.serialNumber;
}

/**
 * Refuses a signer that is somebody else than the authenticated client: the certificate must be the TLS client
 * certificate, have the same names as one that the EST CA issued, or carry the user's name. Throws `forbidden`.
 */
export function refuseForeignSigner(identity: ClientIdentity, signer: Certificate): void {
  const isOwn =
    identity.certificate === undefined
      ? identity.user !== undefined && carriesName(signer, identity.user.name)
      : identity.certificate.certificate.sha256 === signer.sha256 ||
        (identity.certificate.trustAnchor === 'explicit' &&
          haveSameNames(identity.certificate.certificate, signer));
  if (isOwn) return;
  throw new EstError(
    'forbidden',
    'The request was signed by somebody else than the authenticated client; both must be the same.',
    { cmcFailure: 'badIdentity' },
  );
}

function haveSameNames(one: Certificate, other: Certificate): boolean {
  return (
    namesEqual(one.subject, other.subject) &&
    generalNamesEqual(one.subjectAltName ?? [], other.subjectAltName ?? [])
  );
}

function carriesName({ subject, subjectAltName = [] }: Certificate, name: string): boolean {
  return (
    attributeValues(subject, oids.commonName).includes(name) ||
    subjectAltName.some(
      (other) => other.type === 'dNSName' && other.value.toLowerCase() === name.toLowerCase(),
    )
  );
}

/** The signer, when it may send the requests of others (RFC 6402, section 2.10). Throws `forbidden`. */
export function requireRegistrationAuthority(signer: Certificate | undefined): Certificate {
  if (signer?.extendedKeyUsage?.includes(oids.cmcRA) === true) return signer;
  throw new EstError(
    'forbidden',
    'Only a registration authority may send the request of somebody else: its certificate must have the ' +
      'extended key usage id-kp-cmcRA.',
    { cmcFailure: 'badIdentity' },
  );
}

function badSignature(reason: string, cause?: unknown): EstError {
  return new EstError(
    'bad_certification_request',
    `The signature of the Full PKI Request is refused: ${reason}.`,
    { cause, cmcFailure: 'badMessageCheck' },
  );
}

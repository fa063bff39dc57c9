import type { Certificate } from '../../pkix/certificate.ts';
import { readRevocationList, type RevocationList } from '../../pkix/crl-read.ts';
import { DerError, readDer } from '../../pkix/der.ts';
import { decodePublicKey } from '../../pkix/keys.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import { revocationReasons, type Revocation, type RevokedCertificate } from '../../store/store.ts';

/** What the last CRLs of a CA say. */
export interface LastLists {
  readonly revoked: readonly RevokedCertificate[];
  /** The highest number; 0: there was no CRL. */
  readonly crlNumber: number;
  /** What their owner should know, as sentences. */
  readonly doubts: readonly string[];
}

/** A file of the past, by its name. */
export interface PastFile {
  readonly name: string;
  /** DER. */
  readonly der: Buffer;
}

/** Reads the last CRLs of a CA, of which each must be signed by it. Throws an Error with a plain sentence. */
export async function readLastLists(
  issuer: Certificate,
  files: readonly PastFile[],
  now: Date,
): Promise<LastLists> {
  const lists = await Promise.all(
    files.map(async ({ name, der }) => ({ name, list: await readList(issuer, name, der) })),
  );
  return {
    revoked: lists.flatMap(({ list }) => entriesOf(list)),
    crlNumber: Math.max(0, ...lists.map(({ name, list }) => numberOf(name, list))),
    doubts: lists
      .filter(({ list: { nextUpdate } }) => nextUpdate < now)
      .map(({ name }) => `${name}: its nextUpdate has passed; was there a later CRL?`),
  };
}

async function readList(issuer: Certificate, name: string, der: Buffer): Promise<RevocationList> {
  try {
    const list = await readRevocationList(der);
    if (!namesEqual(list.issuer, issuer.subject)) {
      throw new Error(`expected a CRL of ${nameToString(issuer.subject)}.`);
    }
    if (!(await list.isSignedBy(decodePublicKey(readDer(issuer.spki))))) {
      throw new Error('the CRL was not signed by the key of the CA.');
    }
    return list;
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function entriesOf({ serialNumbers, revocationOf }: RevocationList): readonly RevokedCertificate[] {
  return [...serialNumbers].flatMap((serialNumber) => {
    const found = revocationOf(serialNumber);
    // Complete CRLs have no removeFromCRL (RFC 5280, section 5.3.1).
    return found === undefined || found.reason === 'removeFromCRL'
      ? []
      : [{ serialNumber, revocation: { at: found.since, reason: knownReason(found.reason) } }];
  });
}

function knownReason(reason: string): Revocation['reason'] {
  const known = [...revocationReasons, 'certificateHold'] as const;
  return known.find((one) => one === reason) ?? 'unspecified';
}

function numberOf(name: string, { crlNumber = 0n }: RevocationList): number {
  if (crlNumber < BigInt(Number.MAX_SAFE_INTEGER)) return Number(crlNumber);
  throw new Error(`${name}: the CRL number ${crlNumber.toString()} is too high to be carried on here.`);
}

/** Throws an Error with a plain sentence unless the CA signed the certificate. */
export async function requireIssued(
  issuer: Certificate,
  name: string,
  certificate: Certificate,
): Promise<void> {
  try {
    if (namesEqual(certificate.issuer, issuer.subject) && (await isSignedBy(certificate, issuer))) return;
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
  }
  throw new Error(
    `${name}: the certificate ${nameToString(certificate.subject)} was not issued by ${nameToString(issuer.subject)}.`,
  );
}

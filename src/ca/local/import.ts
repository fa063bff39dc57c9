import { certificateToPem } from '../../pkix/certificate.ts';
import { readAuthority } from './authority.ts';
import { encryptPrivateKey } from './create.ts';

/** An existing CA as its owner has it, all PEM. */
export interface ExistingCertificationAuthority {
  readonly certificate: string;
  /** PKCS#8, PKCS#1 or SEC 1, perhaps encrypted. */
  readonly privateKey: string;
  /** Opens the private key; undefined when it is not encrypted. */
  readonly passphrase: string | undefined;
  /** PEM texts of the certificates above it, up to the self-signed root, in any order. */
  readonly chain: readonly string[];
  /** Encrypts the private key from now on. */
  readonly newPassphrase: string;
  readonly now: Date;
}

/** What the local CA's options `certificate`, `privateKey` and `chain` take; all PEM. */
export interface ImportedCertificationAuthority {
  readonly certificate: string;
  /** Encrypted PKCS#8. */
  readonly privateKey: string;
  /** From the issuer of `certificate` to the root; empty when it is the root itself. */
  readonly chain: string;
}

/**
 * Checks an existing CA as the local backend does when it opens, and gives it in the form that it is kept in.
 * Throws an Error with a plain sentence.
 */
export function importCertificationAuthority({
  newPassphrase,
  now,
  ...texts
}: ExistingCertificationAuthority): ImportedCertificationAuthority {
  const { certificate, privateKey, chain } = readAuthority(texts, now);
  const above = chain.slice(1).map(({ der }) => certificateToPem(der));
  return {
    certificate: certificateToPem(certificate.der),
    privateKey: encryptPrivateKey(privateKey, newPassphrase),
    chain: above.join(''),
  };
}

import { EstError } from '../errors.ts';
import { oids, privilegedPurposes } from '../pkix/oids.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';

/** Extensions that would make the certificate speak for a CA, or steer a Microsoft CA by a template. */
const forbiddenExtensions: ReadonlySet<string> = new Set([
  oids.nameConstraints,
  oids.policyConstraints,
  oids.policyMappings,
  oids.inhibitAnyPolicy,
  oids.microsoftEnrollCertType,
  oids.microsoftCertificateTemplate,
]);

/** The extensions that a CSR asks for. */
type RequestedExtensions = Pick<
  CertificationRequest,
  'keyUsage' | 'extendedKeyUsage' | 'basicConstraints'
> & { readonly extensions: readonly { readonly oid: string }[] };

/** Refuses a CSR that asks for rights no device may have, whatever the alias grants. Throws `refused_by_policy`. */
export function refuseForbiddenExtensions(csr: RequestedExtensions): void {
  if (csr.basicConstraints?.cA === true || csr.basicConstraints?.pathLenConstraint !== undefined) {
    throw forbidden('to be a certificate authority (basicConstraints)');
  }
  if (csr.keyUsage?.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign') === true) {
    throw forbidden('to sign certificates or CRLs (keyUsage)');
  }
  if (csr.extendedKeyUsage?.some((usage) => privilegedPurposes.has(usage)) === true) {
    throw forbidden('for the rights of a CA, a registration authority or a signer (extendedKeyUsage)');
  }
  if (csr.extensions.some(({ oid }) => forbiddenExtensions.has(oid))) {
    throw forbidden('for an extension that only a CA may hold, or for a Microsoft template');
  }
}

function forbidden(what: string): EstError {
  return new EstError('refused_by_policy', `The CSR asks ${what}, which is never granted.`, {
    cmcFailure: 'unsupportedExt',
  });
}

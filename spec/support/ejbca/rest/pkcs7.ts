import { certsOnly } from '../../../../src/pkix/cms.ts';

/** A certs-only PKCS#7 in PEM, as `response_format` PKCS7 gives it. */
export function certsOnlyPem(certificates: readonly Buffer[]): string {
  const lines =
    certsOnly(certificates)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PKCS7-----', ...lines, '-----END PKCS7-----', ''].join('\n');
}

/** The CRLs of a CA. */
import type { RevokedCertificate } from '../../../../src/pkix/crl.ts';
import { issueCrl } from '../authority.ts';
import type { CertificationAuthority, Database, RevocationReason } from './database.ts';

const crlReasons: Partial<Record<RevocationReason, RevokedCertificate['reason']>> = {
  KEY_COMPROMISE: 'keyCompromise',
  CA_COMPROMISE: 'cACompromise',
  AFFILIATION_CHANGED: 'affiliationChanged',
  SUPERSEDED: 'superseded',
  CESSATION_OF_OPERATION: 'cessationOfOperation',
  PRIVILEGES_WITHDRAWN: 'privilegeWithdrawn',
  AA_COMPROMISE: 'aACompromise',
};

/** Makes the next CRL of every partition, with everything that is revoked now. EJBCA does so by its clock, not on revoking. */
export async function publishCrl(database: Database, ca: CertificationAuthority): Promise<void> {
  for (let partition = 0; partition <= ca.crlPartitions; partition += 1) {
    const number = (ca.crls.get(partition)?.number ?? 0) + 1;
    const der = await issueCrl(ca.authority, number, revokedOf(database, ca, partition), database.clock());
    ca.crls.set(partition, { number, der });
  }
}

function revokedOf(
  { certificates }: Database,
  ca: CertificationAuthority,
  partition: number,
): readonly RevokedCertificate[] {
  return certificates.flatMap(({ certificationAuthority, serialNumber, revocation, crlPartition = 0 }) =>
    certificationAuthority === ca.name && crlPartition === partition && revocation !== undefined
      ? [
          {
            serialNumber: serialNumber.toLowerCase(),
            at: revocation.at,
            reason: crlReasons[revocation.reason] ?? ('unspecified' as const),
          },
        ]
      : [],
  );
}

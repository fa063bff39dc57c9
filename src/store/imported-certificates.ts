import type { TransactionalDatabase } from './database.ts';
import type { CertificateRegistry, RevokedCertificate } from './store.ts';
import { sql } from './kysely.ts';

/** Entries that are written in one transaction, so that others get their turn. */
const page = 200;

/** In place of the end of a certificate that nobody has here: it stays on the CRL. RFC 5280, section 4.1.2.5. */
const neverEnds = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Of what CAs have issued and revoked elsewhere, over any database that kysely speaks to. */
export function createImports(
  database: TransactionalDatabase,
): Pick<CertificateRegistry, 'import' | 'importRevocations'> {
  return {
    async import({ ca, serialNumber, subject, publicKey, notBefore, notAfter, certificate }, origin) {
      const content = {
        ...{ subject, certificate, public_key: publicKey },
        ...{ not_before: notBefore.getTime(), not_after: notAfter.getTime() },
      };
      return await database.transaction(async ({ kysely }) => {
        const known = await kysely
          .selectFrom('certificates')
          .select(['certificate', 'origin'])
          .where('ca', '=', ca)
          .where('serial_number', '=', serialNumber)
          .executeTakeFirst();
        if (known === undefined) {
          const names = { ca, serial_number: serialNumber, idempotency_key: keyOf(serialNumber) };
          await kysely
            .insertInto('certificates')
            .values({ ...names, ...content, origin })
            .execute();
          return 'recorded';
        }
        const isEmpty = known.certificate.length === 0;
        if (!isEmpty && !certificate.equals(known.certificate)) return 'another';
        if (isEmpty || (known.origin === 'shown' && origin === 'imported')) {
          await kysely
            .updateTable('certificates')
            .set({ ...content, origin })
            .where('ca', '=', ca)
            .where('serial_number', '=', serialNumber)
            .execute();
        }
        return 'recorded';
      });
    },

    async importRevocations(ca, revoked, crlNumber) {
      for (let start = 0; start < revoked.length; start += page) {
        await importEntries(database, ca, revoked.slice(start, start + page));
      }
      if (crlNumber === 0) return;
      await database.kysely
        .insertInto('crl_numbers')
        .values({ ca, number: crlNumber })
        .onConflict((conflict) =>
          conflict
            .column('ca')
            .doUpdateSet({ number: sql<number>`max(crl_numbers.number, excluded.number)` }),
        )
        .execute();
    },
  };
}

/** Keys of clients have no space in them, and those of operators begin with a role. */
function keyOf(serialNumber: string): string {
  return `imported ${serialNumber}`;
}

async function importEntries(
  database: TransactionalDatabase,
  ca: string,
  revoked: readonly RevokedCertificate[],
): Promise<void> {
  await database.transaction(async ({ kysely }) => {
    for (const { serialNumber, revocation } of revoked) {
      const entry = { revoked_at: revocation.at.getTime(), revocation_reason: revocation.reason };
      await kysely
        .insertInto('certificates')
        .values({
          ...{ ca, serial_number: serialNumber, idempotency_key: keyOf(serialNumber), origin: 'imported' },
          ...{ subject: '', public_key: '', certificate: Buffer.alloc(0) },
          ...{ not_before: entry.revoked_at, not_after: neverEnds, ...entry },
        })
        .onConflict((conflict) =>
          conflict
            .columns(['ca', 'serial_number'])
            .doUpdateSet(entry)
            .where('certificates.revoked_at', 'is', null),
        )
        .execute();
    }
  });
}

import type { InsertResult, Kysely, Selectable } from 'kysely';
import { adopt, hasInForce, unadopted } from './adoption.ts';
import type { TransactionalDatabase } from './database.ts';
import { isReserving } from './certificate-states.ts';
import { createImports } from './imported-certificates.ts';
import { prepared } from './prepared.ts';
import {
  compromises,
  type CertificateRegistry,
  type KnownCa,
  type RegisteredCertificate,
  type Revocation,
  type RevocationReason,
} from './store.ts';
import type { Tables } from './tables.ts';
import { sql } from './kysely.ts';

/** Certificates and revocations over any database that kysely speaks to. */
export function createCertificateRegistry(database: TransactionalDatabase): CertificateRegistry {
  const queries = prepareQueries(database.kysely);
  return {
    ...createImports(database),

    async know({ ca, subject, record }) {
      await database.kysely
        .insertInto('certification_authorities')
        .values({ ca, subject, record })
        .onConflict((conflict) => conflict.column('ca').doUpdateSet({ subject, record }))
        .execute();
    },

    async knownCas() {
      return await database.kysely
        .selectFrom('certification_authorities')
        .selectAll()
        .orderBy('subject')
        .execute();
    },

    async knownCa(ca) {
      const [row] = (await queries.knownCa(database, { ca })).rows;
      return row;
    },

    hasInForce: async (ca, now) => await hasInForce(database, ca, now),

    unadopted: async (now) => await unadopted(database, now),

    adopt: async (state) => {
      await adopt(database, state);
    },

    async add(certificate, until = 'durable') {
      const row = {
        ca: certificate.ca,
        serial_number: certificate.serialNumber,
        idempotency_key: certificate.idempotencyKey,
        subject: certificate.subject,
        public_key: certificate.publicKey,
        operator_role: certificate.operatorRole ?? null,
        not_before: certificate.notBefore.getTime(),
        not_after: certificate.notAfter.getTime(),
        certificate: certificate.certificate,
      };
      await database.transaction(
        async (transaction) => await queries.insert(transaction, row),
        () => until,
      );
    },

    async status(ca, serialNumber, certificate) {
      const [row] = (await queries.bySerialNumber(database, { ca, serial_number: serialNumber })).rows;
      if (row === undefined) return 'unknown';
      if (row.revoked_at !== null) return 'revoked';
      if (!certificate.equals(row.certificate)) return 'another';
      return row.origin === 'shown' ? 'shown' : 'good';
    },

    async revocationOf(ca, serialNumber) {
      const [row] = (await queries.bySerialNumber(database, { ca, serial_number: serialNumber })).rows;
      return row && toRevocation(row);
    },

    async findByIdempotencyKey(ca, idempotencyKey) {
      const [row] = (await queries.byIdempotencyKey(database, { ca, idempotency_key: idempotencyKey })).rows;
      return row && toCertificate(row);
    },

    async list(ca) {
      const rows = await database.kysely
        .selectFrom('certificates')
        .selectAll()
        .where('ca', '=', ca)
        .orderBy('not_before', 'desc')
        .execute();
      return rows.map(toCertificate);
    },

    async revoke(ca, serialNumber, reason, at) {
      return await database.transaction(async (transaction) => {
        const { rows } = await queries.bySerialNumber(transaction, { ca, serial_number: serialNumber });
        const [earlier] = rows;
        if (earlier === undefined) return 'unknown';
        const isRevoked = earlier.revoked_at !== null;
        const isOnHold = earlier.revocation_reason === 'certificateHold';
        const isLasting = isRevoked && !isOnHold;
        if (isLasting && (isCompromise(earlier.revocation_reason) || !isCompromise(reason))) return 'already';
        await transaction.kysely
          .updateTable('certificates')
          .set({ revoked_at: earlier.revoked_at ?? at.getTime(), revocation_reason: reason })
          .where('ca', '=', ca)
          .where('serial_number', '=', serialNumber)
          .execute();
        return isRevoked ? 'raised' : 'revoked';
      });
    },

    async revoked(ca, notExpiredAt) {
      const rows = await database.kysely
        .selectFrom('certificates')
        .select(['serial_number', 'revoked_at', 'revocation_reason'])
        .where('ca', '=', ca)
        .where('revoked_at', 'is not', null)
        .where('not_after', '>', notExpiredAt.getTime())
        .execute();
      return rows.flatMap((row) => {
        const revocation = toRevocation(row);
        return revocation === undefined ? [] : [{ serialNumber: row.serial_number, revocation }];
      });
    },

    async reservationOf(publicKey, now) {
      const { rows } = await queries.reserving(database, { public_key: publicKey });
      if (rows.some(tellsOfCompromise)) return 'compromised';
      return rows.some(({ not_after: end }) => end > now.getTime()) ? 'operator' : undefined;
    },

    async isCompromised(publicKey) {
      return (await queries.reserving(database, { public_key: publicKey })).rows.some(tellsOfCompromise);
    },

    async noteCompromise(publicKey, now) {
      await database.kysely
        .insertInto('compromised_keys')
        .values({ public_key: publicKey, learnt_at: now.getTime() })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    async nextCrlNumber(ca) {
      const { number } = await database.kysely
        .insertInto('crl_numbers')
        .values({ ca, number: 1 })
        .onConflict((conflict) =>
          conflict.column('ca').doUpdateSet((row) => ({ number: row('crl_numbers.number', '+', 1) })),
        )
        .returning('number')
        .executeTakeFirstOrThrow();
      return number;
    },

    async keptCrl(ca) {
      const row = await database.kysely
        .selectFrom('crls')
        .selectAll()
        .where('ca', '=', ca)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { number, crl, contents, refresh_at: refreshAt } = row;
      return { number, crl: Buffer.from(crl), contents, refreshAt: new Date(refreshAt) };
    },

    async keepCrl(ca, { number, crl, contents, refreshAt }) {
      const kept = { number, crl, contents, refresh_at: refreshAt.getTime() };
      await database.kysely
        .insertInto('crls')
        .values({ ca, ...kept })
        .onConflict((conflict) =>
          conflict
            .column('ca')
            .doUpdateSet(kept)
            .where((row) => row('crls.number', '<', number)),
        )
        .execute();
    },
  };
}

type Row = Selectable<Tables['certificates']>;

/** A row of a key that others have called compromised has that reason. */
function tellsOfCompromise({ revocation_reason: reason }: Pick<Row, 'revocation_reason'>): boolean {
  return isCompromise(reason);
}

function isCompromise(reason: Row['revocation_reason']): boolean {
  return compromises.some((compromise) => compromise === reason);
}

/** What every enrolment and every client certificate asks of the database. */
function prepareQueries(database: Kysely<Tables>) {
  return {
    insert: prepared<Omit<Row, 'origin' | 'revoked_at' | 'revocation_reason'>, InsertResult>((place) =>
      database.insertInto('certificates').values({
        ca: place('ca'),
        serial_number: place('serial_number'),
        idempotency_key: place('idempotency_key'),
        subject: place('subject'),
        public_key: place('public_key'),
        operator_role: place('operator_role'),
        not_before: place('not_before'),
        not_after: place('not_after'),
        certificate: place('certificate'),
      }),
    ),
    knownCa: prepared<Pick<KnownCa, 'ca'>, KnownCa>((place) =>
      database.selectFrom('certification_authorities').selectAll().where('ca', '=', place('ca')),
    ),
    bySerialNumber: prepared<
      Pick<Row, 'ca' | 'serial_number'>,
      RevocationColumns & Pick<Row, 'certificate' | 'origin'>
    >((place) =>
      database
        .selectFrom('certificates')
        .select(['revoked_at', 'revocation_reason', 'certificate', 'origin'])
        .where('ca', '=', place('ca'))
        .where('serial_number', '=', place('serial_number')),
    ),
    byIdempotencyKey: prepared<Pick<Row, 'ca' | 'idempotency_key'>, Row>((place) =>
      database
        .selectFrom('certificates')
        .selectAll()
        .where('ca', '=', place('ca'))
        .where('idempotency_key', '=', place('idempotency_key')),
    ),
    reserving: prepared<Pick<Row, 'public_key'>, Pick<Row, 'revocation_reason' | 'not_after'>>((place) =>
      database
        .selectFrom('certificates')
        .select(['revocation_reason', 'not_after'])
        .where('public_key', '=', place('public_key'))
        .where(isReserving)
        .unionAll(
          database
            .selectFrom('compromised_keys')
            .select([
              sql.lit<RevocationReason | null>('keyCompromise').as('revocation_reason'),
              sql.lit(0).as('not_after'),
            ])
            .where('public_key', '=', place('public_key')),
        ),
    ),
  };
}

function toCertificate(row: Row): RegisteredCertificate {
  return {
    ca: row.ca,
    serialNumber: row.serial_number,
    idempotencyKey: row.idempotency_key,
    subject: row.subject,
    publicKey: row.public_key,
    ...(row.operator_role !== null && { operatorRole: row.operator_role }),
    notBefore: new Date(row.not_before),
    notAfter: new Date(row.not_after),
    certificate: Buffer.from(row.certificate),
    revocation: toRevocation(row),
  };
}

function toRevocation({
  revoked_at: at,
  revocation_reason: reason,
}: RevocationColumns): Revocation | undefined {
  return at === null ? undefined : { at: new Date(at), reason: reason ?? 'unspecified' };
}

type RevocationColumns = Pick<Row, 'revoked_at' | 'revocation_reason'>;

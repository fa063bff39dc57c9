import { hash } from 'node:crypto';
import type { Kysely, Migration } from 'kysely';
import { readCertificate } from '../pkix/certificate.ts';
import { identifierOfNames } from '../pkix/names-identifier.ts';
import type { Tables } from './tables.ts';
import { backendPrefix } from './adoption.ts';
import { Migrator, sql } from './kysely.ts';

/** Every change of the tables, in order; what was released is never edited. */
const migrations: Readonly<Record<string, Migration>> = {
  '0001_first': {
    async up(database: Kysely<unknown>): Promise<void> {
      await database.schema
        .createTable('enrollments')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('request_id', 'text', (column) => column.notNull())
        .addColumn('alias', 'text', (column) => column.notNull())
        .addColumn('operation', 'text', (column) => column.notNull())
        .addColumn('identity', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('public_key', 'text', (column) => column.notNull())
        .addColumn('counted_user', 'text')
        .addColumn('quota_key', 'text')
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('code', 'text')
        .addColumn('reference', 'text')
        .addColumn('certificate', 'blob')
        .addColumn('serial_number', 'text')
        .addColumn('not_after', 'bigint')
        .addColumn('opened_at', 'bigint', (column) => column.notNull())
        .addColumn('closed_at', 'bigint')
        .execute();
      await database.schema
        .createIndex('enrollments_unfinished')
        .on('enrollments')
        .column('fingerprint')
        .unique()
        .where(sql.ref('state'), 'in', ['open', 'pending', 'failed'])
        .execute();
      await database.schema
        .createIndex('enrollments_issued')
        .on('enrollments')
        .columns(['fingerprint', 'closed_at'])
        .where(sql.ref('state'), '=', 'issued')
        .execute();
      await database.schema
        .createIndex('enrollments_public_key')
        .on('enrollments')
        .columns(['public_key', 'not_after'])
        .execute();
      await database.schema
        .createIndex('enrollments_subject')
        .on('enrollments')
        .columns(['alias', 'subject'])
        .where(sql.ref('state'), '=', 'issued')
        .execute();
      await database.schema
        .createIndex('enrollments_pending')
        .on('enrollments')
        .columns(['alias', 'closed_at', 'identity'])
        .where(sql.ref('state'), '=', 'pending')
        .execute();
      await database.schema
        .createIndex('enrollments_quota')
        .on('enrollments')
        .columns(['alias', 'quota_key', 'opened_at'])
        .where(sql.ref('quota_key'), 'is not', null)
        .execute();
      await database.schema
        .createTable('secrets')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('octets', 'blob', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('users')
        .addColumn('alias', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('code_hash', 'text', (column) => column.notNull())
        .addColumn('digest_secrets', 'text')
        .addColumn('remaining_uses', 'integer')
        .addColumn('expires_at', 'bigint')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('users_key', ['alias', 'name'])
        .execute();
      await database.schema
        .createTable('certificates')
        .addColumn('backend', 'text', (column) => column.notNull())
        .addColumn('serial_number', 'text', (column) => column.notNull())
        .addColumn('idempotency_key', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('not_before', 'bigint', (column) => column.notNull())
        .addColumn('not_after', 'bigint', (column) => column.notNull())
        .addColumn('certificate', 'blob', (column) => column.notNull())
        .addColumn('revoked_at', 'bigint')
        .addColumn('revocation_reason', 'text')
        .addPrimaryKeyConstraint('certificates_key', ['backend', 'serial_number'])
        .addUniqueConstraint('certificates_idempotency', ['backend', 'idempotency_key'])
        .execute();
      await database.schema
        .createIndex('certificates_revoked')
        .on('certificates')
        .columns(['backend', 'not_after'])
        .where(sql.ref('revoked_at'), 'is not', null)
        .execute();
      await database.schema
        .createTable('crl_numbers')
        .addColumn('backend', 'text', (column) => column.primaryKey())
        .addColumn('number', 'bigint', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('held_requests')
        .addColumn('backend', 'text', (column) => column.notNull())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('idempotency_key', 'text', (column) => column.notNull())
        .addColumn('alias', 'text', (column) => column.notNull())
        .addColumn('operation', 'text', (column) => column.notNull())
        .addColumn('identity', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('subject_alt_name', 'text', (column) => column.notNull())
        .addColumn('key_type', 'text', (column) => column.notNull())
        .addColumn('public_key', 'text', (column) => column.notNull())
        .addColumn('held_at', 'bigint', (column) => column.notNull())
        .addColumn('asked_at', 'bigint', (column) => column.notNull())
        .addColumn('decision', 'text')
        .addColumn('reason', 'text')
        .addPrimaryKeyConstraint('held_requests_key', ['backend', 'reference'])
        .addUniqueConstraint('held_requests_idempotency', ['backend', 'idempotency_key'])
        .execute();
      await database.schema
        .createIndex('held_requests_asked')
        .on('held_requests')
        .columns(['backend', 'asked_at'])
        .execute();
    },
  },
  '0002_reserved_keys': {
    async up(database: Kysely<EarlierTables>): Promise<void> {
      await database.schema
        .alterTable('certificates')
        .addColumn('public_key', 'text', (column) => column.notNull().defaultTo(''))
        .execute();
      await database.schema.alterTable('certificates').addColumn('operator_role', 'text').execute();
      // Keys of clients have no space in them, and those of operators begin with the role.
      await sql`update certificates set operator_role = substr(idempotency_key, 1, instr(idempotency_key, ' ') - 1)
        where instr(idempotency_key, ' ') > 0`.execute(database);
      const certificates = await database.selectFrom('certificates').selectAll().execute();
      for (const { backend, serial_number: serialNumber, certificate } of certificates) {
        await database
          .updateTable('certificates')
          .set({ public_key: hash('sha256', readCertificate(Buffer.from(certificate)).spki, 'hex') })
          .where('backend', '=', backend)
          .where('serial_number', '=', serialNumber)
          .execute();
      }
      await database.schema
        .createIndex('certificates_reserved')
        .on('certificates')
        .column('public_key')
        .where(
          sql<boolean>`revocation_reason in ('keyCompromise', 'cACompromise', 'aACompromise') or operator_role is not null`,
        )
        .execute();
    },
  },
  '0003_code_hashes': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema
        .createIndex('users_code_hash')
        .on('users')
        .columns(['alias', 'code_hash'])
        .execute();
    },
  },
  '0004_attempts': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema
        .createTable('attempts')
        .addColumn('record', 'text', (column) => column.primaryKey())
        .addColumn('number', 'integer', (column) => column.notNull())
        .addColumn('username', 'text', (column) => column.notNull())
        .addColumn('password', 'text', (column) => column.notNull())
        .addColumn('before', 'text', (column) => column.notNull())
        .addColumn('started_at', 'bigint', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('occupied_end_entities')
        .addColumn('backend', 'text', (column) => column.notNull())
        .addColumn('username', 'text', (column) => column.notNull())
        .addColumn('record', 'text', (column) => column.notNull())
        .addColumn('until', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('occupied_end_entities_key', ['backend', 'username'])
        .execute();
    },
  },
  '0005_answers': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema
        .createTable('answers')
        .addColumn('question', 'text', (column) => column.primaryKey())
        .addColumn('answer', 'text', (column) => column.notNull())
        .execute();
    },
  },
  '0006_rejected': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema
        .createIndex('enrollments_answered')
        .on('enrollments')
        .columns(['fingerprint', 'closed_at'])
        .where(sql.ref('state'), 'in', ['issued', 'rejected'])
        .execute();
      await database.schema.dropIndex('enrollments_issued').execute();
    },
  },
  '0007_certification_authorities': {
    async up(database: Kysely<unknown>): Promise<void> {
      for (const table of ['certificates', 'crl_numbers', 'held_requests'] as const) {
        await database.schema.alterTable(table).renameColumn('backend', 'ca').execute();
        // Which CA a backend was, its certificates say: see `adoption.ts`.
        await sql`update ${sql.table(table)} set ca = ${sql.lit(backendPrefix)} || ca`.execute(database);
      }
      await database.schema
        .createTable('certification_authorities')
        .addColumn('ca', 'text', (column) => column.primaryKey())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('record', 'text', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('crls')
        .addColumn('ca', 'text', (column) => column.primaryKey())
        .addColumn('number', 'bigint', (column) => column.notNull())
        .addColumn('crl', 'blob', (column) => column.notNull())
        .addColumn('contents', 'text', (column) => column.notNull())
        .addColumn('refresh_at', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  '0008_compromised_keys': {
    async up(database: Kysely<unknown>): Promise<void> {
      await database.schema
        .createTable('compromised_keys')
        .addColumn('public_key', 'text', (column) => column.primaryKey())
        .addColumn('learnt_at', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  '0010_registration_authorities': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema.alterTable('enrollments').addColumn('registration_authority', 'text').execute();
      await database.schema
        .createIndex('enrollments_registration_authority')
        .on('enrollments')
        .columns(['alias', 'registration_authority', 'opened_at'])
        .where(sql.ref('registration_authority'), 'is not', null)
        .execute();
    },
  },
  '0011_names': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema.alterTable('enrollments').addColumn('names', 'text').execute();
      await identifyNames(database, Date.now());
      await database.schema
        .createIndex('enrollments_names')
        .on('enrollments')
        .columns(['alias', 'names', 'not_after', 'id'])
        .where(sql.ref('state'), '=', 'issued')
        .execute();
      await database.schema.dropIndex('enrollments_subject').execute();
    },
  },
  '0012_attempts_of_records': {
    async up(database: Kysely<unknown>): Promise<void> {
      const table = database.schema.alterTable('enrollments');
      await table.addColumn('attempt', 'integer', (column) => column.notNull().defaultTo(1)).execute();
      await table.addColumn('under_way_until', 'bigint').execute();
      // Longer than an earlier release asked any CA.
      await sql`update enrollments set under_way_until = opened_at + 180000 where state = 'open'`.execute(
        database,
      );
    },
  },
  '0014_aliases': {
    async up(database: Kysely<Tables>): Promise<void> {
      await database.schema
        .createTable('aliases')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('left_at', 'bigint')
        .execute();
      await database.schema
        .createTable('alias_bindings')
        .addColumn('configuration', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('id', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('alias_bindings_key', ['configuration', 'name'])
        .execute();
      await database.schema.createIndex('aliases_name').on('aliases').column('name').execute();
      await sql`insert into aliases (id, name)
        select alias, alias from (select alias from users union select alias from enrollments)`.execute(
        database,
      );
      // Each alias has users of its own.
      await sql`update enrollments set identity = alias || '/' || identity where identity like 'user:%'`.execute(
        database,
      );
    },
  },
  '0015_users_by_id': {
    async up(database: Kysely<unknown>): Promise<void> {
      await database.schema
        .alterTable('users')
        .addColumn('id', 'text', (column) => column.notNull().defaultTo(''))
        .execute();
      await sql`update users set id = lower(hex(randomblob(16)))`.execute(database);
      await database.schema.createIndex('users_id').on('users').column('id').unique().execute();
      // What is closed takes and gives no use any more.
      await sql`update enrollments set counted_user =
        (select id from users where users.alias = enrollments.alias and users.name = enrollments.counted_user)
        where state in ('open', 'pending', 'failed') and counted_user is not null`.execute(database);
      await database.schema
        .createIndex('certificates_revoked_serial_number')
        .on('certificates')
        .column('serial_number')
        .where(sql.ref('revoked_at'), 'is not', null)
        .execute();
    },
  },
  '0016_imported_certificates': {
    async up(database: Kysely<unknown>): Promise<void> {
      await database.schema.alterTable('certificates').addColumn('origin', 'text').execute();
    },
  },
  '0017_made_for': {
    async up(database: Kysely<unknown>): Promise<void> {
      await database.schema.alterTable('enrollments').addColumn('terms', 'text').execute();
      await database.schema.alterTable('enrollments').addColumn('made_how', 'text').execute();
    },
  },
  '0018_uses_given_back': {
    async up(database: Kysely<unknown>): Promise<void> {
      const table = database.schema.alterTable('enrollments');
      await table.addColumn('spends', 'integer', (column) => column.notNull().defaultTo(1)).execute();
      await table.addColumn('in_doubt', 'integer', (column) => column.notNull().defaultTo(0)).execute();
      await sql`update enrollments set in_doubt = 1 where state = 'failed'`.execute(database);
      await database.schema
        .createIndex('enrollments_lapsing')
        .on('enrollments')
        .columns(['counted_user', 'closed_at'])
        .where(sql.ref('state'), '=', 'pending')
        .execute();
    },
  },
};

/** A part after the other, since there may be many. */
async function identifyNames(database: Kysely<Tables>, now: number): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined;) {
    const rows = await database
      .selectFrom('enrollments')
      .select(['id', 'certificate'])
      .where('id', '>', after)
      .where('state', '=', 'issued')
      .where('not_after', '>=', now)
      .orderBy('id')
      .limit(1000)
      .execute();
    for (const { id, certificate } of rows) {
      const names = identifierOfNames(readCertificate(Buffer.from(certificate ?? [])));
      await database.updateTable('enrollments').set({ names }).where('id', '=', id).execute();
    }
    after = rows.at(-1)?.id;
  }
}

/** As the tables were when they knew backends alone. */
interface EarlierTables {
  certificates: Omit<Tables['certificates'], 'ca'> & { backend: string };
}

/** Brings the tables up to date. Throws an Error with a plain sentence when that cannot be done. */
export async function migrate(database: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new Error('The tables of the store do not fit this release; a newer one may have changed them.', {
      cause: error,
    });
  }
}

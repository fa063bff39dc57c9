import type { Database, TransactionalDatabase } from './database.ts';
import type { EarlierState } from './store.ts';
import { sql } from './kysely.ts';

/**
 * Stands before the name of a backend in place of a CA's identifier: what releases wrote that knew backends by name alone, and
 * no CA has adopted yet.
 */
export const backendPrefix = 'backend ';

/** Certificates that are looked at in one transaction. */
const page = 200;

/**
 * Gives a CA the certificates and revocations that it signed, under whatever name of a backend they were written, with the
 * numbers of the CRLs of these backends. The requests that wait at a backend go with its newest certificate.
 */
export async function adopt(
  database: TransactionalDatabase,
  { ca, backend, isOfCa }: EarlierState,
): Promise<void> {
  const own = `${backendPrefix}${backend}`;
  const names = new Set<string>();
  let newest: Unbound | undefined;
  for await (const row of unbound(database)) {
    const isAdopted = await isOfCa(Buffer.from(row.certificate));
    if (row.ca === own && row.not_before >= (newest?.not_before ?? 0)) newest = { ...row, isAdopted };
    if (!isAdopted) continue;
    names.add(row.ca);
    await database.transaction(async (transaction) => {
      await bind(transaction, ca, row);
    });
  }
  await database.transaction(async (transaction) => {
    // A number that is too high does no harm; one that comes back does.
    await takeCrlNumbers(transaction, ca, [...names, own]);
    if (newest?.isAdopted === true) await takeHeldRequests(transaction, ca, own);
  });
}

/** Whether there are certificates under a CA's identifier, or a name in its place, that have not expired. */
export async function hasInForce({ kysely }: Database, ca: string, now: Date): Promise<boolean> {
  const row = await kysely
    .selectFrom('certificates')
    .select('serial_number')
    .where('ca', '=', ca)
    .where('not_after', '>', now.getTime())
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The names of backends that still stand in place of a CA with certificates in force. */
export async function unadopted(database: Database, now: Date): Promise<readonly string[]> {
  const names: string[] = [];
  let after = backendPrefix;
  for (;;) {
    const row = await database.kysely
      .selectFrom('certificates')
      .select('ca')
      .where('ca', '>', after)
      .where('ca', '<', afterPrefix)
      .orderBy('ca')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) return names;
    if (await hasInForce(database, row.ca, now)) names.push(row.ca.slice(backendPrefix.length));
    after = row.ca;
  }
}

interface Unbound {
  readonly ca: string;
  readonly serial_number: string;
  readonly not_before: number;
  readonly certificate: Uint8Array;
  readonly isAdopted?: boolean;
}

/** In pages, since between them others may be served. */
async function* unbound({ kysely }: Database): AsyncGenerator<Unbound> {
  let after = { ca: backendPrefix, serial_number: '' };
  for (;;) {
    const rows = await kysely
      .selectFrom('certificates')
      .select(['ca', 'serial_number', 'not_before', 'certificate'])
      .where(sql<boolean>`(ca, serial_number) > (${after.ca}, ${after.serial_number})`)
      .where('ca', '<', afterPrefix)
      .orderBy('ca')
      .orderBy('serial_number')
      .limit(page)
      .execute();
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** Sorts after all names of backends. */
const afterPrefix = 'backend!';

/** Of two backends of one CA, both may have a certificate for one key; a repeat gets the one that is found first. */
async function bind({ kysely }: Database, ca: string, { ca: name, serial_number: serialNumber }: Unbound) {
  await kysely
    .updateTable('certificates')
    .set({
      ca,
      idempotency_key: sql<string>`case when exists (select 1 from certificates as other
        where other.ca = ${ca} and other.idempotency_key = certificates.idempotency_key)
        then idempotency_key || ' ' || serial_number else idempotency_key end`,
    })
    .where('ca', '=', name)
    .where('serial_number', '=', serialNumber)
    .execute();
}

async function takeCrlNumbers({ kysely }: Database, ca: string, names: readonly string[]): Promise<void> {
  const { number } = await kysely
    .selectFrom('crl_numbers')
    .select(({ fn }) => fn.max('number').as('number'))
    .where('ca', 'in', names)
    .executeTakeFirstOrThrow();
  // Null, where there is none.
  if (typeof number !== 'number') return;
  await kysely
    .insertInto('crl_numbers')
    .values({ ca, number })
    .onConflict((conflict) =>
      conflict.column('ca').doUpdateSet({ number: sql<number>`max(crl_numbers.number, excluded.number)` }),
    )
    .execute();
}

async function takeHeldRequests({ kysely }: Database, ca: string, name: string): Promise<void> {
  await kysely.updateTable('held_requests').set({ ca }).where('ca', '=', name).execute();
}

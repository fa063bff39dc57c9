/**
 * Enrols in a store without end, as the gateway does at a CA that issues in the store, and prints the serial number of each
 * certificate that a client would have now. Arguments: the file of the store, and how many enrolments are under way at once.
 */
import { sqlite } from '../../src/store/sqlite.ts';
import { addUser, enrollment, registered } from './records.ts';

const [file = '', atOnce = '1'] = process.argv.slice(2);
const store = await sqlite.open({ file });
const code = await addUser(store, { name: 'device', remainingUses: 1_000_000 });

async function enrol(serialNumber: string): Promise<void> {
  const now = new Date();
  const opened = await store.enrollments.open(
    enrollment({ fingerprint: serialNumber, publicKey: serialNumber, ...code }),
    { now, issuedSince: now, underWayUntil: now, pendingSince: now },
    undefined,
    'written',
  );
  if (opened.state !== 'opened') throw new Error(`The enrolment is ${opened.state}.`);
  const certificate = { ...registered, serialNumber, publicKey: serialNumber, idempotencyKey: opened.id };
  const names = 'n';
  await store.certificates.add(certificate, 'written');
  await store.enrollments.issued(opened.id, { ...certificate, names }, now);
  process.stdout.write(`${serialNumber}\n`);
}

let count = 0;
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    for (;;) await enrol((count += 1).toString(16));
  }),
);

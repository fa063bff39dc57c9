import type { Command } from 'commander';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { readDer } from '../pkix/der.ts';
import { decodePublicKey } from '../pkix/keys.ts';
import { nameToString } from '../pkix/names.ts';
import { findSharedFactors } from '../pkix/shared-factors.ts';
import type { EnrollmentJournal } from '../store/store.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';
import { withState } from './state.ts';
import { table, timeText } from './table.ts';

/** `est-gateway audit-keys` */
export function addAuditKeysCommand(program: Command): void {
  program
    .command('audit-keys')
    .description(
      'Find devices whose RSA keys share a prime, among all certificates ever issued: their private keys can be computed.',
    )
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExit code 1: there are some; revoke their certificates for keyCompromise.\n\nExample:\n  est-gateway audit-keys',
    )
    .action(auditKeys);
}

async function auditKeys({ configuration }: ConfigurationOption): Promise<void> {
  const byModulus = await withState(configuration, async ({ enrollments }) => await readRsaKeys(enrollments));
  if (byModulus.size > mostKeys) {
    throw new Error(`There are ${byModulus.size} RSA keys; at most ${mostKeys} can be compared.`);
  }
  const affected = findSharedFactors([...byModulus.keys()]);
  if (affected.length === 0) {
    process.stdout.write(`OK: none of ${byModulus.size} RSA keys shares a prime with another one.\n`);
    return;
  }
  process.stdout.write(certificatesAsTable(affected.flatMap((modulus) => byModulus.get(modulus) ?? [])));
  throw new Error(`${affected.length} of ${byModulus.size} RSA keys share a prime with another one.`);
}

/** The product of so many moduli, even of 4096 bits each, is one that Node can hold. */
const mostKeys = 250_000;

/** Certificates that are read from the store at once. */
const portion = 1000;

/** The certificates of each RSA key in the journal, by its modulus. */
async function readRsaKeys(journal: EnrollmentJournal): Promise<ReadonlyMap<bigint, readonly Certificate[]>> {
  const byModulus = new Map<bigint, readonly Certificate[]>();
  let records = await journal.issuedAfter('', portion);
  while (records.length > 0) {
    for (const { certificate: der } of records) {
      const certificate = readCertificate(der);
      const { modulus: octets } = decodePublicKey(readDer(certificate.spki));
      if (octets === undefined) continue;
      const modulus = BigInt(`0x${octets.toString('hex')}`);
      byModulus.set(modulus, [...(byModulus.get(modulus) ?? []), certificate]);
    }
    records = await journal.issuedAfter(records.at(-1)?.id ?? '', portion);
  }
  return byModulus;
}

function certificatesAsTable(certificates: readonly Certificate[]): string {
  return table(
    ['SERIAL NUMBER', 'NOT AFTER', 'SUBJECT', 'ISSUER'],
    certificates.map(({ serialNumber, notAfter, subject, issuer }) => [
      serialNumber,
      timeText(notAfter),
      nameToString(subject),
      nameToString(issuer),
    ]),
  );
}

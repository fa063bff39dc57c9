import { type Command, Option } from 'commander';
import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readLastLists, requireIssued, type PastFile } from '../ca/local/past.ts';
import { findState } from '../ca/local/state.ts';
import { certificatesFromPem, readCertificate, type Certificate } from '../pkix/certificate.ts';
import { revocationListsIn } from '../pkix/crl-read.ts';
import { nameToString } from '../pkix/names.ts';
import type { KnownCa, StateStore } from '../store/store.ts';
import { backendOption, issuerOfBackend, localBackend, type BackendOption } from './local-backend.ts';
import { configurationOption } from './options.ts';
import { withState } from './state.ts';

/** What a CA has done before its key came here. */
export interface PastOptions {
  /** Files; false: it has published none. */
  readonly crl?: readonly string[] | false;
  /** Files and folders. */
  readonly issued?: readonly string[];
}

/** `--crl FILE...`, `--no-crl` and `--issued PATH...` */
export function pastOptions(): readonly Option[] {
  return [
    new Option('--crl <file...>', "the CA's last CRL, PEM or DER: its number and entries are carried on"),
    new Option('--no-crl', 'the CA has never published a CRL'),
    new Option(
      '--issued <path...>',
      'certificates that the CA has issued, PEM or DER: files, or folders of them',
    ),
  ];
}

/** `est-gateway ca record` */
export function addRecordCommand(ca: Command): void {
  const command = ca
    .command('record')
    .description(
      'Put into the record of a local CA what its key has signed elsewhere: certificates, which can be revoked then, and its last CRL.',
    )
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway ca record --issued old-ca/newcerts --crl old-ca/last.crl',
    );
  for (const option of pastOptions()) command.addOption(option);
  command.action(record);
}

async function record({ configuration, backend, ...past }: BackendOption & PastOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const { issuer, record: kind } = await issuerOfBackend(configuration, name);
  const taken = await withState(configuration, async (store) =>
    takePast(store, { issuer, record: kind, backend: name }, past),
  );
  for (const line of taken) process.stdout.write(`${line}\n`);
}

/** A CA whose past is taken. */
export interface CaWithPast {
  readonly issuer: Certificate;
  readonly record: KnownCa['record'];
  /** The name of its backend. */
  readonly backend: string;
}

/** Reads all before anything is written; gives what was taken, and what may be wrong, a sentence each. */
export async function takePast(
  { certificates: registry }: StateStore,
  { issuer, record: kind, backend }: CaWithPast,
  { crl, issued = [] }: PastOptions,
): Promise<readonly string[]> {
  const lists = await readLastLists(issuer, crl === false ? [] : await readLists(crl ?? []), new Date());
  const files = await filesBelow(issued);
  // Files are many, and read one after the other: a folder of a CA may have a hundred thousand.
  for (const file of files)
    for (const one of await certificatesIn(file)) await requireIssued(issuer, file, one);
  const ca = await findState(issuer, kind, { name: backend, certificates: registry });
  await registry.importRevocations(ca, lists.revoked, lists.crlNumber);
  let count = 0;
  for (const file of files) {
    for (const one of await certificatesIn(file)) {
      await importCertificate(registry, ca, one);
      count += 1;
    }
  }
  return [
    ...lists.doubts,
    `Taken: ${count} certificates, ${lists.revoked.length} revocations, CRL number ${lists.crlNumber}.`,
  ];
}

async function importCertificate(
  registry: StateStore['certificates'],
  ca: string,
  { serialNumber, subject, spki, notBefore, notAfter, der }: Certificate,
): Promise<void> {
  const outcome = await registry.import(
    {
      ...{ ca, serialNumber, notBefore, notAfter, certificate: der },
      subject: nameToString(subject),
      publicKey: hash('sha256', spki, 'hex'),
    },
    'imported',
  );
  if (outcome === 'another') {
    throw new Error(`The record has another certificate with the serial number ${serialNumber}.`);
  }
}

async function readLists(files: readonly string[]): Promise<readonly PastFile[]> {
  const all = await Promise.all(
    files.map(async (name) => {
      const lists = revocationListsIn(await readFile(name));
      if (lists.length === 0) throw new Error(`${name} holds no CRL, PEM or DER.`);
      return lists.map((der) => ({ name, der }));
    }),
  );
  return all.flat();
}

async function filesBelow(paths: readonly string[]): Promise<readonly string[]> {
  const all = await Promise.all(
    paths.map(async (path) => {
      if (!(await stat(path)).isDirectory()) return [path];
      const entries = await readdir(path, { withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => join(path, name));
    }),
  );
  return all.flat();
}

async function certificatesIn(file: string): Promise<readonly Certificate[]> {
  const octets = await readFile(file);
  try {
    return octets[0] === 0x30 ? [readCertificate(octets)] : certificatesFromPem(octets.toString('latin1'));
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import { randomBytes } from 'node:crypto';
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { importCertificationAuthority } from '../ca/local/import.ts';
import type { Configuration } from '../config/configuration.ts';
import { readSecret } from '../ops/secret.ts';
import { certificatesFromPem } from '../pkix/certificate.ts';
import {
  revocationReasons,
  type RegisteredCertificate,
  type RevocationReason,
  type StateStore,
} from '../store/store.ts';
import { addApprovalCommands } from './ca-approval.ts';
import { addIssueCommand } from './ca-issue.ts';
import { addRecordCommand, pastOptions, takePast, type PastOptions } from './ca-past.ts';
import { addRolloverCommand } from './ca-rollover.ts';
import {
  backendOption,
  caOfBackend,
  localBackend,
  withLocalBackend,
  type BackendOption,
} from './local-backend.ts';
import { createFiles } from './new-files.ts';
import { configurationOption, parseSerialNumber, type ConfigurationOption } from './options.ts';
import { withState } from './state.ts';
import { table, timeText } from './table.ts';

/** `est-gateway ca list | revoke | crl | issue | pending | approve | deny | record | import | rollover` */
export function addCaCommands(program: Command): void {
  const ca = program
    .command('ca')
    .description('Certificates, revocations and approvals of a local CA, and its import.');
  ca.command('list')
    .description('List the certificates that the CA issued, newest first.')
    .option('--json', 'print JSON')
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca list --json')
    .action(list);
  ca.command('revoke')
    .argument('<serial>', 'serial number, hexadecimal', parseSerialNumber)
    .description(
      'Revoke a certificate; a running gateway knows at once. Of one that is revoked, keyCompromise and the like replace the reason.',
    )
    .addOption(
      new Option('-r, --reason <reason>', 'CRLReason of RFC 5280')
        .choices(revocationReasons)
        .default('unspecified'),
    )
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca revoke 4F:0A:12:9C --reason keyCompromise')
    .action(revoke);
  ca.command('crl')
    .description('Make a certificate revocation list: PEM on standard output, or a file.')
    .option('-o, --out <file>', 'file to replace: DER, or PEM if its name ends in .pem')
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca crl --out /var/www/local.crl')
    .action(writeCrl);
  addIssueCommand(ca);
  addApprovalCommands(ca);
  addRecordCommand(ca);
  const importing = ca
    .command('import')
    .description(
      'Take over an existing CA: writes ca-NAME/ beside the configuration, prints what to paste into it.',
    )
    .requiredOption('-k, --key <file>', 'PEM of the private key: PKCS#8, PKCS#1 or SEC 1')
    .requiredOption('--certificate <file>', 'PEM of the issuing certificate')
    .option('--chain <file...>', 'PEM files of the certificates above it, up to the root', [])
    .option('--passphrase <reference>', 'where the passphrase of the key is: file:PATH or env:NAME')
    .addOption(
      new Option('-b, --backend <name>', 'name of the new backend').default('imported').argParser(parseName),
    )
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway ca import --key ca.key --passphrase file:pass --certificate ca.pem --chain root.pem --crl last.crl --issued newcerts',
    )
    .action(importCa);
  for (const option of pastOptions()) importing.addOption(option);
  addRolloverCommand(ca);
}

interface ListOptions extends BackendOption {
  readonly json?: true;
}

async function list({ configuration, backend, json }: ListOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const certificates = await withState(
    configuration,
    async (store) => await store.certificates.list(await caOfBackend(configuration, name, store)),
  );
  process.stdout.write(json === true ? certificatesAsJson(certificates) : certificatesAsTable(certificates));
}

function certificatesAsJson(certificates: readonly RegisteredCertificate[]): string {
  const shown = certificates.map(({ serialNumber, subject, notBefore, notAfter, revocation = null }) => ({
    serialNumber,
    subject,
    notBefore,
    notAfter,
    revocation,
  }));
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function certificatesAsTable(certificates: readonly RegisteredCertificate[]): string {
  const now = new Date();
  return table(
    ['SERIAL NUMBER', 'NOT AFTER', 'STATE', 'SUBJECT'],
    certificates.map((certificate) => [
      certificate.serialNumber,
      timeText(certificate.notAfter),
      stateOf(certificate, now),
      certificate.subject,
    ]),
  );
}

function stateOf({ revocation, notAfter }: RegisteredCertificate, now: Date): string {
  if (revocation !== undefined) return `revoked ${timeText(revocation.at)} ${revocation.reason}`;
  return notAfter < now ? 'expired' : 'good';
}

interface RevokeOptions extends BackendOption {
  readonly reason: RevocationReason;
}

async function revoke(
  serialNumber: string,
  { configuration, backend, reason }: RevokeOptions,
): Promise<void> {
  const name = localBackend(configuration, backend);
  await withState(configuration, async (store) => {
    const ca = await caOfBackend(configuration, name, store);
    switch (await store.certificates.revoke(ca, serialNumber, reason, new Date())) {
      case 'revoked':
        process.stdout.write(`Revoked ${serialNumber}.\n`);
        break;
      case 'raised':
        process.stdout.write(`${serialNumber} was revoked before; its reason is ${reason} now.\n`);
        break;
      case 'already':
        process.stdout.write(`${serialNumber} was revoked before; nothing was changed.\n`);
        break;
      case 'unknown':
        throw new Error(`The CA ${name} never issued ${serialNumber}; see "est-gateway ca list".`);
    }
  });
}

interface CrlOptions extends BackendOption {
  readonly out?: string;
}

async function writeCrl({ configuration, backend, out }: CrlOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const crl = await withState(configuration, async (store) => await makeCrl(configuration, name, store));
  if (out === undefined) process.stdout.write(crlToPem(crl));
  else await replaceFile(out, out.endsWith('.pem') ? crlToPem(crl) : crl);
}

async function makeCrl(configuration: Configuration, name: string, store: StateStore): Promise<Buffer> {
  const crl = await withLocalBackend(
    configuration,
    name,
    store,
    async (ca) => await ca.crl?.(AbortSignal.timeout(60_000)),
  );
  if (crl === undefined) throw new Error(`The certificate of the CA ${name} does not let it sign CRLs.`);
  return crl;
}

function crlToPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN X509 CRL-----', ...lines, '-----END X509 CRL-----', ''].join('\n');
}

/** Whoever reads the file meanwhile sees the old content or the new, never a part. */
async function replaceFile(file: string, content: string | Buffer): Promise<void> {
  // The reader of an error knows this folder, not the file that stands aside.
  await access(dirname(file), constants.W_OK);
  const aside = `${file}.${process.pid}.new`;
  await writeFile(aside, content);
  await rename(aside, file);
}

interface ImportOptions extends ConfigurationOption, PastOptions {
  readonly key: string;
  readonly certificate: string;
  readonly chain: readonly string[];
  readonly passphrase?: string;
  readonly backend: string;
}

/** The configuration is left to its owner, who may keep it under version control, and wrote its comments. */
async function importCa({ configuration, backend, crl, issued, ...source }: ImportOptions): Promise<void> {
  if (Object.hasOwn(configuration.backends, backend)) {
    throw new Error(
      `The configuration has a backend ${backend} already; choose another name with --backend.`,
    );
  }
  if (crl === undefined) {
    throw new Error(
      "Add --crl with the CA's last CRL, whose number and entries are carried on, or --no-crl if it has never published one.",
    );
  }
  const newPassphrase = randomBytes(32).toString('base64url');
  const ca = importCertificationAuthority({
    certificate: await readFile(source.certificate, 'utf8'),
    privateKey: await readFile(source.key, 'utf8'),
    passphrase: source.passphrase === undefined ? undefined : await readSecret(source.passphrase),
    chain: await Promise.all(source.chain.map(async (file) => await readFile(file, 'utf8'))),
    newPassphrase,
    now: new Date(),
  });
  const [issuer] = certificatesFromPem(ca.certificate);
  if (issuer === undefined) throw new Error(`${source.certificate} holds no certificate.`);
  const taken = await withState(
    configuration,
    async (store) =>
      await takePast(store, { issuer, record: 'incomplete', backend }, { crl, ...(issued && { issued }) }),
  );
  const folder = `ca-${backend}`;
  await createFiles(dirname(configuration.file), [
    { name: `${folder}/issuing.pem`, text: ca.certificate, secret: false },
    { name: `${folder}/issuing.key`, text: ca.privateKey, secret: true },
    { name: `${folder}/passphrase`, text: `${newPassphrase}\n`, secret: true },
    { name: `${folder}/chain.pem`, text: ca.chain, secret: false },
  ]);
  process.stdout.write(
    taken.map((line) => `# ${line}\n`).join('') + snippet(backend, folder, ca.chain !== ''),
  );
}

function snippet(backend: string, folder: string, hasChain: boolean): string {
  return `# Paste below "backends:", then let an alias say "backend: ${backend}".
  ${backend}:
    driver: local
    certificate: ${folder}/issuing.pem
    privateKey: file:${folder}/issuing.key
    passphrase: file:${folder}/passphrase
    chain: [${hasChain ? `${folder}/chain.pem` : ''}]
    # Complete: when all its certificates from before the import are in the store, or have expired.
    record: incomplete
    # Where relying parties find the CRL and the issuing certificate, if they shall.
    #crl:
      #urls: ['http://HOST:PORT/crl/${backend}.crl']
    #caIssuersUrls: ['http://HOST:PORT/ca/${backend}.cer']
    profiles:
      device:
        extendedKeyUsage: [clientAuth]
`;
}

function parseName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) {
    throw new InvalidArgumentError('Expected at most 64 letters, digits, ".", "_" and "-".');
  }
  return text;
}

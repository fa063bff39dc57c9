import { type Command, InvalidArgumentError, Option } from 'commander';
import { operatorRoles, type OperatorRole } from '../ca/ca.ts';
import { certificateToPem, readCertificate } from '../pkix/certificate.ts';
import { namesEqual } from '../pkix/names.ts';
import { readCertificationRequest, verifyProofOfPossession } from '../pkix/pkcs10.ts';
import { backendOption, localBackend, withLocalBackend, type BackendOption } from './local-backend.ts';
import { readCsrFile } from './csr-file.ts';
import { configurationOption } from './options.ts';
import { withState } from './state.ts';

/** `est-gateway ca issue` */
export function addIssueCommand(ca: Command): void {
  ca.command('issue')
    .description(
      "Certify a registration authority, a signer of CMC answers or the gateway's TLS server, which no client can ask for: " +
        'PEM on standard output.',
    )
    .requiredOption('--csr <file>', 'PKCS#10, PEM or DER; its subject and subjectAltName are certified')
    .addOption(
      new Option('--role <role>', 'what the holder of the key shall be')
        .choices(operatorRoles)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--days <number>', 'validity; never longer than the CA itself')
        .default(365)
        .argParser(parseDays),
    )
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway ca issue --role registration-authority --csr ra.csr > ra.pem',
    )
    .action(issue);
}

interface IssueOptions extends BackendOption {
  readonly csr: string;
  readonly role: OperatorRole;
  readonly days: number;
}

/** The certificate, then those above it but the root, as TLS clients and `fullCmc.signer` want them. */
async function issue({ configuration, backend, csr, role, days }: IssueOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const request = await readCsrFile(csr, false, async (der) => {
    const received = readCertificationRequest(der);
    await verifyProofOfPossession(received);
    return received;
  });
  const signal = AbortSignal.timeout(60_000);
  const chain = await withState(
    configuration,
    async (store) =>
      await withLocalBackend(configuration, name, store, async (ca) => {
        if (ca.issueForOperator === undefined) throw new Error(`The CA ${name} issues to clients alone.`);
        const issued = await ca.issueForOperator({ csr: request, role, validityDays: days }, signal);
        return [issued, ...(await ca.caCertificates(signal))];
      }),
  );
  const withoutRoot = chain
    .map((der) => readCertificate(der))
    .filter((one) => !namesEqual(one.subject, one.issuer));
  process.stdout.write(withoutRoot.map(({ der }) => certificateToPem(der)).join(''));
}

function parseDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 36_500) {
    throw new InvalidArgumentError('Expected whole days, 1 to 36500.');
  }
  return days;
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { clientIdentity } from '../auth/index.ts';
import { createRegistrationAuthorities } from '../auth/registration-authority.ts';
import type { AliasConfiguration } from '../config/configuration.ts';
import type { CertificateIdentity, ClientIdentity, TrustAnchorKind } from '../identity.ts';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';
import { chooseKind, readKeyGenerationRequest, withKeyToMake } from '../pkix/key-generation-request.ts';
import { readCertificationRequest } from '../pkix/pkcs10.ts';
import { proofOfPossession, type AskedEnrollment } from '../policy/asked-enrollment.ts';
import { namesToCertify } from '../policy/policy.ts';
import { serverKeyGenerationByDefault } from '../server/alias-backend.ts';
import { openPolicy } from '../server/policy.ts';
import { readCsrFile } from './csr-file.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';
import { examineByState, type Verdict } from './policy-state.ts';

/** `est-gateway policy ...` */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description("Try an alias's policy.");
  policy
    .command('test')
    .description(
      "Say of each of an alias's rules whether it would grant a request. Backends are asked for the certificates of their CAs " +
        'alone, a webhook for nothing; nothing is recorded. ' +
        'Exit code 0: granted, 1: refused.',
    )
    .requiredOption('--csr <file>', 'PKCS#10, PEM or DER')
    .addOption(
      new Option(
        '--identity <who...>',
        'who asks: user:NAME, certificate:FILE (PEM, of the CA of the alias), vendor:FILE (PEM, of a vendor); ' +
          'a user and a certificate for both',
      )
        .argParser(parseIdentity)
        .makeOptionMandatory(),
    )
    .option('-a, --alias <name>', 'the alias', 'est')
    .addOption(
      new Option('--operation <name>', 'what is asked for')
        .choices(['simpleenroll', 'simplereenroll', 'serverkeygen', 'fullcmc'])
        .default('simpleenroll'),
    )
    .option('--address <address>', "the client's address", parseAddress)
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExamples:\n  est-gateway policy test --csr device.csr --identity user:pump-7' +
        '\n  est-gateway policy test --csr renewal.csr --operation simplereenroll --identity certificate:device.pem',
    )
    .action(test);
}

/** Who asks, as the command line says it. */
interface Asking {
  readonly kind: 'user' | 'certificate' | 'vendor';
  /** The user's name, or the certificate's file. */
  readonly value: string;
}

interface TestOptions extends ConfigurationOption {
  readonly csr: string;
  readonly identity: readonly Asking[];
  readonly alias: string;
  readonly operation: 'simpleenroll' | 'simplereenroll' | 'serverkeygen' | 'fullcmc';
  readonly address?: string;
}

function parseIdentity(text: string, before: readonly Asking[] | undefined): readonly Asking[] {
  const [, kind, value] = /^(user|certificate|vendor):(.+)$/.exec(text) ?? [];
  if (kind === undefined || value === undefined) {
    throw new InvalidArgumentError('Expected user:NAME, certificate:FILE or vendor:FILE.');
  }
  return [...(before ?? []), { kind: kind as Asking['kind'], value }];
}

function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IPv4 or IPv6 address.');
  return text;
}

async function test({ config, configuration, alias: name, ...options }: TestOptions): Promise<void> {
  const alias = configuration.aliases[name];
  if (alias === undefined) throw new Error(`There is no alias ${name} in ${config}.`);
  const policy = await openPolicy(alias.policy);
  const asked = await readAsked(options, alias);
  const verdicts = await examineByState(
    configuration,
    { name, options: alias, policy },
    asked,
    options.address,
  );
  process.stdout.write(verdicts.map(textOfVerdict).join(''));
  const refusals = verdicts.filter(({ state }) => state === 'refused').length;
  if (refusals > 0) throw new Error(`Refused by ${refusals} ${refusals === 1 ? 'rule' : 'rules'}.`);
  if (policy.webhook !== undefined) {
    process.stdout.write(`policy.webhook would be asked now: ${policy.webhook.url}\n`);
  }
  const isSure = verdicts.every(({ state }) => state !== 'unknown');
  process.stdout.write(
    `The CA would be asked now: backends.${alias.backend}\n` +
      `Granted, as far as the policy goes${isSure ? '' : ' and as far as is known'}.\n`,
  );
}

async function readAsked(
  options: Pick<TestOptions, 'csr' | 'identity' | 'operation'>,
  alias: AliasConfiguration,
): Promise<AskedEnrollment> {
  const { operation } = options;
  const identity = await identityOf(options.identity, alias);
  const renewed = operation === 'simplereenroll' ? renewedBy(identity) : undefined;
  if (operation === 'serverkeygen') {
    const { keys } = alias.serverKeyGeneration ?? serverKeyGenerationByDefault;
    const csr = await readCsrFile(options.csr, alias.strict, (der) => {
      const received = readKeyGenerationRequest(der);
      return withKeyToMake(received, chooseKind(keys, received));
    });
    return { operation, identity, csr, names: namesToCertify(csr), signatures: [], certificates: [] };
  }
  const csr = await readCsrFile(options.csr, alias.strict, readCertificationRequest);
  const names = namesToCertify(csr, renewed);
  const signatures = [proofOfPossession(csr)];
  return { operation, identity, renewed, csr, names, signatures, certificates: [] };
}

async function identityOf(
  asking: readonly Asking[],
  { registrationAuthorities }: AliasConfiguration,
): Promise<ClientIdentity> {
  const user = asking.find(({ kind }) => kind === 'user');
  const shown = asking.find(({ kind }) => kind !== 'user');
  if (asking.length !== [user, shown].filter((one) => one !== undefined).length) {
    throw new Error('A client is one user, one certificate, or one of each.');
  }
  const certificate = shown && (await readShown(shown));
  const authorityOf = createRegistrationAuthorities(registrationAuthorities);
  return {
    ...clientIdentity(certificate, user && { name: user.value.normalize('NFC'), isLimited: false }),
    registrationAuthority:
      certificate?.trustAnchor === 'explicit' ? authorityOf(certificate.certificate) : undefined,
  };
}

async function readShown({ kind, value: file }: Asking): Promise<CertificateIdentity> {
  const [certificate, issuer = certificate] = certificatesFromPem(await readFile(file, 'utf8'));
  if (certificate === undefined || issuer === undefined) throw new Error(`${file} holds no certificate.`);
  const trustAnchor: TrustAnchorKind = kind === 'vendor' ? 'implicit' : 'explicit';
  return { certificate, trustAnchor, issuer };
}

function renewedBy({ certificate }: ClientIdentity): Certificate {
  if (certificate?.trustAnchor === 'explicit') return certificate.certificate;
  throw new Error(
    'simplereenroll renews a certificate of the CA of the alias: add --identity certificate:FILE.',
  );
}

function textOfVerdict(verdict: Verdict): string {
  const { state, rule } = verdict;
  const line = (text: string): string => `${state.padEnd(7)}  ${text}\n`;
  switch (state) {
    case 'passed':
    case 'skipped':
      return line(rule);
    case 'unknown':
      return line(rule) + verdict.unknown.map((sentence) => `         not looked at: ${sentence}\n`).join('');
    case 'refused': {
      const { refusedBy = {}, status, sentence } = verdict.refusal;
      const { rule: broken = rule, path, offending } = refusedBy;
      const where = path === undefined ? '' : ` (${path})`;
      const what = offending === undefined ? '' : `         ${offending}\n`;
      return `${line(`${broken}${where}`)}         ${status}: ${sentence}\n${what}`;
    }
  }
}

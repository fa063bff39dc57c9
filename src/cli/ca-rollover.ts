import { Option, type Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createNewRoot } from '../ca/local/rollover.ts';
import type { Configuration } from '../config/configuration.ts';
import { readSecret } from '../ops/secret.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { backendOption, localBackend, withLocalBackend, type BackendOption } from './local-backend.ts';
import { createFiles } from './new-files.ts';
import { configurationOption } from './options.ts';
import { withState } from './state.ts';

/** `est-gateway ca rollover` */
export function addRolloverCommand(ca: Command): void {
  ca.command('rollover')
    .description(
      'Make a new root above the issuing CA: writes FOLDER beside the configuration, prints what to change in it.',
    )
    .requiredOption('-k, --root-key <file>', "PEM of the present root's private key")
    .option('--passphrase <reference>', 'where the passphrase of that key is: file:PATH or env:NAME')
    .addOption(
      new Option('-o, --out <folder>', 'folder to create beside the configuration').default('new-root'),
    )
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway ca rollover --root-key ca/root.key --passphrase file:ca/passphrase',
    )
    .action(rollOver);
}

interface RolloverOptions extends BackendOption {
  readonly rootKey: string;
  readonly passphrase?: string;
  readonly out: string;
}

/** The configuration is left to its owner: nothing changes until the new files are named in it. */
async function rollOver({ config, configuration, backend, out, ...root }: RolloverOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const newPassphrase = randomBytes(32).toString('base64url');
  const made = await createNewRoot({
    chain: await chainOf(configuration, name),
    rootKey: await readFile(root.rootKey, 'utf8'),
    passphrase: root.passphrase === undefined ? undefined : await readSecret(root.passphrase),
    newPassphrase,
    now: new Date(),
  });
  await createFiles(dirname(configuration.file), [
    { name: `${out}/root.pem`, text: made.rootCertificate, secret: false },
    { name: `${out}/root.key`, text: made.rootKey, secret: true },
    { name: `${out}/root.passphrase`, text: `${newPassphrase}\n`, secret: true },
    { name: `${out}/issuing.pem`, text: made.issuingCertificate, secret: false },
    { name: `${out}/chain.pem`, text: made.chain, secret: false },
    { name: `${out}/additional.pem`, text: made.additionalCaCertificates, secret: false },
    { name: `${out}/tls-chain.pem`, text: made.tlsChain, secret: false },
  ]);
  process.stdout.write(whatToChange(name, out));
}

/** From the issuing certificate to the root. */
async function chainOf(configuration: Configuration, name: string): Promise<readonly Certificate[]> {
  const certificates = await withState(
    configuration,
    async (store) =>
      await withLocalBackend(
        configuration,
        name,
        store,
        async (ca) => await ca.caCertificates(AbortSignal.timeout(60_000)),
      ),
  );
  return certificates.map((der) => readCertificate(der));
}

function whatToChange(backend: string, folder: string): string {
  return `# The root is new, the issuing key stays. To change over, edit the configuration and start the gateway anew.
# In backends.${backend}, instead of the lines that are there:
    certificate: ${folder}/issuing.pem
    chain: [${folder}/chain.pem]
# In every alias of this backend, until all clients have the new root:
    additionalCaCertificates: [${folder}/additional.pem]
# In the file of listeners.est.certificate, put ${folder}/tls-chain.pem behind the server's own certificate, instead
# of what is there: clients with either root accept that.
# New clients trust ${folder}/root.pem. Keep root.key and root.passphrase elsewhere.
`;
}

import type { Command } from 'commander';
import { join } from 'node:path';
import { generateCode } from '../auth/made-code.ts';
import { loadConfiguration } from '../config/load.ts';
import {
  configurationName,
  hasConfiguration,
  hostnameOption,
  init,
  portOption,
  type InitOptions,
} from './init.ts';
import { requestsToTry } from './requests-to-try.ts';
import { serve } from './serve.ts';
import { wordOf } from './shell.ts';
import { withState } from './state.ts';
import { addUser } from './user.ts';

/** `est-gateway quickstart` */
export function addQuickstartCommand(program: Command): void {
  program
    .command('quickstart')
    .description('Serve from a folder, made on first start with an enrolment user; print requests to try.')
    .option('-d, --directory <folder>', 'folder of the gateway', './data')
    .addOption(hostnameOption())
    .addOption(portOption())
    .addHelpText(
      'after',
      '\nHost name and port are for the first start; later the configuration in the folder says them.\n\nExample:\n  est-gateway quickstart --directory ./data',
    )
    .action(quickstart);
}

const alias = 'est';
const firstUser = 'device';

async function quickstart(options: InitOptions): Promise<void> {
  const { directory } = options;
  const isFirst = !(await hasConfiguration(directory));
  if (isFirst) await init(options);
  const configuration = await loadConfiguration(join(directory, configurationName));
  const requests = (credentials: string): string => {
    const { est } = configuration.listeners;
    return est === undefined ? '' : requestsToTry(directory, est.port, credentials);
  };
  if (isFirst) {
    const code = generateCode();
    await withState(configuration, async (store) => {
      await addUser(store, { alias, name: firstUser, code, remainingUses: undefined });
    });
    process.stdout.write(created(directory, code) + requests(`${firstUser}:${code}`));
  } else {
    process.stdout.write(found(directory) + requests('NAME:CODE'));
  }
  await serve(configuration);
}

function created(directory: string, code: string): string {
  return `
Created ${directory}:
  ${configurationName}   the configuration, with a comment on every key
  trust-anchor.pem   what clients trust: the root of the new CA
  ca/                the root and the issuing CA, P-256, keys encrypted
  tls/               key and certificate of this server

The user ${firstUser} enrols with the code ${code}, which is stored as a hash and shown only now.
${anotherUser(directory)}`;
}

function found(directory: string): string {
  return `
Using ${directory} as it is. Codes are stored as hashes and cannot be shown again.
${anotherUser(directory)}`;
}

function anotherUser(directory: string): string {
  const config = wordOf(`${directory.replace(/\/+$/, '')}/${configurationName}`);
  return `A new user gets a code by: npx est-gateway user add NAME --config ${config}\n\n`;
}

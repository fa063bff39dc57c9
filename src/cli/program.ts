import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withBuiltInDrivers, type Drivers } from '../config/drivers.ts';
import { loadConfiguration } from '../config/load.ts';
import { addAliasCommands } from './alias.ts';
import { addAuditKeysCommand } from './audit-keys.ts';
import { addCaCommands } from './ca.ts';
import { addCheckCommand } from './check.ts';
import { addEnrollmentsCommands } from './enrollments.ts';
import { addImportEjbcaCommand } from './import-ejbca.ts';
import { addInitCommand } from './init.ts';
import type { ConfigurationOption } from './options.ts';
import { addPolicyCommands } from './policy.ts';
import { addQuickstartCommand } from './quickstart.ts';
import { addSchemaCommand } from './schema.ts';
import { sentenceOf } from '../ops/sentence.ts';
import { addServeCommand } from './serve.ts';
import { addUserCommands } from './user.ts';

/** Each adds one command, or one group of commands, in the order of `--help`. */
const commands: readonly ((program: Command, drivers: Drivers) => void)[] = [
  addInitCommand,
  addQuickstartCommand,
  addServeCommand,
  addCheckCommand,
  addUserCommands,
  addAliasCommands,
  addCaCommands,
  addEnrollmentsCommands,
  addPolicyCommands,
  addAuditKeysCommand,
  addImportEjbcaCommand,
  addSchemaCommand,
];

/**
 * Runs a command line, given without the program's own name. The configuration may name `others` beside the built-in
 * drivers. Resolves with the exit code: 0 done, 1 failed (one sentence is on stderr), 2 wrong usage.
 */
export async function runCommandLine(
  words: readonly string[],
  others: Partial<Drivers> = {},
): Promise<number> {
  endWhenNobodyReads(process.stdout);
  try {
    await createProgram(withBuiltInDrivers(others)).parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

function createProgram(drivers: Drivers): Command {
  const program = new Command('est-gateway')
    .description('EST (RFC 7030) for the certificate authority that you already run.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nExit code: 0 done, 1 failed (standard error says why), 2 wrong usage.')
    .showHelpAfterError('Add --help to see how it is used.')
    .exitOverride()
    .hook('preAction', async (_program, command) => {
      const { config } = command.opts<Partial<ConfigurationOption>>();
      if (config !== undefined) {
        command.setOptionValue('configuration', await loadConfiguration(config, drivers));
      }
    });
  for (const addTo of commands) addTo(program, drivers);
  return program;
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** `est-gateway ca list | head` is no error: a closed pipe ends the program as it ends others (SIGPIPE). */
function endWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    process.exit(code === 'EPIPE' ? 141 : 1);
  });
}

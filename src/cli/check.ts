import type { Command } from 'commander';
import { ConfigurationError } from '../config/configuration-error.ts';
import { createLog } from '../ops/log.ts';
import { checkGateway } from '../server.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';

/** `est-gateway check` */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .description(
      'Validate the configuration, open every file and reach every backend and source of credentials, without serving.',
    )
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway check --config /etc/est-gateway/est-gateway.yaml')
    .action(check);
}

async function check({ config, configuration }: ConfigurationOption): Promise<void> {
  const log = createLog({ level: 'error', format: 'text' }, process.stderr);
  const problems = await checkGateway(configuration, log);
  if (problems.length > 0) throw new ConfigurationError(problems.map((problem) => `${config}: ${problem}`));
  process.stdout.write(`OK: ${config} can be served; every file opens, every backend answers.\n`);
}

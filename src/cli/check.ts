import type { Command } from 'commander';
import { ConfigurationError } from '../config/configuration-error.ts';
import { escapeInvisible, type Log, type LogFields } from '../ops/log.ts';
import { sentenceOf } from '../ops/sentence.ts';
import { checkGateway } from '../server.ts';
import { certificateWarnings, isAboutDates } from '../server/certificate-warnings.ts';
import { objectionsToModes } from '../server/named-files.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';

/** `est-gateway check` */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .description(
      'Validate the configuration, open every file and reach every backend and source of credentials, without serving.',
    )
    .addOption(configurationOption())
    .addHelpText(
      'after',
      `
Exit code: 0 it can be served, perhaps with warnings on standard error; 1 it cannot; 2 wrong usage.

Example:
  est-gateway check --config /etc/est-gateway/est-gateway.yaml`,
    )
    .action(check);
}

async function check({ config, configuration }: ConfigurationOption): Promise<void> {
  const warnings = [...(await certificateWarnings(configuration, new Date()))];
  const problems = [
    ...(await objectionsToModes(configuration)),
    ...(await checkGateway(configuration, warningLog(warnings))),
  ];
  for (const warning of new Set(warnings)) {
    process.stderr.write(`${config}: warning: ${escapeInvisible(warning)}\n`);
  }
  if (problems.length > 0) throw new ConfigurationError(problems.map((problem) => `${config}: ${problem}`));
  process.stdout.write(`OK: ${config} can be served; every file opens, every backend answers.\n`);
}

/** Takes down what a start would warn of; dates of certificates are said already, and in more words. */
function warningLog(warnings: string[]): Log {
  const note = (message: string, fields: LogFields = {}): void => {
    if (!isAboutDates(fields)) warnings.push(textOf(message, fields));
  };
  const ignore = (): void => undefined;
  return { error: note, warn: note, info: ignore, debug: ignore };
}

function textOf(message: string, fields: LogFields): string {
  const details = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${sentenceOf(value)}`);
  return details.length === 0 ? message : `${message} (${details.join(', ')})`;
}

import type { Command } from 'commander';
import { configurationOption, type ConfigurationOption } from './options.ts';
import { withState } from './state.ts';

/** `est-gateway alias rename` */
export function addAliasCommands(program: Command): void {
  const alias = program.command('alias').description('What belongs to aliases in the store.');
  alias
    .command('rename')
    .argument('<old>', 'its name before')
    .argument('<new>', 'its name now')
    .description(
      'Move the users, codes and requests of an alias that gets another name in the configuration; else it begins with none.',
    )
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway alias rename est sensors')
    .action(rename);
}

async function rename(from: string, to: string, { configuration }: ConfigurationOption): Promise<void> {
  const outcome = await withState(
    configuration,
    async ({ aliases }) => await aliases.rename(from, to, new Date()),
  );
  switch (outcome.state) {
    case 'unknown':
      throw new Error(`The store knows no alias ${from}.`);
    case 'doubled':
      throw new Error(
        `Both aliases have users of these names: ${outcome.users.join(', ')}. Remove them from one of the two first.`,
      );
    case 'renamed':
      process.stdout.write(
        `What belonged to ${from} belongs to ${to} now. Rename it in the configuration, too, then reload the gateway.\n`,
      );
      if (outcome.withoutDigest > 0) {
        process.stdout.write(
          `${outcome.withoutDigest} users cannot use Digest any more, which has the name of the alias in its hashes: add them anew, or let them use Basic.\n`,
        );
      }
  }
}

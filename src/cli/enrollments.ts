import { InvalidArgumentError, type Command } from 'commander';
import type { JournalEntry } from '../store/store.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';
import { withState } from './state.ts';
import { table, timeText } from './table.ts';

/** `est-gateway enrollments list | forget` */
export function addEnrollmentsCommands(program: Command): void {
  const enrollments = program
    .command('enrollments')
    .description('The journal of enrolments; a running gateway knows at once.');
  enrollments
    .command('list')
    .description('List the newest records of the journal.')
    .option('--limit <n>', 'how many', numberOfRecords, 100)
    .option('--json', 'print JSON')
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway enrollments list --limit 20')
    .action(list);
  enrollments
    .command('forget')
    .argument('<id...>', 'of the record, as "enrollments list" prints it')
    .description(
      'Make the journal forget answers, so that the next request of the same kind is a new one: it costs a use of a code and quota. What was issued stays known, and valid; see "est-gateway ca revoke". A request that waits gives its use of a code back; one whose outcome is unknown does not.',
    )
    .addOption(configurationOption())
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway enrollments forget 019ddb5f8a00-3c1f7f2e-5a0b-4c55-9d3c-8f1de2a1b0c4',
    )
    .action(forget);
}

function numberOfRecords(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 1 to 999999.');
}

interface ListOptions extends ConfigurationOption {
  readonly limit: number;
  readonly json?: true;
}

async function list({ configuration, limit, json }: ListOptions): Promise<void> {
  const entries = await withState(configuration, async (store) => await store.enrollments.list(limit));
  process.stdout.write(json === true ? `${JSON.stringify(entries, null, 2)}\n` : entriesAsTable(entries));
}

function entriesAsTable(entries: readonly JournalEntry[]): string {
  return table(
    ['ID', 'SINCE', 'OPERATION', 'STATE', 'SERIAL NUMBER', 'IDENTITY', 'SUBJECT'],
    entries.map(({ id, openedAt, operation, state, serialNumber = '-', identity, subject }) => [
      ...[id, timeText(openedAt), operation, state, serialNumber, identity, subject],
    ]),
  );
}

async function forget(ids: readonly string[], { configuration }: ConfigurationOption): Promise<void> {
  await withState(configuration, async ({ enrollments }) => {
    for (const id of ids) {
      switch (await enrollments.forget(id, new Date())) {
        case 'forgotten':
          process.stdout.write(`${id} is forgotten.\n`);
          break;
        case 'unknown':
          throw new Error(`The journal has no record ${id}; see "est-gateway enrollments list".`);
        case 'in_progress':
          throw new Error(`The CA is being asked for the record ${id} at this moment; try again later.`);
      }
    }
  });
}

import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import type { Decision, HeldRequest } from '../store/store.ts';
import { backendOption, caOfBackend, localBackend, type BackendOption } from './local-backend.ts';
import { configurationOption } from './options.ts';
import { withState } from './state.ts';
import { table, timeText } from './table.ts';

/** Adds `pending`, `approve` and `deny` to `est-gateway ca`. */
export function addApprovalCommands(ca: Command): void {
  ca.command('pending')
    .description('List the requests that wait for approval, the oldest first.')
    .option('--json', 'print JSON')
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca pending')
    .action(list);
  ca.command('approve')
    .argument('<reference...>', 'as "ca pending" prints it')
    .description('Approve requests; a client gets its certificate when it asks again.')
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca approve 4f0a129c3e')
    .action(approve);
  ca.command('deny')
    .argument('<reference...>', 'as "ca pending" prints it')
    .description('Deny requests; a client is told so when it asks again.')
    .addOption(
      new Option('-r, --reason <text>', 'what the client is told')
        .default('ask the operator of the CA.')
        .argParser(parseReason),
    )
    .addOption(backendOption())
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway ca deny 4f0a129c3e --reason "Unknown serial number."')
    .action(deny);
}

interface ListOptions extends BackendOption {
  readonly json?: true;
}

async function list({ configuration, backend, json }: ListOptions): Promise<void> {
  const name = localBackend(configuration, backend);
  const requests = await withState(
    configuration,
    async (store) =>
      await store.heldRequests.undecided(
        await caOfBackend(configuration, name, store),
        askedSince(configuration),
      ),
  );
  process.stdout.write(json === true ? requestsAsJson(requests) : requestsAsTable(requests));
}

/** Requests that were not repeated since then have lapsed. */
function askedSince({ limits: { pendingExpiry } }: Configuration): Date {
  return new Date(Date.now() - pendingExpiry * 1000);
}

function requestsAsJson(requests: readonly HeldRequest[]): string {
  const shown = requests.map(
    ({ reference, identity, alias, operation, subject, subjectAltName, keyType, publicKey, heldAt }) => ({
      reference,
      identity,
      alias,
      operation,
      subject,
      subjectAltName,
      keyType,
      publicKeySha256: publicKey,
      since: heldAt,
    }),
  );
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function requestsAsTable(requests: readonly HeldRequest[]): string {
  return table(
    ['REFERENCE', 'SINCE', 'ALIAS', 'OPERATION', 'IDENTITY', 'SUBJECT', 'SUBJECT ALT NAME', 'KEY (SHA-256)'],
    requests.map((request) => [
      request.reference,
      timeText(request.heldAt),
      request.alias,
      request.operation,
      request.identity,
      request.subject,
      request.subjectAltName.join(', ') || '-',
      `${request.keyType} ${request.publicKey}`,
    ]),
  );
}

async function approve(references: readonly string[], options: BackendOption): Promise<void> {
  await decide(references, { state: 'approved' }, options);
}

interface DenyOptions extends BackendOption {
  readonly reason: string;
}

async function deny(references: readonly string[], { reason, ...options }: DenyOptions): Promise<void> {
  await decide(references, { state: 'denied', reason }, options);
}

async function decide(
  references: readonly string[],
  decision: Decision,
  { configuration, backend }: BackendOption,
): Promise<void> {
  const name = localBackend(configuration, backend);
  await withState(configuration, async (store) => {
    const ca = await caOfBackend(configuration, name, store);
    for (const reference of references) {
      switch (await store.heldRequests.decide(ca, reference, decision, askedSince(configuration))) {
        case 'decided':
          process.stdout.write(`${reference} is ${decision.state}.\n`);
          break;
        case 'already':
          process.stdout.write(`${reference} was decided before; nothing was changed.\n`);
          break;
        case 'unknown':
          throw new Error(`No request ${reference} waits at the CA ${name}; see "est-gateway ca pending".`);
      }
    }
  });
}

/** It becomes part of an answer: one line of printable ASCII. */
function parseReason(text: string): string {
  if (!/^[ -~]{1,200}$/.test(text)) {
    throw new InvalidArgumentError('Expected one line of at most 200 ASCII characters.');
  }
  return text;
}

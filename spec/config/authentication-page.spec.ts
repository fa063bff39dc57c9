import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../cli/command-line.ts';
import { load, shortest } from '../support/configuration-file.ts';
import { startTestGateway } from '../support/gateway.ts';
import { openWorkplace } from '../support/programs.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/authentication.md'), 'utf8');

/** The examples: blocks that are indented by four columns. */
const examples = (page.match(/(?:^ {4}.*\n)+/gm) ?? []).map((block) => block.replaceAll(/^ {4}/gm, ''));

describe('docs/authentication.md', () => {
  const settings = examples.filter((text) => /^\w+:/.test(text));
  const commands = examples.filter((text) => text.startsWith('openssl '));
  const userCommands = examples.filter((text) => text.startsWith('est-gateway user '));

  it('has examples', () => {
    expect([settings.length, commands.length, userCommands.length, examples.length]).toEqual([7, 1, 1, 9]);
  });

  it.each(settings)('has settings that the gateway understands: %s', async (text) => {
    const inAlias = text.replaceAll(/^/gm, '    ').trimEnd();
    const isGlobal = text.includes('allowedNetworks');
    const configuration = await load(isGlobal ? `${shortest}${text}` : `${shortest}${inAlias}\n`);
    const [key = ''] = text.split(':');
    const loaded = isGlobal ? configuration : configuration.aliases['est'];
    expect(loaded).toHaveProperty(key);
  });

  it.each(commands)('has commands that work: %s', async (text) => {
    const gateway = await startTestGateway();
    const workplace = await openWorkplace();
    try {
      const program = `${process.execPath} ${join(import.meta.dirname, '../../src/main.ts')}`;
      const line = text
        .replace('est-gateway', program)
        .replace(' --csr', ` --config ${gateway.configurationFile} --csr`);
      await workplace.bash(line);
      expect(await workplace.bash('openssl x509 -in ra.pem -noout -subject -ext extendedKeyUsage')).toMatch(
        /CN = RA of plant 1[^]*CMC Registration Authority/,
      );
    } finally {
      await workplace.remove();
      await gateway.stop();
    }
  });

  it.each(userCommands)('adds users by: %s', async (text) => {
    const gateway = await startTestGateway();
    try {
      const commands = text.trimEnd().split('\n');
      for (const command of commands) {
        const [, ...words] = command.split(' ');
        const code = await output([...words, '--alias', 'est', '--config', gateway.configurationFile]);
        expect(code).toMatch(/^\S{20,}\n$/);
      }
      const added = (await gateway.store.users.list()).filter(({ name }) => name !== 'device');
      expect(added).toHaveLength(commands.length);
    } finally {
      await gateway.stop();
    }
  });
});

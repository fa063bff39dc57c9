import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ejbcaAliasSchema } from '../../src/ca/ejbca/alias-settings.ts';
import { load } from '../support/configuration-file.ts';

describe('docs/ejbca.md', () => {
  const page = readFileSync('docs/ejbca.md', 'utf8');
  const sources = readdirSync('src/ca/ejbca')
    .map((file) => readFileSync(join('src/ca/ejbca', file), 'utf8'))
    .join('\n');

  it('has an example that the gateway takes', async () => {
    const example = parse(/```yaml\n([^`]+)```/.exec(page)?.[1] ?? '') as object;
    const listeners = { est: { certificate: 'server.pem', privateKey: 'file:server.key' } };
    const store = { driver: 'sqlite', file: 'state.sqlite' };
    const { aliases } = await load(stringify({ listeners, store, ...example }));
    expect(Object.keys(aliases)).toEqual(['est', 'meters', 'pumps']);
  });

  it('has every setting of an alias', () => {
    const { nameGeneration, ...others } = ejbcaAliasSchema['properties'] as Record<
      string,
      { properties: object }
    >;
    const inside = Object.keys(nameGeneration?.properties ?? {}).map((key) => `nameGeneration.${key}`);
    for (const key of [...Object.keys(others), ...inside]) expect(page).toContain(`| \`${key}\``);
  });

  it('advises as the log does', () => {
    const table = page.slice(page.indexOf('| `answer` in the log'));
    const cures = table
      .split('\n')
      .map((line) => line.split('|')[3]?.trim() ?? '')
      .filter((cell) => /^[A-Z].*\.$/.test(cell))
      .map((cell) =>
        cell
          .replace('"REST Certificate Management"', '"${protocolOf(path)}"')
          .replace('/ca_functionality/create_certificate', '$1')
          .replace('id ... (/ca/&lt;its name&gt;/)', 'id $1 (/ca/<its name>/)'),
      );
    const inSources = /\badvice(?::| =)[^'"`;(]*['"`]([A-Z].*\.)['"`]/g;
    const advice = [...sources.matchAll(inSources)].map(([, sentence]) => sentence);
    expect(advice.length).toBeGreaterThan(15);
    expect([...cures].sort()).toEqual([...advice].sort());
  });
});

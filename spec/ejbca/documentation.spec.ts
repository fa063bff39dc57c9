import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { ejbcaAliasSchema } from '../../src/ca/ejbca/alias-settings.ts';
import { load } from '../support/configuration-file.ts';
import { pageWithRefusals } from './refusal-table.ts';

describe('docs/ejbca.md', () => {
  const page = readFileSync('docs/ejbca.md', 'utf8');

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

  it('has every refusal as the code has it', () => {
    expect(withoutPadding(pageWithRefusals(page))).toBe(withoutPadding(page));
  });
});

/** Formatting aligns the columns of tables. */
function withoutPadding(markdown: string): string {
  return markdown.replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---');
}

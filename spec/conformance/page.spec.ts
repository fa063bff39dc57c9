import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { conformancePage, quotedRows, readReasons, readSections } from './conformance-page.ts';

describe('docs/conformance.md', () => {
  const page = readFileSync('docs/conformance.md', 'utf8');
  const rowsOfPage = new Map(
    [...page.matchAll(/^\| ([A-Z]{1,2}-\d\d) .*$/gm)].map(([line, id = '']) => [id, line]),
  );

  it('says of every row whether it is met, and forgets none', () => {
    const ids = readSections().flatMap(({ rows }) => rows.map(({ id }) => id));
    expect([...rowsOfPage.keys()]).toEqual(ids);
    expect(page).not.toContain('**no test**');
    expect(page).not.toContain('**failed**');
  });

  it('gives the reasons that are written down', () => {
    for (const [id, { reason }] of readReasons()) {
      expect(rowsOfPage.get(id)).toContain(reason.slice(0, 40));
    }
  });
});

describe('conformancePage', () => {
  const sections = [{ section: 'cacerts', rows: [{ id: 'C-01', requirement: 'Ask for | nothing.' }] }];

  it('counts the tests that quote a row', () => {
    const tests = [{ file: 'a.spec.ts', name: 'cacerts C-01 asks for nothing', passed: true }];
    const { markdown, problems } = conformancePage(sections, new Map(), tests);
    expect(markdown).toMatch(/\| C-01 .* \| pass \(1 test\) \|/);
    expect(markdown).toContain('Ask for \\| nothing.');
    expect(problems).toEqual([]);
  });

  it('complains of a row that nobody tested, of a failed one, and of one that does not exist', () => {
    expect(conformancePage(sections, new Map(), []).problems).toHaveLength(1);
    const failed = [{ file: 'a.spec.ts', name: 'C-01 asks for nothing, C-99 neither', passed: false }];
    expect(conformancePage(sections, new Map(), failed).problems).toEqual([
      'C-01: a test of it failed.',
      'C-99: quoted, but not in rows.yaml.',
    ]);
  });

  it('shows the reason for what is not met, beside the tests of what is', () => {
    const reasons = new Map([['C-01', { result: 'partly met' as const, reason: 'Too hard.' }]]);
    const tests = [{ file: 'a.spec.ts', name: 'C-01 asks for nothing', passed: true }];
    expect(conformancePage(sections, reasons, tests).markdown).toContain(
      '**partly met** (1 test): Too hard.',
    );
  });

  it('finds every id in the name of a test', () => {
    expect(quotedRows('PQ-01, V-31 and S-11 refuse keys (RFC-7030)')).toEqual(['PQ-01', 'V-31', 'S-11']);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** One requirement; the specs quote its id in the names of their tests. */
interface Row {
  readonly id: string;
  /** Where it comes from, as `7030 §4.2.3`. */
  readonly source?: string;
  /** MUST, SHOULD, MAY as the source sets it; `advice` when no source demands it. */
  readonly level?: string;
  readonly requirement: string;
}

interface Section {
  readonly section: string;
  readonly rows: readonly Row[];
}

/** Why a row has no test of its own, or less than all of it holds. */
interface Reason {
  readonly result: 'not applicable' | 'not met' | 'partly met' | 'pass by review' | 'reserved' | 'to come';
  readonly reason: string;
}

/** A test as jest reported it. */
export interface ProvingTest {
  /** Relative to the top of the repository. */
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
}

/** Every row, by section: `rows.yaml`. */
export function readSections(): readonly Section[] {
  return readYaml('rows.yaml') as readonly Section[];
}

/** The rows that tests alone do not settle: `reasons.yaml`, by row. */
export function readReasons(): ReadonlyMap<string, Reason> {
  return new Map(Object.entries(readYaml('reasons.yaml') as Record<string, Reason>));
}

function readYaml(file: string): unknown {
  return parse(readFileSync(join('spec', 'conformance', file), 'utf8'));
}

/**
 * The ids of rows that a test's name quotes; `C-04 to C-07` and `C-04/C-07` count as what they spell out.
 *
 * @public
 */
export function quotedRows(testName: string): readonly string[] {
  return [...testName.matchAll(/\b[A-Z]{1,2}-\d\d\b/g)].map(([id]) => id);
}

/** docs/conformance.md, and what is wrong: rows without test or reason, failed tests, reasons for no row. */
export function conformancePage(
  sections: readonly Section[],
  reasons: ReadonlyMap<string, Reason>,
  tests: readonly ProvingTest[],
): { readonly markdown: string; readonly problems: readonly string[] } {
  const testsOfRow = Map.groupBy(
    tests.flatMap((test) => [...new Set(quotedRows(test.name))].map((id) => ({ id, test }))),
    ({ id }) => id,
  );
  const rows = sections.flatMap((section) => section.rows);
  const results = new Map(
    rows.map(({ id }) => [
      id,
      resultOf(
        reasons.get(id),
        (testsOfRow.get(id) ?? []).map(({ test }) => test),
      ),
    ]),
  );
  const unknown = [...testsOfRow.keys(), ...reasons.keys()].filter((id) => !results.has(id));
  return {
    markdown: [
      ...introduction,
      summary([...results.values()]),
      ...sections.flatMap((section) => sectionLines(section, results)),
    ].join('\n'),
    problems: [
      ...[...results]
        .filter(([, { kind }]) => kind === 'failed')
        .map(([id]) => `${id}: a test of it failed.`),
      ...[...results]
        .filter(([, { kind }]) => kind === 'missing')
        .map(([id]) => `${id}: no test quotes it, and reasons.yaml does not say why.`),
      ...unknown.map((id) => `${id}: quoted, but not in rows.yaml.`),
    ],
  };
}

const introduction = [
  '# Conformance',
  '',
  'Made by `make conformance` from the results of the specs: every test quotes the rows that it proves. The rows',
  'collect what the RFCs ask of an EST server, with what experience adds (level `advice`); numbers in the column',
  'Source are RFCs. _pass_ counts the tests; a row that is not applicable, reserved or not met says why.',
  '',
];

interface Result {
  readonly kind: 'pass' | 'failed' | 'missing' | Reason['result'];
  readonly text: string;
}

function resultOf(reason: Reason | undefined, tests: readonly ProvingTest[]): Result {
  if (tests.some(({ passed }) => !passed)) return { kind: 'failed', text: '**failed**' };
  const proof = tests.length === 0 ? '' : ` (${tests.length} ${tests.length === 1 ? 'test' : 'tests'})`;
  if (reason !== undefined) {
    return { kind: reason.result, text: `**${reason.result}**${proof}: ${reason.reason}` };
  }
  return tests.length === 0
    ? { kind: 'missing', text: '**no test**' }
    : { kind: 'pass', text: `pass${proof}` };
}

function summary(results: readonly Result[]): string {
  const counts = Map.groupBy(results, ({ kind }) => kind);
  return (
    [...counts].map(([kind, { length }]) => `${length} ${kind}`).join(', ') + `; ${results.length} rows.`
  );
}

function sectionLines({ section, rows }: Section, results: ReadonlyMap<string, Result>): readonly string[] {
  return [
    '',
    `## ${section}`,
    '',
    '| Row | Source | Level | What | Result |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ id, source = '', level = '', requirement }) =>
        `| ${[id, source, level, cell(requirement), cell(results.get(id)?.text ?? '')].join(' | ')} |`,
    ),
  ];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}

import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { conformancePage, readReasons, readSections, type ProvingTest } from './conformance-page.ts';

/** `make conformance`: runs the specs and writes docs/conformance.md; exit code 1 when a row has no result. */

interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const [reportFile] = process.argv.slice(2);
if (reportFile === undefined) throw new Error('Usage: page.ts REPORT, the file that jest --json wrote.');
const report = JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport;
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map(({ fullName, status }): ProvingTest => ({
    file: relative(process.cwd(), name),
    name: fullName,
    passed: status === 'passed',
  })),
);
const { markdown, problems } = conformancePage(readSections(), readReasons(), tests);
writeFileSync('docs/conformance.md', markdown);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Writes the table of refusals in docs/ejbca.md anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { pageWithRefusals } from './refusal-table.ts';

const page = 'docs/ejbca.md';
writeFileSync(page, pageWithRefusals(readFileSync(page, 'utf8')));

import { knownAnswers, otherAnswer } from '../../src/ca/ejbca/refusals/by-status.ts';
import { knownTexts } from '../../src/ca/ejbca/refusals/index.ts';
import type { Meaning } from '../../src/ca/ejbca/refusals/known-text.ts';
import { EstError } from '../../src/errors.ts';

const begin = '<!-- refusals: written by "make refusals" -->';
const end = '<!-- end of refusals -->';

/** docs/ejbca.md with the table of refusals as the code has it, not yet formatted. */
export function pageWithRefusals(markdown: string): string {
  const [before, rest = ''] = markdown.split(begin);
  const [, after] = rest.split(end);
  if (before === undefined || after === undefined) throw new Error(`The page must have ${begin} and ${end}.`);
  return `${before}${begin}\n\n${table()}\n\n${end}${after}`;
}

function table(): string {
  return [
    '| EJBCA answers | status | the device reads | what helps (`advice`) |',
    '| --- | --- | --- | --- |',
    ...knownTexts.map(({ texts, call, ...meaning }) => row(seenTexts(texts, call), meaning)),
    ...[...knownAnswers, otherAnswer].map(({ seen, ...meaning }) => row(seen, meaning)),
  ].join('\n');
}

function seenTexts(texts: readonly string[], call: string | undefined): string {
  const all = texts.map((text) => `\`${withoutWords(text)}\``).join('<br>');
  return call === undefined ? all : `${all} to ${call}`;
}

function row(seen: string, { code, sentence, advice, page }: Meaning): string {
  const { status, sentence: read } = new EstError(code, sentence);
  const cure = page === undefined ? advice : `${advice} EJBCA: ${page}.`;
  return `| ${seen} | ${status} | ${read} | ${withoutWords(cure)} |`;
}

/** What differs from answer to answer is of no interest there. */
function withoutWords(text: string): string {
  return text.replaceAll(/\{\w+\}/g, '...');
}

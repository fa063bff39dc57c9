import { readFile } from 'node:fs/promises';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { ConfigurationError } from './configuration-error.ts';

/** The way to a value: keys of mappings, positions in lists. */
export type KeyPath = readonly (string | number)[];

/** A configuration file as it was read. */
export interface Source {
  /** As the person named it. */
  readonly file: string;
  readonly value: unknown;
  /** The line on which the key or the list entry begins, or of what is nearest to it; the first is 1. */
  lineOf(path: KeyPath): number;
}

/** Reads a YAML file. Throws ConfigurationError when there is none or it is no YAML. */
export async function readSource(file: string): Promise<Source> {
  const text = await readText(file);
  const lines = new LineCounter();
  const document = parse(file, text, lines);
  const problems = [...document.errors, ...document.warnings, ...danglingAliases(document)].map(
    ({ code, pos }) =>
      `${file}:${lines.linePos(pos[0]).line}: ${sentences[code] ?? `this is no valid YAML (${code})`}`,
  );
  if (problems.length > 0) throw new ConfigurationError(problems);
  if (document.contents === null) {
    throw new ConfigurationError([`${file}: the file is empty; "est-gateway init" writes one to start from`]);
  }
  return {
    file,
    value: valueOf(file, document),
    lineOf: (path) => lines.linePos(offsetOf(document, path)).line,
  };
}

async function readText(file: string): Promise<string> {
  let octets: Buffer;
  try {
    octets = await readFile(file);
  } catch (cause) {
    throw new ConfigurationError([`${file}: ${fileSentence(cause)}`], { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets);
  } catch (cause) {
    throw new ConfigurationError([`${file}: the file is not text in UTF-8; save it as UTF-8`], { cause });
  }
}

function fileSentence(error: unknown): string {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file; "est-gateway init" writes one to start from';
    case 'EISDIR':
      return 'this is a directory; name the YAML file in it';
    case 'EACCES':
      return 'the file may not be read by this user; check its owner and mode';
    default:
      return `the file cannot be read (${code})`;
  }
}

/** YAML 1.2 without tags: nothing but mappings, lists, texts, numbers, true, false and null comes out. */
function parse(file: string, text: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      resolveKnownTags: false,
      schema: 'core',
      stringKeys: true,
    });
  } catch (cause) {
    throw new ConfigurationError([`${file}: this is no YAML that can be read; is it nested too deep?`], {
      cause,
    });
  }
}

/** The library says these only later, and without their position. */
function danglingAliases(document: Document.Parsed): readonly Pick<YAMLError, 'code' | 'pos'>[] {
  const found: Pick<YAMLError, 'code' | 'pos'>[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined)
        found.push({ code: 'BAD_ALIAS', pos: [alias.range?.[0] ?? 0, 0] });
    },
  });
  return found;
}

function valueOf(file: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigurationError([`${file}: YAML aliases (*name) repeat too much; write the values out`], {
      cause,
    });
  }
}

/** The texts of the library are not used, because they quote the file, and what they quote may be a secret. */
const sentences: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  DUPLICATE_KEY: 'this key is here twice in one mapping; remove one of them',
  MULTIPLE_DOCS: 'a second YAML document begins here (---); expected one document',
  TAB_AS_INDENT: 'the line is indented with a tab; YAML wants spaces',
  BAD_INDENT: 'the indentation does not fit the lines above',
  TAG_RESOLVE_FAILED: 'YAML tags (!name) are not used here; remove it, or put the value in quotation marks',
  NON_STRING_KEY: 'a key must be a plain text',
  BAD_ALIAS: 'a YAML alias (*name) leads nowhere; put the value in quotation marks if it is none',
  MISSING_CHAR: 'a closing quotation mark or bracket, a comma or a colon is missing here or before',
  BAD_DQ_ESCAPE: 'a backslash in double quotation marks begins no known escape; use single ones',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotation marks',
  MULTILINE_IMPLICIT_KEY:
    'expected "key: value"; check the colon and the indentation, or put the value in quotation marks',
  BLOCK_AS_IMPLICIT_KEY:
    'expected "key: value"; check the colon and the indentation, or put the value in quotation marks',
};

/** Follows the path as far as it goes. */
function offsetOf(document: Document.Parsed, path: KeyPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const step of path) {
    const next = stepInto(document, node, step);
    if (next === undefined) break;
    offset = next.offset ?? offset;
    node = next.value;
  }
  return offset;
}

function stepInto(
  document: Document,
  node: unknown,
  step: string | number,
): { readonly value: unknown; readonly offset: number | undefined } | undefined {
  const collection = isAlias(node) ? node.resolve(document) : node;
  if (isMap(collection)) {
    const pair = collection.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    return pair === undefined ? undefined : { value: pair.value, offset: (pair.key as Node).range?.[0] };
  }
  if (isSeq<Node>(collection) && typeof step === 'number') {
    const item = collection.items[step];
    return item === undefined ? undefined : { value: item, offset: item.range?.[0] };
  }
  return undefined;
}

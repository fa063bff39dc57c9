/**
 * The field Forwarded (RFC 7239, section 4), as strictly as a field must be read that decides by whose word a request came.
 * The library for it that is best known lets a parameter that is there twice replace the first.
 */

/** The parameters of one element, by their names in lower case. */
export type ForwardedElement = ReadonlyMap<string, string>;

const token = String.raw`[!#$%&'*+\-.^_\`|~0-9A-Za-z]+`;
const quotedString = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`;
const blanks = String.raw`[\t ]*`;
const parameter = new RegExp(`${blanks}(${token})=(${token}|${quotedString})${blanks}`, 'y');
const separator = new RegExp(`${blanks}([;,]|$)`, 'y');

/** The elements of one field line; undefined: it does not have the form of the RFC, or a parameter is there twice. */
export function readForwarded(line: string): readonly ForwardedElement[] | undefined {
  const elements: Map<string, string>[] = [];
  let element = new Map<string, string>();
  for (let position = 0; ;) {
    const [found, name = '', value = ''] = matchAt(parameter, line, position) ?? [];
    if (element.has(name.toLowerCase())) return undefined;
    if (found !== undefined) element.set(name.toLowerCase(), unquoted(value));
    position += found?.length ?? 0;
    const [ending, mark] = matchAt(separator, line, position) ?? [];
    if (ending === undefined) return undefined;
    position += ending.length;
    if (mark === ';') continue;
    // Elements of a list may be empty (RFC 9110, section 5.6.1.2).
    if (element.size > 0) elements.push(element);
    if (mark === '') return elements;
    element = new Map();
  }
}

function matchAt(expression: RegExp, text: string, position: number): RegExpExecArray | null {
  expression.lastIndex = position;
  return expression.exec(text);
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value;
}

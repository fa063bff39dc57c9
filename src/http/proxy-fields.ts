import { EstError } from '../errors.ts';

/** A header field that only a proxy may set; its name in lower case. */
export interface ProxyField {
  readonly name: string;
  readonly value: string;
}

/** Those of the names, which are in lower case with `-`. */
function fieldsNamed(rawHeaders: readonly string[], names: readonly string[]): readonly ProxyField[] {
  return rawHeaders.flatMap((written, index) => {
    // Names and values alternate, and values may be long.
    if (index % 2 === 1) return [];
    const name = written.toLowerCase();
    return names.includes(name.replaceAll('_', '-')) ? [{ name, value: rawHeaders[index + 1] ?? '' }] : [];
  });
}

/** Which of the names the fields of the request have, `_` read as `-`. */
export function namesOfProxyFields(
  rawHeaders: readonly string[],
  names: readonly string[],
): readonly string[] {
  const found = new Set(fieldsNamed(rawHeaders, names).map(({ name }) => name.replaceAll('_', '-')));
  return names.filter((name) => found.has(name));
}

/**
 * Those of the fields that the request has, as they came (`rawHeaders`). A field that is there twice, one that this
 * proxy does not set, and one that is spelled with `_` can only come from a client, past the proxy; the lines of a field in
 * `lists` are one list (RFC 9110, section 5.3). Names are in lower case. Throws `malformed_request`.
 */
export function readProxyFields(
  rawHeaders: readonly string[],
  names: readonly string[],
  setByProxy: readonly string[],
  lists: readonly string[] = [],
): readonly ProxyField[] {
  const found = lists.reduce(joinLines, fieldsNamed(rawHeaders, names));
  const foundNames = found.map(({ name }) => name);
  if (foundNames.every((name) => setByProxy.includes(name)) && new Set(foundNames).size === found.length) {
    return found;
  }
  throw new EstError(
    'malformed_request',
    'The request has header fields that only a proxy may set, twice or in a form that this proxy does not use.',
  );
}

/** The lines of a field as one, where the first of them stands. */
function joinLines(fields: readonly ProxyField[], name: string): readonly ProxyField[] {
  const [first, ...more] = fields.filter((field) => field.name === name);
  if (first === undefined || more.length === 0) return fields;
  const value = [first, ...more].map((field) => field.value).join(', ');
  return fields.flatMap((field) => {
    if (field === first) return [{ name, value }];
    return field.name === name ? [] : [field];
  });
}

import { EstError } from '../errors.ts';

/** A header field that only a proxy may set; its name in lower case. */
export interface ProxyField {
  readonly name: string;
  readonly value: string;
}

/**
 * Those of the fields that the request has, as they came (`rawHeaders`). A field that is there twice, one that this
 * proxy does not set, and one that is spelled with `_` can only come from a client, past the proxy. Names are in lower
 * case. Throws `malformed_request`.
 */
export function readProxyFields(
  rawHeaders: readonly string[],
  names: readonly string[],
  setByProxy: readonly string[],
): readonly ProxyField[] {
  const found = rawHeaders.flatMap((written, index) => {
    const name = written.toLowerCase();
    const isMeant = index % 2 === 0 && names.includes(name.replaceAll('_', '-'));
    return isMeant ? [{ name, value: rawHeaders[index + 1] ?? '' }] : [];
  });
  const foundNames = found.map(({ name }) => name);
  if (foundNames.every((name) => setByProxy.includes(name)) && new Set(foundNames).size === found.length) {
    return found;
  }
  throw new EstError(
    'malformed_request',
    'The request has header fields that only a proxy may set, twice or in a form that this proxy does not use.',
  );
}

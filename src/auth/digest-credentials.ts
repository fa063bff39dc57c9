/** The fields of a Digest Authorization header (RFC 7616, section 3.4) that are used; nothing of it is believed yet. */
export interface DigestCredentials {
  /** In NFC. */
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  /** Left out by clients that know MD5 alone. */
  readonly algorithm: string;
  readonly qop: string;
  /** Eight hex digits. */
  readonly nc: string;
  readonly cnonce: string;
}

/** Undefined for what is malformed, lacks a field, or asks for what is not offered: userhash, `auth-int`, no qop. */
export function readDigestCredentials(authorization: string): DigestCredentials | undefined {
  const fields = readFields(authorization);
  if (fields === undefined || fields.get('userhash')?.toLowerCase() === 'true') return undefined;
  const username = usernameOf(fields);
  const [realm, nonce, uri, response, qop, nc, cnonce] = required.map((name) => fields.get(name));
  if (
    username === undefined ||
    realm === undefined ||
    nonce === undefined ||
    uri === undefined ||
    response === undefined ||
    cnonce === undefined ||
    qop?.toLowerCase() !== 'auth' ||
    nc === undefined ||
    !/^[0-9a-f]{8}$/i.test(nc)
  ) {
    return undefined;
  }
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase();
  return { username, realm, nonce, uri, response, algorithm, qop, nc, cnonce };
}

const required = ['realm', 'nonce', 'uri', 'response', 'qop', 'nc', 'cnonce'] as const;

/** auth-param of RFC 9110, section 11.2, each name once; values as they are, without quotes. */
function readFields(authorization: string): ReadonlyMap<string, string> | undefined {
  const field = /\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([\w!#$%&'*+.^`|~-]+))\s*(?:,|$)/gy;
  const scheme = /^digest\s+/i.exec(authorization);
  if (scheme === null) return undefined;
  const fields = new Map<string, string>();
  field.lastIndex = scheme[0].length;
  while (field.lastIndex < authorization.length) {
    const [, name, quoted, token] = field.exec(authorization) ?? [];
    if (name === undefined || fields.has(name.toLowerCase())) return undefined;
    fields.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? token ?? '');
  }
  return fields;
}

/** In UTF-8, which the challenge announces, or percent-encoded (RFC 8187); control characters are refused. */
function usernameOf(fields: ReadonlyMap<string, string>): string | undefined {
  const plain = fields.get('username');
  const extended = /^utf-8''(.*)$/i.exec(fields.get('username*') ?? '')?.[1];
  if ((plain === undefined) === (extended === undefined)) return undefined;
  const name = plain === undefined ? percentDecoded(extended ?? '') : utf8Decoded(plain);
  return name === undefined || /\p{Cc}/u.test(name) ? undefined : name.normalize('NFC');
}

function percentDecoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

/** Node gives the octets of a header field as Latin-1. */
function utf8Decoded(value: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    return undefined;
  }
}

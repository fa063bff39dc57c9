/** What may stand in a segment of a path as it is: pchar of RFC 3986, section 3.3 without pct-encoded. */
const plainCharacter = /[A-Za-z0-9._~!$&'()*+,;=:@-]/;

/**
 * The JSON Schema's pattern of a segment in its one spelling, as `normalSegments` gives it; but no dot segment, which
 * clients remove (RFC 3986, section 5.2.4).
 */
export const segmentPattern =
  "^(?!\\.\\.?$)(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[146-9A-E]|3[0-9ABD]|4|5[0-9AF]|6[1-9A-F]|7[0-9AE])[0-9A-F]{2})+$";

/**
 * A path with each octet of its segments written in one way: as it is where it may stand so, else in upper-case hex
 * digits. That goes beyond RFC 3986, section 6.2.2.2, since no path here gives a reserved character a meaning but `/`,
 * which stays encoded. Decoded once: `%2541` is not `A`.
 */
export function normalSegments(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return plainCharacter.test(character) ? character : encoded.toUpperCase();
  });
}

/** Any text as a segment. */
export function segmentOf(text: string): string {
  return normalSegments(encodeURIComponent(text.toWellFormed()));
}

/** What people read of a segment. */
export function readableSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

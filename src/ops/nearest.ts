import { distance } from 'fastest-levenshtein';

/** The known name that differs from the text by few letters, whatever their case; undefined: there is none. */
export function nearest(text: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((name) => ({ name, edits: distance(name.toLowerCase(), text.slice(0, 100).toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= Math.min(3, best.name.length / 2) ? best.name : undefined;
}

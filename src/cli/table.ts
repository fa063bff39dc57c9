import { escapeInvisible } from '../ops/log.ts';

/** Rows as aligned columns below their heads, one line each. What devices sent cannot steer a terminal. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows].map((cells) => cells.map(escapeInvisible));
  const widths = heads.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Date and time to the second, UTC. */
export function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

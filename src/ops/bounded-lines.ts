import type { LogFields, WriteLog } from './log.ts';

/** Milliseconds for which lines are counted. */
const period = 1000;

/**
 * Writes at most so many lines a second, so that a flood does not fill the log. How many were left out says a line of
 * its own, with the field `omitted`, when the second is over.
 */
export function boundLines(write: WriteLog, perSecond: number): WriteLog {
  let written = 0;
  let omitted = 0;

  function begin(message: string): void {
    setTimeout(() => {
      written = 0;
      if (omitted === 0) return;
      put(message, { omitted });
      omitted = 0;
    }, period).unref();
  }

  function put(message: string, fields?: LogFields): void {
    if (written === 0) begin(message);
    written += 1;
    write(message, fields);
  }

  return (message, fields) => {
    if (written < perSecond) put(message, fields);
    else omitted += 1;
  };
}

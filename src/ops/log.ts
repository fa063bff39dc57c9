import { createLogger, format as formats, transports } from 'winston';

/** The levels, the most urgent first. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** How lines look; `auto` is `text` on a terminal and `json` otherwise. */
export const logFormats = ['auto', 'json', 'text'] as const;
type LogFormat = (typeof logFormats)[number];

/** What a line says beside its message. A field that is undefined is left out. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line of the log. A level that is off costs next to nothing. */
export type WriteLog = (message: string, fields?: LogFields) => void;

/** The log as everybody sees it. Secrets and bodies do not belong into it; errors go into the field `error`. */
export type Log = Readonly<Record<LogLevel, WriteLog>>;

/** One line before it is written. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A stream for lines, such as `process.stdout`. */
export interface LogStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** How to log. */
export interface LogOptions {
  /** This level and the more urgent ones are written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/**
 * A log on standard output (or another stream), one line per entry, with whatever clients sent escaped. To lose no
 * line, a process ends by `process.exitCode`, not by `process.exit()`.
 */
export function createLog({ level, format }: LogOptions, stream: LogStream = process.stdout): Log {
  const isText = format === 'text' || (format === 'auto' && stream.isTTY === true);
  const toLine = isText ? textLine : jsonLine;
  const logger = createLogger({
    levels: Object.fromEntries(logLevels.map((name, urgency) => [name, urgency])),
    level,
    format: formats.printf(({ entry }) => toLine(entry as LogEntry, new Date())),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's own types differ in name only
    transports: [new transports.Stream({ stream })],
  });
  function writer(name: LogLevel): WriteLog {
    if (!logger.isLevelEnabled(name)) return () => undefined;
    return (message, fields = {}) => {
      logger.log({ level: name, message: '', entry: { level: name, message, fields } satisfies LogEntry });
    };
  }
  return { error: writer('error'), warn: writer('warn'), info: writer('info'), debug: writer('debug') };
}

/** The entry as one line of JSON. */
export function jsonLine({ level, message, fields }: LogEntry, now: Date): string {
  const head = { time: now.toISOString(), level, message: shortened(message) };
  return escapeInvisible(JSON.stringify({ ...head, ...loggableMembers(fields, 0), ...head }));
}

/** The entry as one line for people. */
function textLine({ level, message, fields }: LogEntry, now: Date): string {
  const head = `${now.toISOString()} ${level.padEnd(5)} ${shortened(message)}`;
  const members = Object.entries(loggableMembers(fields, 0)).map(
    ([name, value]) => ` ${name}=${textOf(value)}`,
  );
  return escapeInvisible(head + members.join(''));
}

function textOf(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Control, format (bidi among them), private-use and unassigned characters, and line separators. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Escapes what could start a line, steer a terminal or reorder text, as JSON escapes it. */
export function escapeInvisible(line: string): string {
  // Lines of ASCII alone, which most are, need no look at Unicode's classes.
  if (/^[ -~]*$/.test(line)) return line;
  return line.replace(invisible, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Characters of a text, entries of a list and levels of nesting that a line shows. */
const limits = { text: 1000, stack: 8000, entries: 100, depth: 5 } as const;

function shortened(text: string, limit: number = limits.text): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}... (${text.length - limit} more)`;
}

function loggable(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'object':
      return value === null ? null : loggableObject(value, depth + 1);
    case 'string':
    case 'bigint':
    case 'symbol':
    case 'function':
      return shortened(String(value));
  }
}

function loggableObject(value: object, depth: number): unknown {
  if (depth > limits.depth) return '...';
  if (isError(value)) return loggableError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof Uint8Array) return `${value.length} octets`;
  if (Array.isArray(value)) return value.slice(0, limits.entries).map((entry) => loggable(entry, depth));
  return loggableMembers(value, depth);
}

function loggableMembers(value: object, depth: number): Record<string, unknown> {
  const shown = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    shown.slice(0, limits.entries).map(([name, member]) => [name, loggable(member, depth)]),
  );
}

/** An error of any realm. */
function isError(value: object): value is Error {
  return 'message' in value && 'stack' in value;
}

/** Other properties of an error stay out: libraries hang whole requests on them. */
function loggableError(error: Error, depth: number): unknown {
  const { message, cause, stack } = error;
  const code = 'code' in error ? error.code : undefined;
  const errors: unknown = 'errors' in error ? error.errors : undefined;
  return {
    ...loggableMembers({ message, code, cause, errors }, depth),
    ...(typeof stack === 'string' && { stack: shortened(stack, limits.stack) }),
  };
}

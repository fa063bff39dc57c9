import { jsonLine, type Log, type LogEntry, type LogLevel, type WriteLog } from '../../src/ops/log.ts';

/** A log that keeps its entries. */
export interface RecordedLog extends Log {
  readonly entries: readonly LogEntry[];
  /** The entries as `createLog` would print them in JSON. */
  lines(): readonly string[];
}

/** Records every level. */
export function recordLog(): RecordedLog {
  const entries: LogEntry[] = [];
  function writer(level: LogLevel): WriteLog {
    return (message, fields = {}) => {
      entries.push({ level, message, fields });
    };
  }
  return {
    error: writer('error'),
    warn: writer('warn'),
    info: writer('info'),
    debug: writer('debug'),
    entries,
    lines: () => entries.map((entry) => jsonLine(entry, new Date())),
  };
}

import { randomUUID } from 'node:crypto';

/** The id of a new record: ordered by time, so that new records stand together in the index. */
export function newId(now: Date): string {
  return `${now.getTime().toString(16).padStart(12, '0')}-${randomUUID()}`;
}

/** When the record of an id was made. */
export function timeOfId(id: string): Date {
  return new Date(Number.parseInt(id, 16));
}

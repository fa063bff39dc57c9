/** Part of a configuration of which nothing is known yet. */
export type Mapping = Readonly<Record<string, unknown>>;

/** Whether a value has keys. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { resolve } from 'node:path';
import type { Configuration } from './configuration.ts';
import { builtInDrivers, type Drivers } from './drivers.ts';
import { readSource } from './source.ts';
import { validate } from './validate.ts';

/**
 * Loads a configuration file. The result is valid against `configurationSchema()`, has every default, absolute
 * paths, and is frozen. Throws ConfigurationError with all that is wrong.
 */
export async function loadConfiguration(
  file: string,
  drivers: Drivers = builtInDrivers,
): Promise<Configuration> {
  const source = await readSource(file);
  const settings = deepFreeze(validate(source, drivers));
  return Object.freeze({ file: resolve(file), drivers, ...settings });
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

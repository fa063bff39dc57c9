import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { dirname, resolve } from 'node:path';
import { isNetwork } from '../ops/networks.ts';
import { backendSettingsProblems } from './backend-settings.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { Configuration } from './configuration.ts';
import { describeErrors, located, type Problem } from './messages.ts';
import { contradictions } from './references.ts';
import type { Drivers } from './drivers.ts';
import { configurationSchema } from './schema.ts';
import type { Source } from './source.ts';
import { unusedKeys } from './unused-keys.ts';

/** What the file itself says. */
export type Settings = Omit<Configuration, 'file' | 'drivers'>;

/** What the keyword `format` is told about the file. */
interface Place {
  readonly directory: string;
}

/** Fills in defaults and makes paths absolute, in place. Throws ConfigurationError with all that is wrong. */
export function validate(source: Source, drivers: Drivers): Settings {
  const { file, value } = source;
  const unused = unusedKeys(value);
  const errors = schemaErrors(drivers, value, { directory: dirname(resolve(file)) });
  const problems: readonly Problem[] = [
    ...describeErrors(errors, value),
    ...contradictions(value),
    ...unused,
    ...(errors.length === 0 ? backendSettingsProblems(value as Settings, drivers) : []),
  ];
  if (problems.length > 0) throw new ConfigurationError(located(problems, source));
  return value as Settings;
}

const compiled = new WeakMap<Drivers, ValidateFunction>();

function schemaErrors(drivers: Drivers, value: unknown, place: Place): readonly ErrorObject[] {
  const isValid = compiled.get(drivers) ?? compile(drivers);
  compiled.set(drivers, isValid);
  return isValid.call(place, value) ? [] : (isValid.errors ?? []);
}

function compile(drivers: Drivers): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    useDefaults: true,
    discriminator: true,
    passContext: true,
    // The schema is ours. The meta-schema would need the usual formats, and here they have another meaning.
    meta: false,
    validateSchema: false,
    // It runs once or twice, so that to make its code shorter takes longer than it saves.
    code: { optimize: false },
  });
  ajv.removeKeyword('format');
  ajv.addKeyword({
    keyword: 'format',
    type: 'string',
    metaSchema: { enum: Object.keys(formats) },
    modifying: true,
    errors: false,
    validate: applyFormat,
  });
  return ajv.compile(configurationSchema(drivers));
}

/** A value of the format, with a path made absolute, or undefined when it is none. */
const formats: Readonly<Record<string, (text: string, directory: string) => string | undefined>> = {
  file: (text, directory) =>
    text === '' || text.includes('\0') || /^(file|env):/.test(text) ? undefined : resolve(directory, text),
  secret: (text, directory) => {
    const [, kind, place] = /^(file|env):([^\0]+)$/s.exec(text) ?? [];
    if (place === undefined) return undefined;
    return kind === 'file' ? `file:${resolve(directory, place)}` : text;
  },
  network: (text) => (isNetwork(text) ? text : undefined),
};

/** Where a value stands, as ajv tells a keyword. */
interface Position {
  readonly parentData: Record<string | number, unknown>;
  readonly parentDataProperty: string | number;
}

function applyFormat(
  this: Place,
  format: string,
  text: string,
  _schema?: unknown,
  position?: Position,
): boolean {
  const value = formats[format]?.(text, this.directory);
  if (value === undefined || position === undefined) return false;
  position.parentData[position.parentDataProperty] = value;
  return true;
}

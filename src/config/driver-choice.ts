import type { SchemaObject } from 'ajv';

/** What the configuration has to know of a driver. */
interface Driver {
  readonly name: string;
  readonly optionsSchema: SchemaObject;
}

/** JSON Schema of exactly one driver; its own schema says what stands beside `driver`. */
export function driverChoice(drivers: readonly Driver[]): SchemaObject {
  return {
    type: 'object',
    discriminator: { propertyName: 'driver' },
    required: ['driver'],
    oneOf: drivers.map(({ name, optionsSchema }) => withDriver(name, optionsSchema)),
  };
}

function withDriver(name: string, optionsSchema: SchemaObject): SchemaObject {
  const { properties, required = [] } = optionsSchema as {
    properties?: object;
    required?: readonly string[];
  };
  return {
    ...optionsSchema,
    properties: {
      driver: { const: name, title: 'Driver', description: String(optionsSchema['description']) },
      ...properties,
    },
    required: ['driver', ...required],
  };
}

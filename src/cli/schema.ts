import type { Command } from 'commander';
import type { Drivers } from '../config/drivers.ts';
import { configurationSchema } from '../config/schema.ts';

/** `est-gateway schema` */
export function addSchemaCommand(program: Command, drivers: Drivers): void {
  program
    .command('schema')
    .description('Print the JSON Schema of the configuration file: every key, its meaning and its default.')
    .addHelpText('after', '\nExample:\n  est-gateway schema > est-gateway.schema.json')
    .action(() => {
      process.stdout.write(schemaText(drivers));
    });
}

/** The JSON Schema of the configuration file, as text. */
export function schemaText(drivers?: Drivers): string {
  return `${JSON.stringify(configurationSchema(drivers), null, 2)}\n`;
}

import type { Command } from 'commander';
import { configurationSchema } from '../config/schema.ts';

/** `est-gateway schema` */
export function addSchemaCommand(program: Command): void {
  program
    .command('schema')
    .description('Print the JSON Schema of the configuration file: every key, its meaning and its default.')
    .addHelpText('after', '\nExample:\n  est-gateway schema > est-gateway.schema.json')
    .action(() => {
      process.stdout.write(schemaText());
    });
}

/** The JSON Schema of the configuration file, as text. */
export function schemaText(): string {
  return `${JSON.stringify(configurationSchema(), null, 2)}\n`;
}

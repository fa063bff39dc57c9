import { InvalidArgumentError, Option } from 'commander';
import type { Configuration } from '../config/configuration.ts';

/** What every command that reads the configuration is given. */
export interface ConfigurationOption {
  /** The file. */
  readonly config: string;
  /** What it says; loaded before the command begins. */
  readonly configuration: Configuration;
}

/** `--config FILE`, by default the file that `init` writes, in the current folder. */
export function configurationOption(): Option {
  return new Option('-c, --config <file>', 'configuration file').default('est-gateway.yaml');
}

/** A TCP port for EST. The next port must exist too: plain HTTP takes it. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65534) throw new InvalidArgumentError('Expected a number from 1 to 65534.');
  return port;
}

/** Octets in hexadecimal, as people copy serial numbers from openssl and others: colons, upper case and leading zeros are accepted. */
export function parseSerialNumber(text: string): string {
  const digits = text
    .replace(/[:\s]/g, '')
    .replace(/^(serial=|0x)/i, '')
    .replace(/^0+(?=.)/, '');
  if (!/^[0-9a-f]+$/i.test(digits)) {
    throw new InvalidArgumentError('Expected hexadecimal digits, as "est-gateway ca list" prints them.');
  }
  return digits.padStart(digits.length + (digits.length % 2), '0').toLowerCase();
}

import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { hostname as machineName } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { createLocalCertificationAuthority, createServerCertificate } from '../ca/local/create.ts';
import { configurationText } from './init-template.ts';
import { createFiles, exists, type NewFile } from './new-files.ts';
import { parsePort } from './options.ts';
import { schemaText } from './schema.ts';
import { wordOf } from './shell.ts';

/** What a new gateway is made from. */
export interface InitOptions {
  readonly directory: string;
  /** DNS name or IP address by which clients reach it. */
  readonly hostname: string;
  /** Of EST; the next one is for plain HTTP. */
  readonly port: number;
}

/** The name of the configuration file in the folder of a gateway. */
export const configurationName = 'est-gateway.yaml';

/** `est-gateway init` */
export function addInitCommand(program: Command): void {
  program
    .command('init')
    .description('Create a configuration, a two-tier CA (P-256) and a TLS server certificate in a folder.')
    .requiredOption('-d, --directory <folder>', 'folder to create, or to fill; nothing in it is overwritten')
    .addOption(hostnameOption())
    .addOption(portOption())
    .addHelpText('after', '\nExample:\n  est-gateway init --directory ./data --hostname est.example.com')
    .action(async (options: InitOptions) => {
      await init(options);
      process.stdout.write(nextSteps(options.directory));
    });
}

/** `--hostname NAME` */
export function hostnameOption(): Option {
  return new Option('--hostname <name>', 'DNS name or IP address by which clients reach the gateway')
    .default(defaultHostname(machineName()))
    .argParser(parseHostname);
}

/** `--port PORT` */
export function portOption(): Option {
  return new Option('-p, --port <port>', 'port of EST; the next one serves the CRL over plain HTTP')
    .default(8443)
    .argParser(parsePort);
}

/** A name that no certificate can hold is not used. */
function defaultHostname(name: string): string {
  return isHostname(name) ? name : 'localhost';
}

function parseHostname(text: string): string {
  if (!isHostname(text)) throw new InvalidArgumentError('Expected a DNS name or an IP address.');
  return text;
}

function isHostname(text: string): boolean {
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  return isIPv6(text) || (text.length <= 253 && new RegExp(`^${label}(\\.${label})*$`, 'i').test(text));
}

function nextSteps(directory: string): string {
  const config = wordOf(join(directory, configurationName));
  return [
    `Created ${directory}: a configuration, a CA and a TLS server certificate.`,
    `Add a user:   est-gateway user add NAME --config ${config}`,
    `Serve EST:    est-gateway serve --config ${config}`,
    `Clients trust ${join(directory, 'trust-anchor.pem')}. Keep ca/root.key elsewhere: only a new issuing CA or root needs it.`,
    '',
  ].join('\n');
}

/** Whether there is a configuration in the folder. */
export async function hasConfiguration(directory: string): Promise<boolean> {
  return await exists(join(directory, configurationName));
}

/** Creates a gateway's folder, complete or not at all. Throws an Error with a sentence when it has one already. */
export async function init({ directory, hostname, port }: InitOptions): Promise<void> {
  if (await hasConfiguration(directory)) {
    throw new Error(
      `${join(directory, configurationName)} exists already; a configuration is never overwritten.`,
    );
  }
  await createFiles(directory, await gatewayFiles(hostname, port));
}

async function gatewayFiles(hostname: string, port: number): Promise<readonly NewFile[]> {
  const passphrase = randomBytes(32).toString('base64url');
  const now = new Date();
  const ca = await createLocalCertificationAuthority({ name: caName(hostname), passphrase, now });
  const { issuingCertificate, issuingKey } = ca;
  const hostnames = [hostname];
  const tls = await createServerCertificate({ issuingCertificate, issuingKey, passphrase, hostnames, now });
  const httpPort = port + 1;
  const httpAuthority = `${isIPv6(hostname) ? `[${hostname}]` : hostname}:${httpPort}`;
  const configuration = configurationText({ httpAuthority, estPort: port, httpPort });
  return [
    { name: 'ca/root.pem', text: ca.rootCertificate, secret: false },
    { name: 'ca/root.key', text: ca.rootKey, secret: true },
    { name: 'ca/issuing.pem', text: issuingCertificate, secret: false },
    { name: 'ca/issuing.key', text: issuingKey, secret: true },
    { name: 'ca/passphrase', text: `${passphrase}\n`, secret: true },
    { name: 'tls/server.pem', text: tls.certificate + issuingCertificate, secret: false },
    { name: 'tls/server.key', text: tls.key, secret: true },
    { name: 'trust-anchor.pem', text: ca.rootCertificate, secret: false },
    { name: 'est-gateway.schema.json', text: schemaText(), secret: false },
    { name: configurationName, text: configuration, secret: false },
  ];
}

/** Short enough for a common name with ` Issuing CA` behind it. */
function caName(hostname: string): string {
  return `EST ${hostname}`.slice(0, 50);
}

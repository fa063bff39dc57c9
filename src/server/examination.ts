import type { Configuration } from '../config/configuration.ts';
import { isOutage } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { sentenceOf } from '../ops/sentence.ts';
import { readCertificate } from '../pkix/certificate.ts';
import { openAliasBackend } from './alias-backend.ts';
import { objectionsTo } from './certificate-warnings.ts';
import { openingTimeout, type Backends } from './drivers.ts';

/** What the CAs of all aliases lack so that requests will fail, a sentence each; of a CA that is down nothing is known. */
export async function objectionsToCas(
  { aliases }: Configuration,
  backends: Backends,
): Promise<readonly string[]> {
  const objections = Object.entries(aliases).map(async ([name, options]) => {
    if (backends.get(options.backend)?.answers.wasDown === true) return [];
    try {
      const { examine } = await openAliasBackend(options, backends);
      const found = await examine(AbortSignal.timeout(openingTimeout));
      return found.map((objection) => `aliases.${name}: ${objection}`);
    } catch (error) {
      return isOutage(error) ? [] : [`aliases.${name}: ${sentenceOf(error)}`];
    }
  });
  return (await Promise.all(objections)).flat();
}

/** Writes a line for each of them. */
export async function logObjectionsToCas(
  configuration: Configuration,
  backends: Backends,
  log: Log,
): Promise<void> {
  for (const objection of await objectionsToCas(configuration, backends)) log.error(objection);
}

/** What no call of a CA tells, and an operator has to see to. */
export function warnOfUnseen(backends: Backends, log: Log): void {
  for (const [name, { opened }] of backends) {
    const unseen = 'forAlias' in opened ? (opened.unseen ?? []) : [];
    for (const sentence of unseen) log.warn(`backends.${name}: ${sentence}`);
  }
}

/** What is wrong with the certificates by which CAs know the gateway, where they are in no PEM file that is looked at besides. */
export function warnOfClientCertificates(
  { backends: options }: Pick<Configuration, 'backends'>,
  backends: Backends,
  log: Log,
): void {
  for (const [name, { opened }] of backends) {
    const { clientCertificate } = (options[name] ?? {}) as {
      readonly clientCertificate?: { readonly pkcs12?: unknown };
    };
    const [own] = clientCertificate?.pkcs12 === undefined ? [] : (opened.clientCertificates ?? []);
    const objections = own === undefined ? [] : objectionsTo(readCertificate(own), new Date());
    for (const objection of objections) log.warn(`backends.${name}.clientCertificate.pkcs12: ${objection}`);
  }
}

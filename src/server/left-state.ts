import { certificatesOf } from '../auth/trust-anchors.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../ops/log.ts';
import { identifierOfCa } from '../pkix/ca-identifier.ts';
import { openingTimeout } from './drivers.ts';
import type { OpenedServices } from './services.ts';

/** Names what the store holds of aliases and CAs that the configuration has no more, so that nobody misses it later. */
export async function warnOfLeftState(
  configuration: Configuration,
  services: OpenedServices,
  log: Log,
): Promise<void> {
  const found = await Promise.all([leftAliases(configuration, services), leftCas(services, new Date())]);
  for (const sentence of found.flat()) log.warn(sentence);
}

async function leftAliases(
  { aliases, file }: Configuration,
  { store }: OpenedServices,
): Promise<readonly string[]> {
  const left = await store.aliases.left(Object.keys(aliases), file);
  return left.map(
    ({ name, users, waiting }) =>
      `The store has ${users} users and ${waiting} waiting requests of an alias ${name} that is in the configuration no more; ` +
      `"est-gateway alias rename ${name} NEW" moves them to another one, "est-gateway user remove" removes users.`,
  );
}

async function leftCas(services: OpenedServices, now: Date): Promise<readonly string[]> {
  const { certificates } = services.store;
  const used = await usedCas(services);
  const others = (await certificates.knownCas()).filter(({ ca }) => !used.has(ca));
  const inForce = await Promise.all(
    others.map(async (known) => ((await certificates.hasInForce(known.ca, now)) ? [known] : [])),
  );
  return [
    ...inForce
      .flat()
      .map(
        ({ subject }) =>
          `The store has certificates in force of the CA ${subject}, which is no backend's and no trust anchor any more; its CRL is not published.`,
      ),
    ...(await certificates.unadopted(now)).map(
      (name) =>
        `The store has certificates in force that an earlier release issued as backend ${name}, of a CA that is no backend's; their revocations count nowhere.`,
    ),
  ];
}

/** Those of backends, and those whose certificates an alias accepts. */
async function usedCas({ backends, aliases }: OpenedServices): Promise<ReadonlySet<string>> {
  const ofBackends = [...backends.values()].flatMap(({ opened }) =>
    'recorded' in opened ? [opened.recorded.ca] : [],
  );
  const ofAliases = await Promise.all(
    [...aliases.values()].map(async ({ caCertificates, implicitTrustAnchors }) => {
      const { anchors } = await caCertificates.current(AbortSignal.timeout(openingTimeout));
      return [anchors, implicitTrustAnchors].flatMap(certificatesOf).map(identifierOfCa);
    }),
  );
  return new Set([...ofBackends, ...ofAliases.flat()]);
}

import { overlap } from '../ops/networks.ts';
import { expectedFound } from './expectation.ts';
import { isMapping, type Mapping } from './mapping.ts';
import type { Problem } from './messages.ts';

/** What a JSON Schema cannot say, on data of any shape: where the shape is wrong, the schema says so. */
export function contradictions(value: unknown): readonly Problem[] {
  if (!isMapping(value)) return [];
  return [
    ...danglingBackends(value),
    ...timeouts(value),
    ...pendingExpiry(value),
    ...linking(value),
    ...serverKeyGeneration(value),
    ...sameAddresses(value),
    ...sameAuthorities(value),
    ...shadowedPublications(value),
  ];
}

function danglingBackends({ aliases, backends }: Mapping): readonly Problem[] {
  if (!isMapping(aliases) || !isMapping(backends)) return [];
  const known = Object.keys(backends);
  if (known.length === 0) return [];
  return Object.entries(aliases).flatMap(([name, alias]) => {
    const backend = isMapping(alias) ? alias['backend'] : undefined;
    if (typeof backend !== 'string' || known.includes(backend)) return [];
    const text = expectedFound({ enum: known }, backend);
    return [{ path: ['aliases', name, 'backend'], text }];
  });
}

/** Node refuses to start a server whose header may come later than the whole request. */
function timeouts({ limits }: Mapping): readonly Problem[] {
  if (!isMapping(limits)) return [];
  const { headersTimeout, requestTimeout } = limits;
  if (typeof headersTimeout !== 'number' || typeof requestTimeout !== 'number') return [];
  if (headersTimeout <= requestTimeout) return [];
  const text = `expected at most ${requestTimeout}, which is limits.requestTimeout, found ${headersTimeout}`;
  return [{ path: ['limits', 'headersTimeout'], text }];
}

/** Who asks again when it is told to must find its request. */
function pendingExpiry({ limits, backends }: Mapping): readonly Problem[] {
  if (!isMapping(limits) || !isMapping(backends)) return [];
  const { pendingExpiry: expiry } = limits;
  if (typeof expiry !== 'number') return [];
  return Object.entries(backends).flatMap(([name, backend]) => {
    if (!isMapping(backend) || !letsWait(backend)) return [];
    const { retryAfter } = backend;
    if (typeof retryAfter !== 'number' || retryAfter <= expiry) return [];
    const text = `expected at least ${retryAfter}, which is backends.${name}.retryAfter, found ${expiry}; a request would lapse before its client asks again`;
    return [{ path: ['limits', 'pendingExpiry'], text }];
  });
}

/** A backend whose profiles speak of approval lets requests wait by these alone. */
function letsWait({ profiles }: Mapping): boolean {
  if (!isMapping(profiles)) return true;
  return Object.values(profiles).some((profile) => isMapping(profile) && profile['approval'] !== 'none');
}

/** Where TLS ends at a proxy alone, nobody can verify what the alias requires. */
function linking({ listeners, aliases }: Mapping): readonly Problem[] {
  if (!isMapping(listeners) || !isMapping(aliases) || listeners['est'] !== undefined) return [];
  const { proxy } = listeners;
  if (!isMapping(proxy) || proxy['linking'] === 'trust') return [];
  return Object.entries(aliases)
    .filter(([, alias]) => requiresLinking(alias))
    .map(([name]) => ({
      path: ['aliases', name, 'policy', 'linking'],
      text: 'TLS ends at the proxy, where it cannot be verified; leave it out, or say trust in listeners.proxy.linking',
    }));
}

/** Of somebody else than a registration authority, whose linking to its devices nobody verifies here. */
function requiresLinking(alias: unknown): boolean {
  if (!isMapping(alias) || !isMapping(alias['policy']) || alias['policy']['linking'] !== 'required')
    return false;
  const authorities = alias['registrationAuthorities'];
  return !Object.values(isMapping(authorities) ? authorities : {}).some(
    (authority) => isMapping(authority) && authority['foreignLinking'] === true,
  );
}

/** Where TLS ends at a proxy alone, only the proxy knows how well a key would be protected on its way. */
function serverKeyGeneration({ listeners, aliases }: Mapping): readonly Problem[] {
  if (!isMapping(listeners) || !isMapping(aliases) || listeners['est'] !== undefined) return [];
  const { proxy } = listeners;
  if (!isMapping(proxy) || proxy['cipherSuite'] !== undefined) return [];
  return Object.entries(aliases)
    .filter(([, alias]) => isMapping(alias) && alias['serverKeyGeneration'] !== undefined)
    .map(([name]) => ({
      path: ['aliases', name, 'serverKeyGeneration'],
      text: 'TLS ends at the proxy, which does not say how well it protects a key; set listeners.proxy.cipherSuite, or leave this out',
    }));
}

/** Two listeners cannot have one address and port; that all addresses are one of them, too, is no other place. */
function sameAddresses({ listeners }: Mapping): readonly Problem[] {
  if (!isMapping(listeners)) return [];
  const places = Object.entries(listeners).flatMap(([name, listener]) =>
    isMapping(listener) && typeof listener['port'] === 'number' && listener['port'] !== 0
      ? [{ name, address: String(listener['address']), port: listener['port'] }]
      : [],
  );
  return places.flatMap(({ name, address, port }, index) => {
    const other = places
      .slice(0, index)
      .find((before) => before.port === port && overlap(before.address, address));
    if (other === undefined) return [];
    return [
      { path: ['listeners', name, 'port'], text: `listeners.${other.name} has the same address and port` },
    ];
  });
}

/** Registration authorities are told apart by their commonNames. */
function sameAuthorities({ aliases }: Mapping): readonly Problem[] {
  if (!isMapping(aliases)) return [];
  return Object.entries(aliases).flatMap(([alias, options]) => {
    const authorities = isMapping(options) ? options['registrationAuthorities'] : undefined;
    if (!isMapping(authorities)) return [];
    const seen = new Map<unknown, string>();
    return Object.entries(authorities).flatMap(([name, authority]) => {
      const commonName = isMapping(authority) ? authority['commonName'] : undefined;
      const other = seen.get(commonName);
      seen.set(commonName, name);
      if (commonName === undefined || other === undefined) return [];
      return [
        {
          path: ['aliases', alias, 'registrationAuthorities', name, 'commonName'],
          text: `${other} has the same, so that nobody can tell them apart; write all names in one of them`,
        },
      ];
    });
  });
}

/** What the gateway publishes itself cannot come from elsewhere. */
function shadowedPublications({ passThrough, backends }: Mapping): readonly Problem[] {
  const paths = isMapping(passThrough) && isMapping(passThrough['paths']) ? passThrough['paths'] : {};
  const names = Object.entries(isMapping(backends) ? backends : {})
    .filter(([, backend]) => isMapping(backend) && backend['driver'] !== 'est')
    .map(([name]) => name);
  return Object.keys(paths)
    .filter((path) => names.some((name) => [`/crl/${name}.crl`, `/ca/${name}.cer`].includes(path)))
    .map((path) => ({
      path: ['passThrough', 'paths', path],
      text: 'the gateway itself serves the CRL and the certificate of its CA there; choose another path',
    }));
}

import { named } from '../support/certificate.ts';
import { extension, id, objectIdentifier, sequence } from '../support/csr.ts';
import { issueByHand } from '../support/device.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts';

/** Two gateways: devices speak to the relay, whose CA is the EST of the upstream. */
export interface Chain {
  readonly relay: TestGateway;
  readonly upstream: TestGateway;
  stop(): Promise<void>;
}

/** What a spec changes. */
export interface ChainOptions {
  /** Of the backend `upstream` of the relay. */
  readonly backend?: object;
  readonly relay?: TestGatewayOptions;
  readonly upstream?: TestGatewayOptions;
  /** The aliases of the upstream that aliases of the same names at the relay stand for, besides the default one. */
  readonly further?: readonly string[];
}

const purposes = extension(
  id.extendedKeyUsage,
  sequence(objectIdentifier('1.3.6.1.5.5.7.3.2'), objectIdentifier('1.3.6.1.5.5.7.3.28')),
);

/** The files by which a gateway is a registration authority of another one, and a backend that uses them. */
export async function registrationAuthority(
  upstream: TestGateway,
): Promise<{ readonly files: Readonly<Record<string, string>>; readonly backend: object }> {
  const { cert, key } = await issueByHand(upstream, { subject: named('relay'), extensions: [purposes] });
  return {
    files: { 'upstream.pem': upstream.trustAnchor, 'ra.pem': cert, 'ra.key': key },
    backend: {
      driver: 'est',
      url: upstream.url,
      trustAnchor: 'upstream.pem',
      clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
    },
  };
}

const subject = [
  ...[
    'commonName',
    'serialNumber',
    'organizationName',
    'organizationalUnitName',
    'countryName',
    'localityName',
  ],
  ...['stateOrProvinceName', 'emailAddress'],
];
const subjectAltName = ['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier', 'otherName'];

/** An alias at the upstream: the relay has done every check itself, and may ask for everything. */
export const aliasForRelay = {
  policy: { subject, subjectAltName },
  registrationAuthorities: {
    relay: {
      commonName: 'relay',
      names: Object.fromEntries([...subject, ...subjectAltName].map((type) => [type, ['*']])),
      foreignLinking: true,
    },
  },
};

/** Starts both; the caller stops them. The relay's default alias has the upstream for its CA. */
export async function startChain(options: ChainOptions = {}): Promise<Chain> {
  const upstream = await startTestGateway({
    ...options.upstream,
    aliases: { est: aliasForRelay, ...options.upstream?.aliases },
  });
  const { files, backend } = await registrationAuthority(upstream);
  const { aliases, backends, ...relayOptions } = options.relay ?? {};
  const further = options.further ?? [];
  const backendFor = (url: string): object => ({ ...backend, url, ...options.backend });
  const relay = await startTestGateway({
    ...relayOptions,
    backends: {
      upstream: backendFor(upstream.url),
      ...Object.fromEntries(further.map((name) => [name, backendFor(`${upstream.url}/${name}`)])),
      ...backends,
    },
    aliases: {
      est: { backend: 'upstream' },
      ...Object.fromEntries(further.map((name) => [name, { backend: name }])),
      ...aliases,
    },
    files: { ...files, ...options.relay?.files },
  });
  return {
    relay,
    upstream,
    stop: async () => {
      await relay.stop();
      await upstream.stop();
    },
  };
}

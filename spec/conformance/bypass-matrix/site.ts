/**
 * Where the matrix is tried: gateways that take client certificates directly, through TCP pass-through and from proxies
 * that end TLS, and who is honest there.
 */
import { hash } from 'bcryptjs';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as requestPlain, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent, request as requestTls, type RequestOptions } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localDriver } from '../../../src/ca/local/local.ts';
import { addUser } from '../../../src/cli/user.ts';
import { search } from '../../auth/ldap-source.ts';
import { extension, generateKeyPair, id, objectIdentifier, sequence } from '../../support/csr.ts';
import { named } from '../../support/certificate.ts';
import { enrolDevice, enrolment, issueByHand, plainCsr } from '../../support/device.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../../support/gateway.ts';
import { isTriedWith } from '../../support/programs.ts';
import { startSlapd } from '../../support/slapd.ts';
import { sayJson, startWebhook, type TestWebhook } from '../../support/webhook.ts';

/** Forms in which proxies hand certificates on. */
export const forms = ['rfc9440', 'nginx', 'haproxy', 'envoy'] as const;
export type Form = (typeof forms)[number];

/** A certificate and its key, PEM. */
export interface Held {
  readonly cert: string;
  readonly key: string;
}

/** What one request shows. */
export interface Shown {
  /** By TLS, or as a proxy says that it was. */
  readonly certificate?: Held;
  readonly user?: { readonly name: string; readonly code: string };
  /** How the user is shown. */
  readonly scheme?: 'basic' | 'digest';
  readonly headers?: OutgoingHttpHeaders;
  /** Of the request; left out: simpleenroll at the alias. */
  readonly target?: string;
  readonly tls?: RequestOptions & { readonly session?: Buffer };
}

/** The gateways, and the certificates and users that every cell may use. */
export interface Site {
  readonly direct: TestGateway;
  /** As clients see it through a proxy that passes TCP on. */
  readonly passed: TestGateway;
  readonly proxied: Readonly<Record<Form, TestGateway>>;
  readonly vendor: TestGateway;
  readonly user: { readonly name: string; readonly code: string };
  /** A user of no alias but `elsewhere`. */
  readonly stranger: { readonly name: string; readonly code: string };
  readonly registrationAuthority: (gateway: TestGateway) => Promise<Held>;
  /** How often any of the CAs was asked for a certificate. */
  readonly questions: () => number;
  stop(): Promise<void>;
}

/** Aliases by the ways of authentication. */
const aliases = (
  vendor: { readonly anchors: string; readonly crl: string },
  credentials: Readonly<Record<'file' | 'service', object> & { directory: object | undefined }>,
): Readonly<Record<string, object>> => ({
  certificate: { authentication: 'clientCertificate' },
  either: { authentication: 'either' },
  vendors: {
    authentication: 'clientCertificate',
    implicitTrustAnchors: [vendor.anchors],
    revocation: { sources: ['crl'], crlUrls: [vendor.crl] },
  },
  basic: { authentication: 'basic' },
  file: { authentication: 'basic', credentials: [credentials.file] },
  service: { authentication: 'basic', credentials: [credentials.service] },
  ...(credentials.directory && {
    directory: { authentication: 'basic', credentials: [credentials.directory] },
  }),
  digest: { authentication: 'basic', httpAuthentication: ['digest-SHA-256'] },
  both: { authentication: 'both' },
  authority: {
    authentication: 'clientCertificate',
    registrationAuthorities: { plant: { commonName: 'authority', names: { commonName: ['device-*'] } } },
  },
  // Its CA is another one, and its users are others.
  elsewhere: { backend: 'mock', profile: undefined, authentication: 'either' },
});

/** The local CA under another name, which tells of each question. */
function watched(tell: () => void): typeof localDriver {
  return {
    ...localDriver,
    name: 'watched',
    async open(options, services) {
      const ca = await localDriver.open(options, services);
      return {
        ...ca,
        async enroll(request, signal) {
          tell();
          return await ca.enroll(request, signal);
        },
      };
    },
  };
}

const watchedCa = {
  driver: 'watched',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { device: { validityDays: 90 } },
};

/** Starts all; the caller stops them. */
export async function startSite(): Promise<Site> {
  let questions = 0;
  const driver = watched(() => {
    questions += 1;
  });
  const folder = await mkdtemp(join(tmpdir(), 'matrix-'));
  const vendor = await startTestGateway();
  const anchors = join(folder, 'vendor.pem');
  await writeFile(anchors, vendor.trustAnchor + vendor.issuingCertificate);
  const user = { name: 'honest', code: 'open-sesame-7351' };
  const service = await startService(user);
  const directory = isTriedWith('slapd') ? await startSlapd(entriesOf(user)) : undefined;
  const credentials = {
    file: { driver: 'htpasswd', file: 'users.htpasswd' },
    service: { driver: 'webhook', url: service.url, trustAnchor: 'service.pem' },
    directory: directory && { driver: 'ldap', urls: [directory.ldapUrl], search },
  };
  const files = {
    'users.htpasswd': `${user.name}:${await hash(user.code, 4)}\n`,
    'service.pem': service.trustAnchor,
    'ldap.password': passwordOfGateway,
  };
  const start = async (listeners: Pick<TestGatewayOptions, 'est' | 'proxy'> = {}): Promise<TestGateway> =>
    await startTestGateway({
      aliases: aliases({ anchors, crl: `${vendor.httpUrl}/crl/local.crl` }, credentials),
      backends: { local: watchedCa },
      drivers: { certificationAuthorities: [driver] },
      revocation: { allowedNetworks: ['127.0.0.0/8', '::1/128'], refresh: 1 },
      files,
      ...listeners,
    });
  const startBehind = async (form: Form): Promise<TestGateway> =>
    await start({ proxy: { socket: join(folder, `${form}.sock`), clientCertificate: form } });
  const direct = await start();
  const passed = await passedOn(await start({ est: { proxyProtocol: { trustedAddresses: ['127.0.0.1'] } } }));
  const stranger = { name: 'stranger', code: 'open-sesame-9244' };
  for (const alias of ['basic', 'digest', 'either', 'both']) {
    await addUser(direct.store, { alias, ...user, remainingUses: undefined }, ['SHA-256']);
  }
  const proxied = {
    rfc9440: await startBehind('rfc9440'),
    nginx: await startBehind('nginx'),
    haproxy: await startBehind('haproxy'),
    envoy: await startBehind('envoy'),
  };
  for (const { store } of [direct, passed, ...Object.values(proxied)]) {
    await addUser(store, { alias: 'elsewhere', ...stranger, remainingUses: undefined }, ['SHA-256']);
  }
  const purposes = sequence(objectIdentifier('1.3.6.1.5.5.7.3.2'), objectIdentifier('1.3.6.1.5.5.7.3.28'));
  return {
    direct,
    passed,
    proxied,
    vendor,
    user,
    stranger,
    questions: () => questions,
    registrationAuthority: async (gateway) => {
      const extensions = [extension(id.extendedKeyUsage, purposes)];
      const authority = await issueByHand(gateway, { subject: named('authority'), extensions });
      return authority;
    },
    stop: async () => {
      await Promise.all(
        [direct, passed, vendor, service, ...Object.values(proxied)].map(async (one) => {
          await one.stop();
        }),
      );
      await directory?.remove();
      await rm(folder, { recursive: true });
    },
  };
}

const passwordOfGateway = 'password-of-the-gateway';

/** A directory with one user, and with the gateway's own. */
const entriesOf = ({ name, code }: Site['user']): string => `
dn: cn=est-gateway,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: est-gateway
userPassword: ${passwordOfGateway}

dn: ou=devices,dc=example
objectClass: organizationalUnit
ou: devices

dn: uid=${name},ou=devices,dc=example
objectClass: inetOrgPerson
uid: ${name}
cn: ${name}
sn: ${name}
userPassword: ${code}
`;

/** An operator's service that knows one user. */
async function startService({ name, code }: Site['user']): Promise<TestWebhook> {
  const service = await startWebhook();
  service.answer((question, response) => {
    const { username, code: shown } = question.json;
    const known = shown === code ? 'permit' : 'refuse';
    sayJson({ decision: username === name ? known : 'unknown' })(question, response);
  });
  return service;
}

/** The gateway behind a proxy that passes TCP on, after a header of the PROXY protocol. */
async function passedOn(gateway: TestGateway): Promise<TestGateway> {
  const server = createServer((client) => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write('PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n');
    client.on('error', () => socket.destroy()).pipe(socket);
    socket.on('error', () => client.destroy()).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...gateway,
    port,
    url: `https://localhost:${port}/.well-known/est`,
    stop: async () => {
      server.close();
      await gateway.stop();
    },
  };
}

/** Where and how a way asks. */
export interface Place {
  readonly gateway: TestGateway;
  /** Undefined: TLS ends at the gateway. */
  readonly form?: Form | undefined;
  readonly alias: string;
}

/** An enrolment under a name, showing what it is told to; gives the status, 0 for a connection that is cut. */
export async function enrol(place: Place, commonName: string, shown: Shown): Promise<number> {
  const { headers, body } = enrolment(await plainCsr(commonName, await generateKeyPair('P-256')));
  const target = shown.target ?? `/.well-known/est/${place.alias}/simpleenroll`;
  const authorization = await authorizationFor(place, target, shown);
  const forwarded = place.form && shown.certificate && forwardedAs(place.form, shown.certificate);
  return await post(
    place,
    target,
    { ...headers, ...forwarded, ...authorization, ...shown.headers },
    body,
    shown,
  );
}

async function post(
  { gateway, form }: Place,
  path: string,
  headers: OutgoingHttpHeaders,
  body: string,
  { certificate, tls }: Shown,
): Promise<number> {
  const common = { method: 'POST', path, headers };
  const outgoing =
    form === undefined
      ? requestTls({
          ...{ port: gateway.port, ca: gateway.trustAnchor, servername: 'localhost', agent: false },
          ...certificate,
          ...tls,
          ...common,
        })
      : requestPlain({ socketPath: gateway.proxyPlace, agent: false, ...common });
  outgoing.end(body);
  try {
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.resume();
    await once(incoming, 'end');
    return incoming.statusCode ?? 0;
  } catch {
    return 0;
  }
}

/** What the proxies write, by their own documentation. */
export function forwardedAs(form: Form, { cert }: Held): Readonly<Record<string, string>> {
  const base64 = cert.replace(/-----[^-]+-----|\n/g, '');
  switch (form) {
    case 'rfc9440':
      return { 'Client-Cert': `:${base64}:` };
    case 'nginx':
      return { 'X-SSL-Client-Cert': encodeURIComponent(cert) };
    case 'haproxy':
      return { 'X-SSL-Client-Cert': base64 };
    case 'envoy':
      return { 'X-Forwarded-Client-Cert': `Cert="${encodeURIComponent(cert)}"` };
  }
}

async function authorizationFor(
  place: Place,
  target: string,
  { user, scheme = 'basic' }: Shown,
): Promise<OutgoingHttpHeaders> {
  if (user === undefined) return {};
  if (scheme === 'basic') {
    return { Authorization: `Basic ${Buffer.from(`${user.name}:${user.code}`).toString('base64')}` };
  }
  return { Authorization: digest(user, `EST ${place.alias}`, target, await nonceOf(place)) };
}

async function nonceOf({ gateway, alias }: Place): Promise<string> {
  const outgoing = requestTls(`${gateway.url}/${alias}/simpleenroll`, {
    method: 'POST',
    ca: gateway.trustAnchor,
    agent: new Agent(),
  });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.resume();
  return /nonce="([^"]+)"/.exec(String(incoming.headers['www-authenticate']))?.[1] ?? '';
}

/** RFC 7616, section 3.4, with qop=auth and SHA-256. */
export function digest(
  { name, code }: { readonly name: string; readonly code: string },
  realm: string,
  uri: string,
  nonce: string,
): string {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const cnonce = randomBytes(8).toString('hex');
  const secret = hash(`${name}:${realm}:${code}`);
  const response = hash(`${secret}:${nonce}:00000001:${cnonce}:auth:${hash(`POST:${uri}`)}`);
  const username = Buffer.from(name).toString('latin1');
  const quoted = { username, realm, nonce, uri, cnonce, response };
  const fields = Object.entries(quoted).map(([key, value]) => `${key}="${value}"`);
  return `Digest ${[...fields, 'qop=auth', 'nc=00000001', 'algorithm=SHA-256'].join(', ')}`;
}

/** A device of the gateway's own CA. */
export async function ownDevice(gateway: TestGateway): Promise<Held> {
  return await enrolDevice(gateway, 'honest');
}

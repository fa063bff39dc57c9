/** Each way of cheating, as a column of the matrix. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { certificateToPem } from '../../../src/pkix/certificate.ts';
import { certificateDer, named, type CertificateParts } from '../../support/certificate.ts';
import { readToEnd } from '../../support/client.ts';
import { extension, generateKeyPair, id, objectIdentifier, sequence } from '../../support/csr.ts';
import { issueByHand, privatePem } from '../../support/device.ts';
import { startTestGateway } from '../../support/gateway.ts';
import {
  digest,
  enrol,
  forms,
  forwardedAs,
  type Form,
  type Held,
  type Place,
  type Shown,
  type Site,
} from './site.ts';
import { honestly, type Way } from './ways.ts';

/** One way of cheating. */
export interface Cheat {
  readonly name: string;
  /** Why it means nothing for a way; undefined: it is tried. */
  readonly without: (way: Way) => string | undefined;
  /** What is shown in each attempt, with all that has to happen before; at the way's alias unless it names another one. */
  readonly forge: (way: Way, site: Site) => Promise<readonly (Shown & { readonly alias?: string })[]>;
}

const needsCertificate = ({ certificate }: Way): string | undefined =>
  certificate === undefined ? 'no certificate is asked for' : undefined;
const needsTls = (way: Way): string | undefined =>
  way.name.includes('proxy') ? 'the TLS session is that of the proxy' : needsCertificate(way);
const needsUser = ({ scheme }: Way): string | undefined =>
  scheme === undefined ? 'no user is asked for' : undefined;
const always = (): undefined => undefined;

const subjectOf = (way: Way): Buffer => named(way.name.startsWith('Z-') ? 'authority' : 'honest');

/** A cheat by the certificate alone: all else is as an honest client shows it. */
function byCertificate(name: string, certificateFor: (way: Way, site: Site) => Promise<Held>): Cheat {
  return {
    name,
    without: needsCertificate,
    forge: async (way, site) => [
      { ...(await honestly(way, site)), certificate: await certificateFor(way, site) },
    ],
  };
}

/** With a certificate that the right CA signed, and that is not right. */
function misissued(name: string, parts: CertificateParts): Cheat {
  return byCertificate(
    name,
    async (way, site) =>
      await issueByHand(way.issuer?.(site) ?? site.direct, { subject: subjectOf(way), ...parts }),
  );
}

async function selfSigned(way: Way): Promise<Held> {
  const key = await generateKeyPair('P-256');
  const der = await certificateDer({ subject: subjectOf(way), key });
  return { cert: certificateToPem(der), key: privatePem(key.privateKey) };
}

async function ofImpostor(way: Way): Promise<Held> {
  const impostor = await startTestGateway();
  const certificate = await issueByHand(impostor, { subject: subjectOf(way) });
  await impostor.stop();
  return certificate;
}

/** An honest client that has been revoked. */
async function revoked(way: Way, site: Site, shown: Shown): Promise<Shown> {
  const { cert = '' } = shown.certificate ?? {};
  const serialNumber = new X509Certificate(cert).serialNumber.toLowerCase();
  const { store, ca } = way.issuer?.(site) ?? site.direct;
  const outcome = await store.certificates.revoke(ca, serialNumber, 'keyCompromise', new Date());
  if (outcome !== 'revoked') throw new Error(`The certificate is ${outcome}.`);
  // What a vendor revokes is known with its next CRL.
  const isOwn = way.issuer?.(site) === way.place(site).gateway;
  while (!isOwn && (await enrol(way.place(site), way.commonName, shown)) === 200);
  return shown;
}

/** What an honest client shows, less its certificate. */
async function withoutCertificate(way: Way, site: Site): Promise<Shown> {
  const { certificate: _left, ...others } = await honestly(way, site);
  return others;
}

type User = Site['user'];

const wrongUsers: readonly (readonly [string, (user: User, site: Site) => User])[] = [
  ['A-01 a wrong code', (user) => ({ ...user, code: 'wrong' })],
  ['A-01 an empty code', (user) => ({ ...user, code: '' })],
  ['a code that is cut off', (user) => ({ ...user, code: user.code.slice(0, -1) })],
  ['a code with a blank after it', (user) => ({ ...user, code: `${user.code} ` })],
  ['a code with NUL after it', (user) => ({ ...user, code: `${user.code}\0` })],
  ['a user name in other case', (user) => ({ ...user, name: user.name.toUpperCase() })],
  ['a user name with NUL after it', (user) => ({ ...user, name: `${user.name}\0` })],
  ['a user name in letters of full width', (user) => ({ ...user, name: user.name.replace('h', '\uff48') })],
  ['an empty user name', (user) => ({ ...user, name: '' })],
  ['a user name that fits any', (user) => ({ ...user, name: '*' })],
  ['a user name with a piece of a filter', (user) => ({ ...user, name: `${user.name})(uid=*` })],
  ['the user of another alias', (_user, { stranger }) => stranger],
];

const forgedIdentity = {
  'X-Forwarded-User': 'honest',
  'Remote-User': 'honest',
  'X-Remote-User': 'honest',
  'X-SSL-Client-S-DN': 'CN=honest',
  'X-SSL-Client-Verify': 'SUCCESS',
  'X-Forwarded-For': '127.0.0.1',
  Forwarded: 'for=127.0.0.1',
};

/** Spellings of a path that some server in front may take for the right one. */
const spellings: readonly ((alias: string) => string)[] = [
  (alias) => `/.well-known/est/${alias}/%73impleenroll`,
  (alias) => `/.well-known/est/${alias}/simpleenroll/`,
  (alias) => `/.well-known/est/${alias}//simpleenroll`,
  (alias) => `/.well-known//est/${alias}/simpleenroll`,
  (alias) => `//.well-known/est/${alias}/simpleenroll`,
  (alias) => `/.well-known/est/${alias}/SimpleEnroll`,
  (alias) => `/.well-known/est/${alias}/simpleenroll;x=1`,
  (alias) => `/.well-known/est/${alias}/simpleenroll?user=honest`,
  (alias) => `/.well-known/est/elsewhere/../${alias}/simpleenroll`,
  (alias) => `/.well-known/est/elsewhere%2f..%2f${alias}/simpleenroll`,
  (alias) => `/.well-known/est/elsewhere/%2e%2e/${alias}/simpleenroll`,
  (alias) => `/.well-known/est/cacerts/../${alias}/simpleenroll`,
  (alias) => `https://localhost/.well-known/est/${alias}/simpleenroll`,
];

export const cheats: readonly Cheat[] = [
  { name: 'nothing is shown', without: always, forge: async () => await Promise.resolve([{}]) },
  {
    name: 'T-11 one of two is missing',
    without: (way) => needsCertificate(way) ?? needsUser(way),
    forge: async (way, site) => {
      const { user, certificate, ...others } = await honestly(way, site);
      return [
        { ...others, ...(user && { user }) },
        { ...others, ...(certificate && { certificate }) },
      ];
    },
  },
  misissued('X-06 expired', { notBefore: '20200101000000Z', notAfter: '20210101000000Z' }),
  misissued('X-06 not yet valid', { notBefore: '20400101000000Z', notAfter: '20410101000000Z' }),
  misissued('T-13 for servers alone', {
    extensions: [extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')))],
  }),
  misissued('T-13 with an unknown critical extension', {
    extensions: [extension('1.2.3.4', Buffer.of(5, 0), true)],
  }),
  byCertificate('T-13 of another CA with the same names', ofImpostor),
  byCertificate('V-53 signed by itself', selfSigned),
  {
    name: 'T-13 the certificate of a CA',
    without: needsCertificate,
    forge: async (way, site) => {
      const { issuingCertificate: cert, issuingKey: key, passphrase } = way.issuer?.(site) ?? site.direct;
      return [{ ...(await honestly(way, site)), certificate: { cert, key }, tls: { passphrase } }];
    },
  },
  {
    name: 'R-14 revoked',
    without: needsCertificate,
    forge: async (way, site) => [await revoked(way, site, await honestly(way, site))],
  },
  {
    name: 'S-07 revoked after the connection was opened',
    without: needsTls,
    forge: async (way, site) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const shown = { ...(await honestly(way, site)), tls: { agent } };
      const before = await enrol(way.place(site), way.commonName, shown);
      if (before !== 200) throw new Error(`An honest client got ${before}.`);
      return [await revoked(way, site, shown)];
    },
  },
  {
    name: 'S-07 V-52 revoked, in a session that is resumed',
    without: needsTls,
    forge: async (way, site) => {
      const shown = await honestly(way, site);
      const session = await sessionOf(way.place(site), shown.certificate);
      const resuming = { ...shown, tls: { session } };
      const before = await enrol(way.place(site), way.commonName, resuming);
      if (before !== 200) throw new Error(`An honest client got ${before}.`);
      return [await revoked(way, site, resuming)];
    },
  },
  {
    name: 'T-23 V-52 a session is resumed without its certificate',
    without: needsTls,
    forge: async (way, site) => {
      const session = await sessionOf(way.place(site));
      return [{ ...(await withoutCertificate(way, site)), tls: { session } }];
    },
  },
  {
    name: 'another name by SNI',
    without: needsTls,
    forge: async (way, site) => {
      const tls = { servername: 'admin.example', checkServerIdentity: () => undefined };
      const others = await withoutCertificate(way, site);
      return [
        { ...others, tls },
        { ...others, tls, certificate: await ofImpostor(way) },
      ];
    },
  },
  {
    name: 'X-05 S-01 S-02 a certificate in header fields that no proxy set',
    without: needsCertificate,
    forge: async (way, site) => {
      const { certificate, ...others } = await honestly(way, site);
      const { form: expected } = way.place(site);
      const fields = forms
        .filter((form) => certificate !== undefined && fieldOf(form) !== (expected && fieldOf(expected)))
        .flatMap((form) => Object.entries(certificate ? forwardedAs(form, certificate) : {}));
      return fields.flatMap(([field, value]) => [
        { ...others, headers: { [field]: value } },
        { ...others, headers: { [field.replaceAll('-', '_')]: value } },
      ]);
    },
  },
  {
    name: 'S-01 in header fields, who it is',
    without: always,
    forge: async () => await Promise.resolve([{ headers: forgedIdentity }]),
  },
  {
    name: 'T-13 what is right at another alias',
    without: needsCertificate,
    forge: async (way, site) => [{ ...(await withoutUser(way, site)), alias: 'elsewhere' }],
  },
  {
    name: 'A-01 who is right at another alias',
    without: needsUser,
    forge: async (way, site) => [{ ...(await withoutCertificate(way, site)), alias: 'elsewhere' }],
  },
  ...wrongUsers.map(([name, change]): Cheat => ({
    name,
    without: (way) =>
      way.scheme === 'digest' && name.includes('user name with NUL')
        ? 'no header field can hold it'
        : needsUser(way),
    forge: async (way, site) => [{ ...(await honestly(way, site)), user: change(site.user, site) }],
  })),
  {
    name: 'S-02 two Authorization fields',
    without: needsUser,
    forge: async (way, site) => {
      const { user: _user, ...others } = await honestly(way, site);
      const right = basicOf(site.user);
      const wrong = basicOf({ name: 'nobody', code: 'wrong' });
      return [
        [wrong, right],
        [right, wrong],
        [right, right],
      ].map((Authorization) => ({ ...others, headers: { Authorization } }));
    },
  },
  {
    name: 'A-08 Digest with a nonce of its own',
    without: ({ scheme }) => (scheme === 'digest' ? undefined : 'Digest is not used'),
    forge: async (way, site) => {
      const { alias } = way.place(site);
      const target = `/.well-known/est/${alias}/simpleenroll`;
      const Authorization = digest(site.user, `EST ${alias}`, target, 'A'.repeat(43));
      return await Promise.resolve([{ headers: { Authorization } }]);
    },
  },
  {
    // By nobody, and by who is right at `elsewhere`.
    name: 'S-03 another spelling of the path',
    without: always,
    forge: async (way, site) => {
      const { alias } = way.place(site);
      const shown = [{}, { user: site.stranger }];
      return await Promise.resolve(
        spellings.flatMap((spelling) => shown.map((one) => ({ ...one, target: spelling(alias) }))),
      );
    },
  },
];

async function withoutUser(way: Way, site: Site): Promise<Shown> {
  const { user: _left, ...others } = await honestly(way, site);
  return others;
}

const basicOf = ({ name, code }: User): string =>
  `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}`;

/** The field in which a form has the certificate; nginx and HAProxy have the same. */
const fieldOf = (form: Form): string => (form === 'haproxy' ? 'nginx' : form);

/** A TLS session that was opened with this certificate, or without one. */
async function sessionOf({ gateway }: Place, certificate?: Held): Promise<Buffer> {
  const socket = connect({
    ...{ port: gateway.port, ca: gateway.trustAnchor, servername: 'localhost' },
    ...certificate,
  });
  const session = once(socket, 'session') as Promise<[Buffer]>;
  await once(socket, 'secureConnect');
  socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const [ticket] = await session;
  await readToEnd(socket);
  return ticket;
}

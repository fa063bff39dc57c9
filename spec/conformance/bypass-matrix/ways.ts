/** Each way of authentication, as a row of the matrix. */
import type { TestGateway } from '../../support/gateway.ts';
import { forms, ownDevice, type Held, type Place, type Shown, type Site } from './site.ts';

/** One way: where it is used, and what an honest client shows. */
export interface Way {
  readonly name: string;
  /** An external program that it needs. */
  readonly program?: string;
  readonly place: (site: Site) => Place;
  /** What the client asks for. */
  readonly commonName: string;
  /** The CA of its certificate; undefined: it needs none. */
  readonly issuer?: (site: Site) => TestGateway;
  /** A certificate as an honest client has it. */
  readonly certificate?: (site: Site) => Promise<Held>;
  /** How its user is shown; undefined: it needs none. */
  readonly scheme?: 'basic' | 'digest';
}

/** What an honest client shows; the gateway gives it a certificate. */
export async function honestly(way: Way, site: Site): Promise<Shown> {
  return {
    ...(way.certificate && { certificate: await way.certificate(site) }),
    ...(way.scheme && { user: site.user, scheme: way.scheme }),
  };
}

const direct = (alias: string) => (site: Site) => ({ gateway: site.direct, alias });
const own = {
  issuer: (site: Site) => site.direct,
  certificate: async (site: Site) => await ownDevice(site.direct),
};

export const ways: readonly Way[] = [
  { name: 'T-11 client certificate', place: direct('certificate'), commonName: 'honest', ...own },
  ...forms.map((form) => ({
    name: `X-01 client certificate from a proxy (${form})`,
    place: (site: Site) => ({ gateway: site.proxied[form], form, alias: 'certificate' }),
    commonName: 'honest',
    issuer: (site: Site) => site.proxied[form],
    certificate: async (site: Site) => await ownDevice(site.proxied[form]),
  })),
  {
    name: 'T-11 client certificate through TCP pass-through',
    place: ({ passed }) => ({ gateway: passed, alias: 'certificate' }),
    commonName: 'honest',
    issuer: (site) => site.passed,
    certificate: async (site) => await ownDevice(site.passed),
  },
  {
    name: 'T-14 vendor certificate',
    place: direct('vendors'),
    commonName: 'device-1',
    issuer: (site) => site.vendor,
    certificate: async (site) => await ownDevice(site.vendor),
  },
  {
    name: 'Z-02 registration authority',
    place: direct('authority'),
    commonName: 'device-1',
    issuer: (site) => site.direct,
    certificate: async (site) => await site.registrationAuthority(site.direct),
  },
  { name: 'A-01 either, by certificate', place: direct('either'), commonName: 'honest', ...own },
  { name: 'A-01 either, by Basic', place: direct('either'), commonName: 'honest', scheme: 'basic' },
  { name: 'A-01 Basic', place: direct('basic'), commonName: 'honest', scheme: 'basic' },
  { name: 'A-01 Basic, of an htpasswd file', place: direct('file'), commonName: 'honest', scheme: 'basic' },
  { name: 'A-01 Basic, of a webhook', place: direct('service'), commonName: 'honest', scheme: 'basic' },
  {
    name: 'A-01 Basic, of an LDAP directory',
    program: 'slapd',
    place: direct('directory'),
    commonName: 'honest',
    scheme: 'basic',
  },
  { name: 'A-08 Digest', place: direct('digest'), commonName: 'honest', scheme: 'digest' },
  { name: 'T-11 A-01 both', place: direct('both'), commonName: 'honest', scheme: 'basic', ...own },
];

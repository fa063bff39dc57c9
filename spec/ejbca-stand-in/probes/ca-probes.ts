import { answerText, normalized } from './answer-text.ts';
import type { Probe } from './enrollment-probes.ts';
import { caDn, type ProbeSite } from './site.ts';

const get =
  (
    path: string,
    ...more: readonly [by?: 'wide' | 'nobody', headers?: Readonly<Record<string, string>>]
  ): Probe =>
  async (site) =>
    answerText(await site.get(path, ...more));

const device = encodeURIComponent(caDn('Device CA'));
const notAllowed = encodeURIComponent(caDn('Device RSA CA'));

interface List {
  readonly certificate_authorities: readonly { readonly name: string; readonly expiration_date: string }[];
}

async function list(site: ProbeSite): Promise<List['certificate_authorities']> {
  const { body } = await site.get('/v1/ca', 'wide');
  return (JSON.parse(body) as List).certificate_authorities;
}

/** CAs, CRLs and the status of certificates. */
export const caProbes: Readonly<Record<string, Probe>> = {
  'chain unknown CA': get('/v1/ca/CN%3DNo%20CA/certificate/download'),
  'chain unknown CA (wide)': get('/v1/ca/CN%3DNo%20CA/certificate/download', 'wide'),
  'chain by name': get('/v1/ca/Device%20CA/certificate/download'),
  'chain of CA not authorised': get(`/v1/ca/${notAllowed}/certificate/download`),
  'chain form': async (site) => {
    const { status, headers, body } = await site.get(`/v1/ca/${device}/certificate/download`);
    const form = body.includes('Subject:') ? 'Subject: lines' : 'PEM alone';
    const kind = `${headers['content-type'] ?? ''} ${headers['content-disposition'] ?? ''}`;
    return normalized(`${status} ${kind} ${form}`);
  },
  'crl unknown CA': get('/v1/ca/CN%3DNo%20CA/getLatestCrl'),
  'crl not authorised CA': get(`/v1/ca/${notAllowed}/getLatestCrl`),
  'revocationstatus unknown': get(`/v1/certificate/${device}/0badcafe/revocationstatus`),
  'revocationstatus unknown CA': get('/v1/certificate/CN%3DNo%20CA/12/revocationstatus'),
  'revocationstatus CA name': get('/v1/certificate/Device%20CA/12/revocationstatus'),
  'revocationstatus of CA not authorised': get(`/v1/certificate/${notAllowed}/12/revocationstatus`),
  'revocationstatus bad hex': get(`/v1/certificate/${device}/xyz/revocationstatus`),
  'list names (wide): off-line CA listed': async (site) =>
    (await list(site)).some(({ name }) => name === 'Offline CA'),
  'list expiration_date form': async (site) =>
    (await list(site))[0]?.expiration_date.replaceAll(/\d/g, '9') ?? '',
  'v1/ca no role': get('/v1/ca', 'nobody'),
  'v1/ca trailing slash': get('/v1/ca/'),
  'sec-fetch without header': async (site) =>
    answerText(await site.get('/v1/ca', 'gateway', { 'Sec-Fetch-Mode': 'cors' })),
  status: async (site) => {
    const { body } = await site.get('/v1/certificate/status');
    return body;
  },
};

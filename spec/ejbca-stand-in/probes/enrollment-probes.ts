import { readCertificate } from '../../../src/pkix/certificate.ts';
import { answerText, normalized } from './answer-text.ts';
import type { ProbeEndEntity, ProbeEnrolment, ProbeSite } from './site.ts';

/** Asks, and gives what came as a line. */
export type Probe = (site: ProbeSite) => Promise<string | number | boolean>;

const enrol =
  (enrolment: ProbeEnrolment = {}): Probe =>
  async (site) =>
    answerText(await site.pkcs10Enroll(enrolment));

const strict = { endEntityProfile: 'DeviceStrict', by: 'wide' } as const;
const any = { endEntityProfile: 'DeviceAny', by: 'wide' } as const;

/** One octet of the signature is another one. */
async function badlySigned(site: ProbeSite): Promise<string> {
  const pem = await site.csr({});
  const der = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der.writeUInt8(der.readUInt8(der.length - 3) ^ 1, der.length - 3);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

const dnsNames = (count: number): string =>
  Array.from({ length: count }, (_, index) => `DNS:a${index}.example`).join(',');

/** pkcs10enroll. */
export const pkcs10EnrollProbes: Readonly<Record<string, Probe>> = {
  ok: enrol(),
  'unknown CP': enrol({ certificateProfile: 'NoSuch' }),
  'unknown EEP': enrol({ endEntityProfile: 'NoSuch' }),
  'unknown CA': enrol({ ca: 'No CA' }),
  'CA not authorised': enrol({ ca: 'Device RSA CA' }),
  'EEP not authorised': enrol({ endEntityProfile: 'DeviceStrict' }),
  'CA not in EEP': enrol({ ca: 'Device RSA CA', by: 'wide' }),
  'CP not in EEP': enrol({ certificateProfile: 'SERVER' }),
  'CP forbids CA': enrol({ certificateProfile: 'DeviceOtherCA', by: 'wide' }),
  'DN field not allowed': enrol({ subject: '/CN=x9/OU=foo', ...strict }),
  'DN field too often': enrol({ subject: '/CN=xa/OU=a/OU=b/OU=c' }),
  'SAN not allowed': enrol({ alternativeNames: 'DNS:a.example', ...strict }),
  'IP SAN not allowed': enrol({ alternativeNames: 'IP:1.2.3.4', ...strict }),
  'URI SAN not allowed': enrol({ alternativeNames: 'URI:urn:x', ...strict }),
  'SAN too often': enrol({ alternativeNames: dnsNames(6) }),
  'SAN otherName unknown': enrol({ alternativeNames: 'otherName:1.2.3.4;UTF8:hello' }),
  'no CN where required': enrol({ subject: '/O=x', ...strict }),
  'serialNumber not allowed': enrol({ subject: '/CN=xdd/serialNumber=1', ...strict }),
  'unknown OID in DN': enrol({ subject: '/CN=xe/1.2.3.4.5=foo' }),
  'emailAddress in DN': enrol({ subject: '/CN=xf/emailAddress=a@b' }),
  'RSA with P256 profile': enrol({ key: 'RSA-2048', certificateProfile: 'DeviceP256' }),
  'P-384 with P256 profile': enrol({ key: 'P-384', certificateProfile: 'DeviceP256' }),
  'RSA1024 with 2048 profile': enrol({ key: 'RSA-1024', certificateProfile: 'DeviceRSA2048' }),
  'EC with RSA profile': enrol({ certificateProfile: 'DeviceRSA2048' }),
  'RSA1024 default profile': enrol({ key: 'RSA-1024' }),
  'key of another': enrol({ key: 'shared' }),
  'subject of another': async (site) =>
    answerText(await site.pkcs10Enroll({ subject: `/CN=${site.enrolled}` })),
  'again same user': async (site) =>
    answerText(await site.pkcs10Enroll({ username: site.enrolled, key: 'shared' })),
  'CA off-line': enrol({ ca: 'Offline CA', ...any }),
  'token off-line': enrol({ ca: 'Device Root CA', ...any }),
  garbage: enrol({ csr: 'garbage' }),
  'empty csr': enrol({ csr: '' }),
  'bad signature': async (site) => answerText(await site.pkcs10Enroll({ csr: await badlySigned(site) })),
  'empty user name': enrol({ username: '', subject: '/CN=xo' }),
  'broken JSON': async (site) => answerText(await site.post('/v1/certificate/pkcs10enroll', '{')),
  'multi-valued RDN': enrol({ subject: '/CN=xp+serialNumber=1' }),
  'approval CA': enrol({ ca: 'Approval CA', ...any }),
  'approval CP': enrol({ certificateProfile: 'DeviceApproval' }),
  'no credentials': enrol({ by: 'stranger' }),
  'no role': enrol({ by: 'nobody' }),
};

/** The same name under another user name for each character: the first gets it, the others collide with that. */
const subjectWith =
  (character: string): Probe =>
  async (site) => {
    const enrolWith = async (one: string): ReturnType<ProbeSite['pkcs10Enroll']> =>
      await site.pkcs10Enroll({ subject: `/CN=q${site.run}${one}z` });
    if (character !== '%') await enrolWith('%');
    const { status, body } = await enrolWith(character);
    const answer = JSON.parse(body) as Readonly<Record<string, string>>;
    if (status !== 201) return `${status} ${normalized(answer['error_message'] ?? '')}`;
    const { subject } = readCertificate(Buffer.from(answer['certificate'] ?? '', 'base64'));
    const [commonName] = subject.rdns.flat();
    return `201 subject=CN = ${commonName?.value.replace(site.run, 'R') ?? ''}`;
  };

/** What is around it, and what names become. */
export const namesProbes: Readonly<Record<string, Probe>> = {
  'GET on pkcs10enroll': async (site) => answerText(await site.get('/v1/certificate/pkcs10enroll')),
  'unknown path': async (site) => answerText(await site.get('/v1/certificate/nosuch')),
  'text/plain': async (site) =>
    answerText(await site.post('/v1/certificate/pkcs10enroll', '{}', 'gateway', 'text/plain')),
  ...Object.fromEntries(
    ['%', '?', ';', '!', '$', '~', '`'].map(
      (character) => [`subject with ${character}`, subjectWith(character)] as const,
    ),
  ),
};

type CertificateRequestProbe = Parameters<ProbeSite['certificateRequest']>[0];

/** Asks for a certificate of a new end entity. */
const request =
  (enrolment: CertificateRequestProbe = {}, endEntity: ProbeEndEntity = {}): Probe =>
  async (site) => {
    const username = site.newUser();
    await site.editUser({ username, ...endEntity });
    return answerText(await site.certificateRequest({ username, ...enrolment }));
  };

/** Asks for the certificate of a new end entity as something else than its name. */
const requestAs =
  (written: (username: string) => string): Probe =>
  async (site) => {
    const username = site.newUser();
    await site.editUser({ username });
    return answerText(await site.certificateRequest({ username: written(username), subject: '/CN=y' }));
  };

/** certificaterequest. */
export const certificateRequestProbes: Readonly<Record<string, Probe>> = {
  'wrong code': request({ code: 'wrong' }),
  'unknown user': async (site) => answerText(await site.certificateRequest({})),
  malformed: request({ csr: 'garbage' }),
  'bad signature': async (site) => await request({ csr: await badlySigned(site) })(site),
  'user in other case': requestAs((username) => username.toUpperCase()),
  'CA named wrongly': request({ ca: 'No CA' }),
  GENERATED: async (site) => {
    const username = site.newUser();
    await site.editUser({ username });
    await site.certificateRequest({ username });
    return answerText(await site.certificateRequest({ username }));
  },
  'user with blanks': requestAs((username) => ` ${username} `),
  'token P12': request({}, { token: 'P12' }),
  'RSA with P256 profile': request({ key: 'RSA-2048' }, { certificateProfile: 'DeviceP256' }),
  'key of another': request({ key: 'shared' }),
  'subject of another': async (site) => await request({}, { subject: `CN=${site.enrolled}` })(site),
  'CA off-line': request(
    { ca: 'Offline CA', by: 'wide' },
    { ca: 'Offline CA', endEntityProfile: 'DeviceAny' },
  ),
  'token off-line': request(
    { ca: 'Device Root CA', by: 'wide' },
    { ca: 'Device Root CA', endEntityProfile: 'DeviceAny' },
  ),
  'EEP not authorised': request({}, { endEntityProfile: 'DeviceStrict' }),
  'CA not authorised': request(
    { ca: 'Device RSA CA' },
    { ca: 'Device RSA CA', endEntityProfile: 'DeviceAny' },
  ),
};

/** Key stores and what waited for approval. */
export const keyStoreProbes: Readonly<Record<string, Probe>> = {
  'enrollkeystore unknown user': async (site) =>
    answerText(
      await site.post('/v1/certificate/enrollkeystore', {
        username: 'nob',
        password: 'foo123',
        key_alg: 'ECDSA',
        key_spec: 'P-256',
      }),
    ),
  'finalize unknown': async (site) => answerText(await finalize(site, '12345')),
  'finalize abc': async (site) => answerText(await finalize(site, 'abc')),
};

async function finalize(site: ProbeSite, id: string): ReturnType<ProbeSite['post']> {
  return await site.post(`/v1/certificate/${id}/finalize`, { response_format: 'DER', password: '' }, 'wide');
}

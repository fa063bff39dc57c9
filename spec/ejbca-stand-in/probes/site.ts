/** A stand-in set up like the EJBCA that was asked, and the means to ask it. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateToPem } from '../../../src/pkix/certificate.ts';
import { send, type Answer } from '../../support/client.ts';
import { generateKeyPair, opensslCsr, type KeyKind } from '../../support/csr.ts';
import type { ClientCertificate } from '../../support/ejbca/credentials.ts';
import { startEjbca, type StandIn } from '../../support/ejbca/start.ts';

/** Who asks: the gateway's role, one that may use every CA and profile, everything, a certificate that EJBCA does not know. */
type Asker = 'gateway' | 'wide' | 'super' | 'nobody';

/** What a probe changes of an enrolment. */
export interface ProbeEnrolment {
  readonly username?: string;
  /** PEM. */
  readonly csr?: string;
  readonly subject?: string;
  readonly alternativeNames?: string;
  readonly key?: KeyKind | 'shared';
  readonly ca?: string;
  readonly certificateProfile?: string;
  readonly endEntityProfile?: string;
  readonly by?: Asker | 'stranger';
}

/** An end entity of a probe. */
export interface ProbeEndEntity {
  readonly username?: string;
  readonly subject?: string;
  readonly ca?: string;
  readonly certificateProfile?: string;
  readonly endEntityProfile?: string;
  readonly token?: string;
  readonly by?: Asker;
}

/** One criterion of a search. */
export type ProbeCriterion = readonly [property: string, value: string, operation: string];

/** The installation, and how it is asked. */
export interface ProbeSite {
  /** The tag of all names of this run. */
  readonly run: string;
  /** A user name that no one has yet. */
  newUser(): string;
  /** One who enrolled, with a key that probes use again by `key: 'shared'`. */
  readonly enrolled: string;
  csr(enrolment: ProbeEnrolment): Promise<string>;
  pkcs10Enroll(enrolment: ProbeEnrolment): Promise<Answer>;
  certificateRequest(enrolment: ProbeEnrolment & { readonly code?: string }): Promise<Answer>;
  editUser(endEntity: ProbeEndEntity): Promise<Answer>;
  findUser(value: string, by?: Asker): Promise<Answer>;
  soap(operation: string, content: string, by?: Asker): Promise<Answer>;
  get(path: string, by?: Asker | 'stranger', headers?: Readonly<Record<string, string>>): Promise<Answer>;
  post(path: string, body: unknown, by?: Asker | 'stranger', contentType?: string): Promise<Answer>;
  searchV2(criteria: readonly ProbeCriterion[], pageSize?: number): Promise<Answer>;
  searchV1(criteria: readonly ProbeCriterion[], most?: number): Promise<Answer>;
  stop(): Promise<void>;
}

/** As the stand-in names its CAs. */
export function caDn(name: string): string {
  return `CN=${name},O=Example,C=SE`;
}

const gatewayRules = [
  '/administrator',
  '/ca/Device CA',
  '/ca_functionality/view_ca',
  '/ca_functionality/create_certificate',
  '/ca_functionality/view_certificate',
  '/endentityprofilesrules/Device',
  '/ra_functionality/create_end_entity',
  '/ra_functionality/edit_end_entity',
  '/ra_functionality/view_end_entity',
];

const wideRules = [
  '/administrator',
  '/ca',
  '/ca_functionality/view_ca',
  '/ca_functionality/create_certificate',
  '/ca_functionality/view_certificate',
  '/endentityprofilesrules',
  '/ra_functionality',
];

const code = 'foo123';

/** The CAs and profiles that the answers speak of. */
async function prepare(ejbca: StandIn): Promise<void> {
  for (const name of ['Device RSA CA', 'Approval CA', 'Offline CA', 'Device Root CA']) {
    await ejbca.addCertificationAuthority(name);
  }
  const change = (name: string, changes: object): void => {
    Object.assign(ejbca.database.certificationAuthorities.get(name) ?? {}, changes);
  };
  change('Approval CA', { requiresApproval: true });
  change('Offline CA', { status: 'offline' });
  change('Device Root CA', { status: 'token offline' });
  ejbca.addCertificateProfile('DeviceP256', { keyAlgorithms: ['ECDSA'], curves: ['P-256'] });
  ejbca.addCertificateProfile('DeviceRSA2048', { keyAlgorithms: ['RSA'], bitLengths: [2048] });
  ejbca.addCertificateProfile('DeviceApproval', { requiresApproval: true });
  ejbca.addCertificateProfile('DeviceOtherCA', { certificationAuthorities: ['Device RSA CA'] });
  const certificateProfiles = [
    ...['Device', 'DeviceP256', 'DeviceRSA2048', 'DeviceApproval', 'DeviceOtherCA', 'ENDUSER'],
  ];
  const subject = ['CN', 'SN', 'O', 'OU', 'OU', 'C', 'L', 'ST', 'UID', 'DC', 'DC', 'T'];
  const alternativeNames = [
    ...Array.from({ length: 5 }, () => 'dNSName' as const),
    ...Array.from({ length: 5 }, () => 'iPAddress' as const),
  ];
  const names = { subject, alternativeNames, certificateProfiles };
  ejbca.addEndEntityProfile('Device', { ...names, certificationAuthorities: ['Device CA'] });
  ejbca.addEndEntityProfile('DeviceAny', names);
  ejbca.addEndEntityProfile('DeviceStrict', {
    subject: ['CN'],
    requiredSubject: ['CN'],
    alternativeNames: [],
    certificateProfiles: ['Device', 'DeviceP256'],
    certificationAuthorities: ['Device CA'],
  });
}

/** Starts a stand-in of the version that was asked. */
export async function startProbeSite(): Promise<ProbeSite> {
  const ejbca = await startEjbca({ version: '8.2.0.1' });
  await prepare(ejbca);
  const clients: Readonly<Record<Asker, ClientCertificate>> = {
    super: ejbca.clientCertificate,
    gateway: await ejbca.addClientCertificate('est-gateway', gatewayRules),
    wide: await ejbca.addClientCertificate('est-wide', wideRules),
    nobody: await ejbca.addClientCertificate('est-nobody', undefined),
  };
  const run = randomBytes(3).toString('hex');
  let users = 0;
  const newUser = (): string => {
    users += 1;
    return `x${run}n${users}z`;
  };
  const sharedKey = join(ejbca.directory, 'shared.key');
  const { privateKey } = await generateKeyPair('P-256');
  await writeFile(sharedKey, privateKey.export({ type: 'pkcs8', format: 'pem' }));

  async function call(
    method: string,
    path: string,
    by: Asker | 'stranger',
    {
      headers = {},
      body,
    }: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
  ): Promise<Answer> {
    const client = by === 'stranger' ? undefined : clients[by];
    return await send(`${ejbca.url}${path}`, {
      method,
      ca: ejbca.trustAnchor,
      ...(client && { cert: client.certificate, key: client.key }),
      headers,
      ...(body !== undefined && { body }),
    });
  }

  const site: ProbeSite = {
    run,
    newUser,
    enrolled: newUser(),
    async csr({ subject = '/CN=x', alternativeNames, key = 'P-256' }) {
      const keyFile = key === 'shared' ? sharedKey : join(ejbca.directory, `${key}-${newUser()}.key`);
      if (key !== 'shared') {
        const pair = await generateKeyPair(key);
        await writeFile(keyFile, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      }
      const names = alternativeNames === undefined ? [] : ['-addext', `subjectAltName=${alternativeNames}`];
      return pemOf(await opensslCsr('-key', keyFile, '-subj', subject, '-utf8', ...names));
    },
    async pkcs10Enroll(enrolment) {
      const { username = newUser(), by = 'gateway' } = enrolment;
      const csr = enrolment.csr ?? (await site.csr({ subject: `/CN=${username}`, ...enrolment }));
      return await site.post(
        '/v1/certificate/pkcs10enroll',
        {
          certificate_request: csr,
          certificate_authority_name: enrolment.ca ?? 'Device CA',
          certificate_profile_name: enrolment.certificateProfile ?? 'Device',
          end_entity_profile_name: enrolment.endEntityProfile ?? 'Device',
          username,
          password: code,
          include_chain: false,
        },
        by,
      );
    },
    async certificateRequest(enrolment) {
      const { username = newUser(), by = 'gateway' } = enrolment;
      const csr = enrolment.csr ?? (await site.csr({ subject: `/CN=${username}`, ...enrolment }));
      return await site.post(
        '/v1/certificate/certificaterequest',
        {
          certificate_request: csr,
          certificate_authority_name: enrolment.ca ?? 'Device CA',
          username,
          password: enrolment.code ?? code,
          include_chain: false,
        },
        by,
      );
    },
    async editUser({ username = newUser(), by = 'super', ...endEntity }) {
      const members = {
        caName: endEntity.ca ?? 'Device CA',
        certificateProfileName: endEntity.certificateProfile ?? 'Device',
        clearPwd: 'false',
        endEntityProfileName: endEntity.endEntityProfile ?? 'Device',
        keyRecoverable: 'false',
        password: code,
        sendNotification: 'false',
        status: '10',
        subjectDN: endEntity.subject ?? `CN=${username}`,
        tokenType: endEntity.token ?? 'USERGENERATED',
        username,
      };
      const content = Object.entries(members).map(([name, value]) => `<${name}>${value}</${name}>`);
      return await site.soap('editUser', `<arg0>${content.join('')}</arg0>`, by);
    },
    async findUser(value, by = 'gateway') {
      const match = `<matchtype>0</matchtype><matchvalue>${value}</matchvalue><matchwith>0</matchwith>`;
      return await site.soap('findUser', `<arg0>${match}</arg0>`, by);
    },
    async soap(operation, content, by = 'gateway') {
      const namespaces =
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ws="http://ws.protocol.core.ejbca.org/"';
      const body = `<soapenv:Envelope ${namespaces}><soapenv:Body><ws:${operation}>${content}</ws:${operation}></soapenv:Body></soapenv:Envelope>`;
      const headers = { 'Content-Type': 'text/xml; charset=utf-8', SOAPAction: '""', Accept: 'text/xml' };
      return await call('POST', '/ejbcaws/ejbcaws', by, { headers, body });
    },
    get: async (path, by = 'gateway', headers = {}) =>
      await call('GET', `/ejbca-rest-api${path}`, by, { headers }),
    post: async (path, body, by = 'gateway', contentType = 'application/json') =>
      await call('POST', `/ejbca-rest-api${path}`, by, {
        headers: { 'Content-Type': contentType },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    searchV2: async (criteria, pageSize = 5) =>
      await site.post('/v2/certificate/search', {
        pagination: { page_size: pageSize, current_page: 1 },
        criteria: criteria.map(criterion),
      }),
    searchV1: async (criteria, most = 5) =>
      await site.post('/v1/certificate/search', {
        max_number_of_results: most,
        criteria: criteria.map(criterion),
      }),
    stop: async () => {
      await ejbca.stop();
    },
  };
  await site.pkcs10Enroll({ username: site.enrolled, key: 'shared' });
  return site;
}

function criterion([property, value, operation]: ProbeCriterion): object {
  return { property, value, operation };
}

function pemOf(csr: Buffer): string {
  return certificateToPem(csr).replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST');
}

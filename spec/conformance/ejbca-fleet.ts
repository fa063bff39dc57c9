import { oids } from '../../src/pkix/oids.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import type { EjbcaGateway } from '../ejbca/setup.ts';
import { send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  id,
  name,
  printableString,
  sequence,
  spkiOf,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { basic, certificateOf, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { issueCertificate } from '../support/ejbca/authority.ts';
import { nameFromDn } from '../support/ejbca/distinguished-name.ts';

/** The values of `compatibility`, with which the names of the aliases end. */
export const ways = ['rfc', 'ejbca'] as const;
export type Way = (typeof ways)[number];

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const client = { operationMode: 'client', extractUsernameComponent: 'CN' };

/** The aliases: their settings by the first part of their names. */
export const modes: Readonly<Record<string, object>> = {
  ra: { ...byUser, serverKeyGeneration: true },
  'ra-certificate': { requireClientCertificate: true },
  'ra-both': { requireClientCertificate: true, requireUsernameAndPassword: true },
  'ra-newkeys': { ...byUser, allowUpdateWithSameKey: false },
  'ra-strict': { ...byUser, endEntityProfile: 'No SAN' },
  challenge: { ...client, authenticationModule: 'ChallengePwd', serverKeyGeneration: true },
  dnpart: { ...client, authenticationModule: 'DnPartPwd', extractDnPartPasswordComponent: 'SN' },
  basicauth: { ...client, authenticationModule: 'HttpBasicAuth' },
  vendor: {
    ...client,
    vendorCertificateMode: true,
    vendorCas: ['Vendor CA'],
    allowChangeSubjectName: true,
  },
};

/** The enrolment code of every registered end entity. */
export const code = 'open-sesame-17';

/** The user of RA mode. */
export const withUser = { headers: { Authorization: basic } };

const serialNumber = '2.5.4.5';

interface Device {
  readonly commonName: string;
  readonly keyPair: KeyPair;
  readonly key: string;
  readonly cert: string;
}

interface Asked {
  readonly operation?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly shown?: Device | undefined;
}

export type Fleet = ReturnType<typeof createFleet>;

/** Devices, registered or not, in front of a gateway with EJBCA behind it. */
export function createFleet({ gateway, ejbca }: EjbcaGateway) {
  let devices = 0;
  /** A name that no row has had. */
  function freshName(): string {
    devices += 1;
    return `device-${devices}`;
  }

  async function post(
    alias: string,
    csr: Buffer,
    { operation = 'simpleenroll', headers, shown }: Asked = {},
  ): Promise<Answer> {
    const tls = shown === undefined ? {} : { key: shown.key, cert: shown.cert };
    return await send(`${gateway.url}/${alias}/${operation}`, {
      ca: gateway.trustAnchor,
      ...tls,
      ...enrolment(csr, headers),
    });
  }

  const get = async (path: string): Promise<Answer> =>
    await send(`${gateway.url}${path}`, { ca: gateway.trustAnchor });

  async function freshCsr(commonName = freshName()): Promise<Buffer> {
    return await plainCsr(commonName, await generateKeyPair('P-256'));
  }

  /** A device with a certificate that the CA issued in RA mode. */
  async function enrolled(way: Way): Promise<Device> {
    const commonName = freshName();
    const keyPair = await generateKeyPair('P-256');
    const answer = await post(`ra-${way}`, await plainCsr(commonName, keyPair), withUser);
    return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert: await certificateOf(answer) };
  }

  /** A device with a certificate of another CA that the stand-in has. */
  async function certified(ca: string, commonName: string): Promise<Device> {
    const authority = ejbca.database.certificationAuthorities.get(ca)?.authority;
    if (authority === undefined) throw new Error(`no CA ${ca}`);
    const keyPair = await generateKeyPair('P-256');
    const { der } = await issueCertificate(authority, {
      subject: nameFromDn(`CN=${commonName}`, 'ldap'),
      alternativeNames: [],
      spki: spkiOf(keyPair.publicKey),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000),
      extendedKeyUsage: [oids.clientAuth],
    });
    return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert: certificateToPem(der) };
  }

  async function challengeCsr(commonName: string, password: string, key?: KeyPair): Promise<Buffer> {
    return await certificationRequest({
      key: key ?? (await generateKeyPair('P-256')),
      subject: name([id.commonName, utf8String(commonName)]),
      attributes: [attribute(id.challengePassword, utf8String(password))],
    });
  }

  async function dnPartCsr(commonName: string, password: string): Promise<Buffer> {
    return await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: name([id.commonName, utf8String(commonName)], [serialNumber, printableString(password)]),
    });
  }

  function registered(
    changes: { readonly status?: 'NEW' | 'GENERATED'; readonly subjectDn?: string } = {},
  ): string {
    const username = freshName();
    ejbca.addEndEntity({ username, password: code, ...changes });
    return username;
  }

  async function vendorDevice(changes?: Parameters<typeof registered>[0]): Promise<Device> {
    return await certified('Vendor CA', registered(changes));
  }

  async function renamingCsr(
    { commonName, keyPair: key }: Device,
    ...change: readonly Buffer[]
  ): Promise<Buffer> {
    return await certificationRequest({
      key,
      subject: name([id.commonName, utf8String(commonName)]),
      attributes: [attribute(id.changeSubjectName, sequence(...change))],
    });
  }

  return {
    freshName,
    post,
    get,
    freshCsr,
    enrolled,
    certified,
    challengeCsr,
    dnPartCsr,
    registered,
    vendorDevice,
    renamingCsr,
  };
}

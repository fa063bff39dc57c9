import { oids } from '../../src/pkix/oids.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import type { AliasChanges, EjbcaGateway } from '../ejbca/setup.ts';
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

/** At EJBCA the holder of the certificate has a role that lets it enrol others. */
export const forOthers = { policy: { names: 'any' } };

/** The aliases: their settings by the first part of their names. */
export const modes: Readonly<Record<string, AliasChanges>> = {
  ra: { ...byUser, serverKeyGeneration: true },
  'ra-certificate': { requireClientCertificate: true, alias: forOthers },
  'ra-both': { requireClientCertificate: true, requireUsernameAndPassword: true, alias: forOthers },
  'ra-newkeys': { ...byUser, allowUpdateWithSameKey: false },
  'ra-lost': { ...byUser, certificateAuthority: 'Lost CA' },
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

/** What comes of a request. */
export interface Outcome extends Answer {
  /** Certificates that EJBCA issued for it. */
  readonly issued: number;
}

/** A subject. */
export const commonNameOf = (text: string): Buffer => name([id.commonName, utf8String(text)]);

export type Fleet = ReturnType<typeof createFleet>;

/** A situation in EJBCA's system tests of its EST, and what comes of it. */
export interface Situation {
  readonly situation: string;
  /** The status of EJBCA's own answer. */
  readonly ejbca: number;
  /** That of the gateway's, where it differs: with `compatibility: rfc`, and with `ejbca`. */
  readonly rfc?: number;
  readonly compatible?: number;
  /** What the answer says in EJBCA's own words. */
  readonly says?: string;
  /** Certificates that EJBCA issues for it; left out: one with 200, none with a refusal. */
  readonly issued?: number;
  readonly ask: (fleet: Fleet, way: Way) => Promise<Outcome>;
}

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
  ): Promise<Outcome> {
    const tls = shown === undefined ? {} : { key: shown.key, cert: shown.cert };
    const before = ejbca.database.certificates.length;
    const answer = await send(`${gateway.url}/${alias}/${operation}`, {
      ca: gateway.trustAnchor,
      ...tls,
      ...enrolment(csr, headers),
    });
    return { ...answer, issued: ejbca.database.certificates.length - before };
  }

  const get = async (path: string): Promise<Outcome> => ({
    ...(await send(`${gateway.url}${path}`, { ca: gateway.trustAnchor })),
    issued: 0,
  });

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

  /** A device that was registered, and has its first certificate by its enrolment code. */
  async function enrolledByCode(way: Way): Promise<Device> {
    const commonName = registered();
    const keyPair = await generateKeyPair('P-256');
    const answer = await post(`challenge-${way}`, await challengeCsr(commonName, code, keyPair));
    return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert: await certificateOf(answer) };
  }

  /** As an administrator does it in EJBCA's pages: with the enrolment code set anew. */
  function setNew(username: string): void {
    const endEntity = ejbca.database.endEntities.get(username);
    if (endEntity === undefined) throw new Error(`no end entity ${username}`);
    ejbca.addEndEntity({ ...endEntity, status: 'NEW', password: code });
  }

  /** EJBCA renames the end entity and what it remembers of its certificates. */
  function rename(username: string): void {
    const { endEntities, certificates } = ejbca.database;
    const endEntity = endEntities.get(username);
    if (endEntity === undefined) throw new Error(`no end entity ${username}`);
    const renamed = `${username}-renamed`;
    endEntities.delete(username);
    endEntities.set(renamed, { ...endEntity, username: renamed });
    for (const [index, certificate] of certificates.entries()) {
      if (certificate.username === username) certificates[index] = { ...certificate, username: renamed };
    }
  }

  /** All certificates of an end entity. */
  function revoke(username: string): void {
    for (const certificate of ejbca.database.certificates) {
      if (certificate.username !== username) continue;
      certificate.revocation = { reason: 'KEY_COMPROMISE', at: new Date() };
    }
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
    changes: {
      readonly status?: 'NEW' | 'GENERATED';
      readonly subjectDn?: string;
      readonly subjectAltName?: string;
    } = {},
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
    enrolledByCode,
    setNew,
    rename,
    revoke,
    certified,
    challengeCsr,
    dnPartCsr,
    registered,
    vendorDevice,
    renamingCsr,
  };
}

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { send, type Answer } from '../../support/client.ts';
import { generateKeyPair, signedRequest } from '../../support/csr.ts';
import { nameFromAttributes } from '../../../src/pkix/names.ts';
import { oids } from '../../../src/pkix/oids.ts';
import type { Installation } from './installation.ts';

/** An installation to ask, and what ends it. */
export interface Opened {
  readonly installation: Installation;
  readonly close: () => Promise<void>;
}

/** EJBCA's numbers. */
const [statusNew, statusGenerated] = [10, 40];

/**
 * What of EJBCA the backend relies on to issue exactly one certificate for one enrolment, asked by REST and SOAP as the
 * backend asks, but without it.
 */
export function exactlyOnceContract(name: string, open: () => Promise<Opened>): void {
  describe(`${name} as what makes exactly one certificate of an enrolment`, () => {
    let opened: Opened;
    let ask: Ask;

    beforeAll(async () => {
      opened = await open();
      ask = await askAt(opened.installation);
    });

    afterAll(async () => {
      await opened.close();
    });

    it('issues once for a registration, and refuses the next certificaterequest with GENERATED', async () => {
      const device = await ask.registered('first');
      expect(await ask.certificate(device, 'first')).toMatchObject({ status: 201 });
      const refused = refusal(400, /^Got request with status GENERATED \(40\)\./);
      expect(await ask.certificate(device, 'first')).toMatchObject(refused);
      expect(await ask.certificate(device, 'wrong')).toMatchObject(refused);
      expect(await ask.issuedTo(device)).toBe(1);
    });

    it('issues one certificate to eight certificaterequests at once', async () => {
      const device = await ask.registered('first');
      const answers = await Promise.all(
        Array.from({ length: 8 }, async () => await ask.certificate(device, 'first')),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(await ask.issuedTo(device)).toBe(1);
    });

    it('refuses an older password once a registration with a new one is acknowledged', async () => {
      const device = await ask.registered('first');
      await ask.register(device, 'second');
      expect(await ask.certificate(device, 'first')).toMatchObject(
        refusal(400, /^Got request for user with invalid password: /),
      );
      expect(await ask.certificate(device, 'second')).toMatchObject({ status: 201 });
    });

    it('arms an end entity again that has its certificate, by a registration', async () => {
      const device = await ask.registered('first');
      await ask.certificate(device, 'first');
      await ask.register(device, 'second');
      expect(await ask.certificate(device, 'second')).toMatchObject({ status: 201 });
      expect(await ask.issuedTo(device)).toBe(2);
    });

    it('closes an end entity that has no certificate, by a registration with the status GENERATED', async () => {
      const device = await ask.registered('first');
      await ask.register(device, 'second', statusGenerated);
      expect(await ask.certificate(device, 'second')).toMatchObject(
        refusal(400, /^Got request with status GENERATED/),
      );
    });

    it('makes an end entity NEW that was not there, whatever status is asked for', async () => {
      const device = await newDevice();
      await ask.register(device, 'first', statusGenerated);
      expect(await ask.certificate(device, 'first')).toMatchObject({ status: 201 });
    });

    it('cuts the blanks around a user name off', async () => {
      const device = await ask.registered('first');
      const username = ` ${device.username} `;
      expect(await ask.certificate({ ...device, username }, 'first')).toMatchObject({ status: 201 });
      expect(await ask.issuedTo(device)).toBe(1);
    });

    it('finds by UPDATE_TIME what was issued a moment ago, and nothing that is older', async () => {
      const device = await ask.registered('first');
      await ask.certificate(device, 'first');
      expect(await ask.issuedTo(device, new Date(Date.now() - 70_000))).toBe(1);
      expect(await ask.issuedTo(device, new Date(Date.now() + 70_000))).toBe(0);
    });
  });
}

/** EJBCA's error JSON. */
function refusal(status: number, text: RegExp): object {
  return { status, json: { error_code: status, error_message: expect.stringMatching(text) } };
}

interface RestAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** An end entity, and what it asks for. */
interface Device {
  readonly username: string;
  /** PEM. */
  readonly csr: string;
}

/** With a key of its own, as EJBCA wants. */
async function newDevice(): Promise<Device> {
  const username = `contract-${randomUUID()}`;
  const subject = nameFromAttributes([{ type: oids.commonName, value: username }]);
  const csr = signedRequest(await generateKeyPair('P-256'), { subject: subject.der }).toString('base64');
  const lines = csr.match(/.{1,64}/g) ?? [];
  const pem = ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''];
  return { username, csr: pem.join('\n') };
}

interface Ask {
  /** Registers a new end entity. */
  registered(password: string): Promise<Device>;
  /** By SOAP editUser, which must succeed. */
  register(device: Device, password: string, status?: number): Promise<void>;
  /** By REST certificaterequest. */
  certificate(device: Device, password: string): Promise<RestAnswer>;
  /** How many certificates a search finds, of those that changed after the time. */
  issuedTo(device: Device, updatedAfter?: Date): Promise<number>;
}

async function askAt(installation: Installation): Promise<Ask> {
  const { baseUrl, certificateAuthority, certificateProfile, endEntityProfile } = installation;
  const [ca, cert, key] = await Promise.all(
    [installation.trustAnchor, installation.certificate, installation.privateKey].map(
      async (file) => await readFile(file),
    ),
  );

  async function post(path: string, contentType: string, body: string): Promise<Answer> {
    const headers = { 'Content-Type': contentType, Accept: contentType };
    return await send(baseUrl + path, { method: 'POST', ca, cert, key, headers, body });
  }

  async function rest(path: string, body: object): Promise<RestAnswer> {
    const answer = await post(`/ejbca-rest-api${path}`, 'application/json', JSON.stringify(body));
    return { status: answer.status, json: JSON.parse(answer.body) as unknown };
  }

  const register: Ask['register'] = async ({ username }, password, status = statusNew) => {
    const members = {
      caName: certificateAuthority,
      certificateProfileName: certificateProfile,
      clearPwd: false,
      endEntityProfileName: endEntityProfile,
      keyRecoverable: false,
      password,
      sendNotification: false,
      status,
      subjectDN: `CN=${username}`,
      tokenType: 'USERGENERATED',
      username,
    };
    const xml = Object.entries(members).map(([member, value]) => `<${member}>${value}</${member}>`);
    const answer = await post(
      '/ejbcaws/ejbcaws',
      'text/xml',
      `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ws="http://ws.protocol.core.ejbca.org/"><soapenv:Body><ws:editUser><arg0>${xml.join('')}</arg0></ws:editUser></soapenv:Body></soapenv:Envelope>`,
    );
    if (answer.status !== 200) throw new Error(`EJBCA did not register ${username}: ${answer.body}`);
  };

  return {
    register,
    async registered(password) {
      const device = await newDevice();
      await register(device, password);
      return device;
    },
    async certificate({ username, csr }, password) {
      return await rest('/v1/certificate/certificaterequest', {
        certificate_request: csr,
        certificate_authority_name: certificateAuthority,
        username,
        password,
        include_chain: false,
      });
    },
    async issuedTo({ username }, updatedAfter) {
      const value = updatedAfter?.toISOString().replace(/\.\d+Z$/, 'Z');
      const time = value === undefined ? [] : [{ property: 'UPDATE_TIME', value, operation: 'AFTER' }];
      const { json } = await rest('/v2/certificate/search', {
        pagination: { page_size: 100, current_page: 1 },
        criteria: [{ property: 'QUERY', value: username, operation: 'EQUAL' }, ...time],
      });
      return (json as { readonly certificates: readonly unknown[] }).certificates.length;
    },
  };
}

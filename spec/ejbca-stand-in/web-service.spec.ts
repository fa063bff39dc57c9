import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientSSLSecurity, createClientAsync, type Client } from 'soap';
import { send, type Answer } from '../support/client.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import type { ClientCertificate } from '../support/ejbca/credentials.ts';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';

let ejbca: StandIn;
let client: Client;

beforeAll(async () => {
  ejbca = await startEjbca();
  client = await openClient(ejbca.clientCertificate);
});

afterAll(async () => {
  await ejbca.stop();
});

async function openClient({ key, certificate }: ClientCertificate): Promise<Client> {
  const [keyBuffer, certificateBuffer] = [Buffer.from(key), Buffer.from(certificate)];
  const security = new ClientSSLSecurity(keyBuffer, certificateBuffer, Buffer.from(ejbca.trustAnchor), {
    strictSSL: true,
  });
  const wsdlOptions: Record<string, unknown> = {};
  security.addOptions(wsdlOptions);
  const opened = await createClientAsync(`${ejbca.url}/ejbcaws/ejbcaws?wsdl`, { wsdl_options: wsdlOptions });
  opened.setSecurity(security);
  return opened;
}

type Method = (argument: object) => Promise<readonly [unknown]>;

async function call(operation: string, argument: object, by = client): Promise<unknown> {
  const methods = by as unknown as Readonly<Record<string, Method | undefined>>;
  const [result] = (await methods[`${operation}Async`]?.(argument)) ?? [];
  return result;
}

function userMatch(matchwith: number, matchvalue: string, matchtype = 0): object {
  return { arg0: { matchtype, matchvalue, matchwith } };
}

/** Posts an envelope of our own, with the namespaces as people write them by hand; `null`: without certificate. */
async function post(body: string, by: ClientCertificate | null = ejbca.clientCertificate): Promise<Answer> {
  return await send(`${ejbca.url}/ejbcaws/ejbcaws`, {
    method: 'POST',
    ca: ejbca.trustAnchor,
    ...(by && { cert: by.certificate, key: by.key }),
    headers: { 'Content-Type': 'text/xml', SOAPAction: '' },
    body: `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ws="http://ws.protocol.core.ejbca.org/"><soapenv:Header/><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`,
  });
}

describe('The web service ejbcaws (1.2b)', () => {
  it('describes itself so that a SOAP library can load it', () => {
    expect(client.describe()).toMatchObject({
      EjbcaWSService: { EjbcaWSPort: { findUser: expect.anything(), editUser: expect.anything() } },
    });
  });

  it('tells its version without a role', async () => {
    const stranger = await openClient(await ejbca.addClientCertificate('stranger', undefined));
    expect(await call('getEjbcaVersion', {}, stranger)).toEqual({
      return: 'EJBCA 8.3.2 Enterprise (working copy)',
    });
  });

  it('finds an end entity with its data and status, and never its password', async () => {
    ejbca.addEndEntity({
      username: 'pump',
      subjectDn: 'O=Example,CN=pump & co',
      subjectAltName: 'dNSName=pump.example',
      status: 'GENERATED',
    });
    expect(await call('findUser', userMatch(0, 'pump'))).toEqual({
      return: [
        {
          caName: 'Device CA',
          certificateProfileName: 'Device',
          clearPwd: false,
          endEntityProfileName: 'Device',
          keyRecoverable: false,
          sendNotification: false,
          status: 40,
          subjectAltName: 'dNSName=pump.example',
          subjectDN: 'CN=pump & co,O=Example',
          tokenType: 'USERGENERATED',
          username: 'pump',
        },
      ],
    });
  });

  it.each([
    ['username that begins with', 0, 'pu', 1],
    ['whole DN', 7, 'CN=pump & co,O=Example', 0],
    ['commonName', 101, 'pump & co', 0],
    ['part of the commonName', 101, 'ump &', 2],
  ])('finds by %s', async (_what, matchwith, matchvalue, matchtype) => {
    expect(await call('findUser', userMatch(matchwith, matchvalue, matchtype))).toMatchObject({
      return: [{ username: 'pump' }],
    });
  });

  it('answers with an empty response when nobody is found', async () => {
    expect(await call('findUser', userMatch(0, 'nobody'))).toBeNull();
  });

  it('changes status and code of an end entity, and keeps the code when none is given', async () => {
    ejbca.addEndEntity({ username: 'valve', status: 'GENERATED', password: 'first' });
    const valve = {
      username: 'valve',
      subjectDN: 'CN=valve',
      caName: 'Device CA',
      certificateProfileName: 'Device',
      endEntityProfileName: 'Device',
      tokenType: 'USERGENERATED',
      clearPwd: false,
      keyRecoverable: false,
      sendNotification: false,
      status: 10,
    };
    await call('editUser', { arg0: valve });
    expect(ejbca.database.endEntities.get('valve')).toMatchObject({ status: 'NEW', password: 'first' });
    await call('editUser', { arg0: { ...valve, password: 'second' } });
    expect(ejbca.database.endEntities.get('valve')).toMatchObject({ password: 'second' });
  });

  it('refuses a caller without certificate, or without the right, by AuthorizationDeniedException', async () => {
    const user = `<caName>Device CA</caName><certificateProfileName>Device</certificateProfileName>
      <endEntityProfileName>Device</endEntityProfileName><subjectDN>CN=x</subjectDN>
      <tokenType>USERGENERATED</tokenType><username>pump</username>`;
    const edit = `<ws:editUser><arg0>${user}</arg0></ws:editUser>`;
    const rules = registrationAuthorityRules('Device CA', 'Device').filter(
      (rule) => !rule.includes('view_end'),
    );
    const nobody = await post(edit, null);
    const limited = await post(edit, await ejbca.addClientCertificate('limited', rules));
    for (const { status, body } of [nobody, limited]) {
      expect(status).toBe(500);
      expect(body).toContain(
        '<ns1:AuthorizationDeniedException xmlns:ns1="http://ws.protocol.core.ejbca.org/">',
      );
    }
    expect(limited.body).toContain(
      'that existing user pump was created with. Admin: pump., CN=limited</faultstring>',
    );
  });

  it.each([
    ['CADoesntExistsException', { caName: 'None' }, 'No CA found by name of None'],
    ['EjbcaException', { endEntityProfileName: 'None' }, 'Error End Entity profile None does not exist.'],
    ['EjbcaException', { certificateProfileName: 'None' }, 'Error Certificate profile None does not exist.'],
    ['EjbcaException', { tokenType: 'None' }, 'Error Token Type  None does not exist.'],
  ])('refuses by %s what an end entity cannot have: %j', async (exception, changes, text) => {
    const user = {
      caName: 'Device CA',
      certificateProfileName: 'Device',
      endEntityProfileName: 'Device',
      status: '10',
      subjectDN: 'CN=x',
      tokenType: 'USERGENERATED',
      username: 'x',
      ...changes,
    };
    const members = Object.entries(user).map(([name, value]) => `<${name}>${value}</${name}>`);
    const { status, body } = await post(`<ws:editUser><arg0>${members.join('')}</arg0></ws:editUser>`);
    expect(status).toBe(500);
    expect(body).toContain(`<ns1:${exception} `);
    expect(body).toContain(`<faultstring>${text}</faultstring>`);
    expect(ejbca.database.endEntities.has('x')).toBe(false);
  });

  it('lists the CAs of the role, external and off-line ones as well, and gives their chains', async () => {
    const vendor = await ejbca.addCertificationAuthority('Pump Vendor CA');
    vendor.status = 'external';
    const rules = ['/administrator/', '/ca/Pump Vendor CA/'];
    const limited = await openClient(await ejbca.addClientCertificate('one CA', rules));
    expect(await call('getAvailableCAs', {}, limited)).toMatchObject({ return: [{ name: vendor.name }] });
    const chain = (await call('getLastCAChain', { arg0: vendor.name }, limited)) as {
      readonly return: readonly { readonly certificateData: string }[];
    };
    const [data = ''] = chain.return.map(({ certificateData }) => certificateData);
    const lines = Buffer.from(data, 'base64').toString();
    expect(Buffer.from(lines, 'base64')).toEqual(vendor.authority.certificate);
    await expect(call('getLastCAChain', { arg0: 'Device CA' }, limited)).rejects.toThrow(
      "Administrator 'CN=one CA' not authorized to CA Device CA.",
    );
  });

  it('gives the CRL of a partition, 0 unless another is named', async () => {
    await ejbca.addCertificationAuthority('Large CA', { crlPartitions: 2 });
    const crl = async (partition: number): Promise<unknown> =>
      await call('getLatestCRLPartition', { arg0: 'Large CA', arg1: false, arg2: partition });
    expect(await call('getLatestCRL', { arg0: 'Large CA', arg1: false })).toEqual(await crl(0));
    expect(await crl(1)).not.toEqual(await crl(2));
    expect(await crl(3)).toBeNull();
  });

  it('revokes an end entity, deletes it where that is asked for, and knows it no more', async () => {
    ejbca.addEndEntity({ username: 'old' });
    await call('revokeUser', { arg0: 'old', arg1: 0, arg2: false });
    expect(ejbca.database.endEntities.get('old')?.status).toBe('REVOKED');
    await call('revokeUser', { arg0: 'old', arg1: 0, arg2: true });
    expect(ejbca.database.endEntities.has('old')).toBe(false);
    await expect(call('revokeUser', { arg0: 'old', arg1: 0, arg2: true })).rejects.toThrow(
      'Wrong username or password',
    );
  });

  it('understands parameters without a namespace only', async () => {
    const { status, body } = await post(
      '<ws:isAuthorized><ws:arg0>/administrator</ws:arg0></ws:isAuthorized>',
    );
    expect(status).toBe(500);
    expect(body).toContain('soap:Client');
    expect(body).toContain('Unmarshalling Error: unexpected element');
  });

  it('answers with a fault when the protocol is switched off, and goes on to tell its version', async () => {
    ejbca.enabledProtocols.delete('Web Service');
    const refused = await post('<ws:isAuthorized><arg0>/administrator</arg0></ws:isAuthorized>');
    const version = await post('<ws:getEjbcaVersion/>');
    ejbca.enabledProtocols.add('Web Service');
    expect(refused.status).toBe(500);
    expect(refused.body).toContain('<faultstring>Web Services not enabled</faultstring>');
    expect(version.status).toBe(200);
  });
});

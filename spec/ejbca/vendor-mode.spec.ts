import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { dNSName, type GeneralName } from '../../src/pkix/general-names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  sequence,
  spkiOf,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { certificateOf, enrolment, plainCsr, privatePem, renew } from '../support/device.ts';
import { issueCertificate } from '../support/ejbca/authority.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import { nameFromDn } from '../support/ejbca/distinguished-name.ts';
import { startEjbcaGateway, type EjbcaGateway, type EjbcaGatewayOptions } from './setup.ts';

const wrong = 'Invalid username, enrollment code, or end entity status';
const vendorSettings = {
  operationMode: 'client',
  vendorCertificateMode: true,
  vendorCas: ['Vendor CA'],
  extractUsernameComponent: 'CN',
};

interface Device {
  readonly keyPair: KeyPair;
  readonly key: string;
  readonly cert: string;
}

describe('vendor mode', () => {
  let running: EjbcaGateway;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vendor-'));
    const implicitTrustAnchors = [join(folder, 'sibling.pem')];
    running = await startEjbcaGateway({
      aliases: {
        vendor: { ...vendorSettings, serverKeyGeneration: true, alias: { implicitTrustAnchors } },
        renaming: { ...vendorSettings, allowChangeSubjectName: true },
      },
      role: [...registrationAuthorityRules('Device CA', 'Device'), '/ca/'],
      prepare: async (ejbca) => {
        await ejbca.addCertificationAuthority('Vendor Root');
        await ejbca.addCertificationAuthority('Vendor CA', { signedBy: 'Vendor Root' });
        const sibling = await ejbca.addCertificationAuthority('Sibling CA', { signedBy: 'Vendor Root' });
        await writeFile(join(folder, 'sibling.pem'), sibling.chain.map(certificateToPem).join(''));
      },
    });
  });
  beforeEach(() => {
    running.ejbca.clearFaults();
    running.ejbca.requests.length = 0;
  });
  afterAll(async () => {
    await running.stop();
    await rm(folder, { recursive: true });
  });

  /** A device as it leaves the factory, with a certificate of ten years. */
  async function device(
    dn: string,
    ca = 'Vendor CA',
    alternativeNames: readonly GeneralName[] = [],
  ): Promise<Device> {
    const authority = running.ejbca.database.certificationAuthorities.get(ca)?.authority;
    if (authority === undefined) throw new Error(`no CA ${ca}`);
    const keyPair = await generateKeyPair('P-256');
    const { der } = await issueCertificate(authority, {
      subject: nameFromDn(dn, 'ldap'),
      alternativeNames,
      spki: spkiOf(keyPair.publicKey),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3650 * 86_400_000),
      extendedKeyUsage: [oids.clientAuth],
    });
    const issuer = certificateToPem(authority.certificate);
    return { keyPair, key: privatePem(keyPair.privateKey), cert: certificateToPem(der) + issuer };
  }

  async function post(shown: Device | undefined, csr: Buffer, path = 'vendor/simpleenroll'): Promise<Answer> {
    const { gateway } = running;
    const tls = shown === undefined ? {} : { key: shown.key, cert: shown.cert };
    return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, ...tls, ...enrolment(csr) });
  }

  const cn = (text: string): Buffer => name([id.commonName, utf8String(text)]);
  const csrWith = async ({ keyPair: key }: Device, commonName: string, change: Buffer): Promise<Buffer> =>
    await certificationRequest({
      key,
      subject: cn(commonName),
      attributes: [attribute(id.changeSubjectName, change)],
    });
  const statusOf = (username: string): string | undefined =>
    running.ejbca.database.endEntities.get(username)?.status;
  const askedToIssue = (): boolean =>
    running.ejbca.requests.some(({ path }) => path.includes('certificaterequest'));

  it('issues to the registered end entity that the vendor certificate names, once', async () => {
    const meter = await device('CN=v-1');
    running.ejbca.addEndEntity({ username: 'v-1', subjectAltName: 'dNSName=v-1.example' });
    const csr = await plainCsr('v-1', meter.keyPair);
    const answer = await post(meter, csr);
    expect(answer.status).toBe(200);
    const { subject, subjectAltName } = new X509Certificate(await certificateOf(answer));
    expect([subject, subjectAltName]).toEqual(['CN=v-1', 'DNS:v-1.example']);
    expect(statusOf('v-1')).toBe('GENERATED');
    const other = await plainCsr('v-1', await generateKeyPair('P-256'));
    expect(await post(meter, other)).toMatchObject({ status: 400, body: expect.stringContaining(wrong) });
  });

  it('gives the same certificate again to the same request', async () => {
    const meter = await device('CN=v-2');
    running.ejbca.addEndEntity({ username: 'v-2' });
    const csr = await plainCsr('v-2', meter.keyPair);
    expect((await post(meter, csr)).body).toBe((await post(meter, csr)).body);
  });

  it('looks for what EJBCA issued when its answer was lost', async () => {
    const meter = await device('CN=v-3');
    running.ejbca.addEndEntity({ username: 'v-3' });
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'certificaterequest', times: 1 });
    const csr = await plainCsr('v-3', meter.keyPair);
    expect((await post(meter, csr)).status).toBe(503);
    expect((await post(meter, csr)).status).toBe(200);
    expect(running.ejbca.database.certificates.filter(({ username }) => username === 'v-3')).toHaveLength(1);
  });

  it('keeps all that is registered about the end entity', async () => {
    const meter = await device('CN=v-4');
    const registered = running.ejbca.addEndEntity({ username: 'v-4', email: 'v-4@device.example' });
    expect((await post(meter, await plainCsr('v-4', meter.keyPair))).status).toBe(200);
    const { password, status, rowVersion, remainingRequests, ...now } =
      running.ejbca.database.endEntities.get('v-4') ?? registered;
    expect({ ...registered, ...now }).toEqual(registered);
    expect([password === registered.password, status]).toEqual([false, 'GENERATED']);
    expect([rowVersion > registered.rowVersion, remainingRequests]).toEqual([true, 0]);
  });

  it('makes keys for devices', async () => {
    const meter = await device('CN=v-5');
    running.ejbca.addEndEntity({ username: 'v-5' });
    const answer = await post(meter, await plainCsr('v-5', meter.keyPair), 'vendor/serverkeygen');
    expect([answer.status, statusOf('v-5')]).toEqual([200, 'GENERATED']);
  });

  it('lets the device renew by the certificate that it got, and not by that of the vendor', async () => {
    const meter = await device('CN=v-6');
    running.ejbca.addEndEntity({ username: 'v-6' });
    const csr = await plainCsr('v-6', meter.keyPair);
    const cert = await certificateOf(await post(meter, csr));
    const next = await plainCsr('v-6', await generateKeyPair('P-256'));
    expect((await renew(running.gateway, { key: meter.key, cert }, next, 'vendor')).status).toBe(200);
    expect((await renew(running.gateway, meter, next, 'vendor')).status).toBe(403);
  });

  it.each([
    ['GENERATED', 'v-7'],
    ['REVOKED', 'v-8'],
  ] as const)('refuses an end entity with the status %s', async (status, username) => {
    const meter = await device(`CN=${username}`);
    running.ejbca.addEndEntity({ username, status });
    const answer = await post(meter, await plainCsr(username, meter.keyPair));
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(wrong) });
    expect([statusOf(username), askedToIssue()]).toEqual([status, false]);
  });

  it('refuses who is not registered, and who is registered in other letters', async () => {
    running.ejbca.addEndEntity({ username: 'V-9' });
    for (const username of ['stranger', 'v-9']) {
      const meter = await device(`CN=${username}`);
      const answer = await post(meter, await plainCsr(username, meter.keyPair));
      expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(wrong) });
    }
    expect(askedToIssue()).toBe(false);
  });

  it('refuses an end entity of another CA', async () => {
    const meter = await device('CN=v-10');
    running.ejbca.addEndEntity({ username: 'v-10', certificationAuthority: 'Root CA' });
    expect((await post(meter, await plainCsr('v-10', meter.keyPair))).status).toBe(400);
    expect(askedToIssue()).toBe(false);
  });

  it('refuses devices without a certificate, of a sibling of the vendor CA, and of the CA itself', async () => {
    running.ejbca.addEndEntity({ username: 'v-11' });
    const sibling = await device('CN=v-11', 'Sibling CA');
    const vendors = await device('CN=v-11');
    const cert = await certificateOf(await post(vendors, await plainCsr('v-11', vendors.keyPair)));
    running.ejbca.addEndEntity({ username: 'v-11' });
    running.ejbca.requests.length = 0;
    const own = { ...vendors, cert };
    const csr = await plainCsr('v-11', sibling.keyPair);
    expect((await post(undefined, csr)).status).toBe(403);
    expect(await post(sibling, csr)).toMatchObject({ status: 400, body: expect.stringContaining(wrong) });
    expect(await post(own, csr)).toMatchObject({ status: 400, body: expect.stringContaining(wrong) });
    expect([statusOf('v-11'), askedToIssue()]).toEqual(['NEW', false]);
  });

  it('refuses a CSR under another subject than that of the vendor certificate', async () => {
    const meter = await device('CN=v-12');
    running.ejbca.addEndEntity({ username: 'v-12' });
    running.ejbca.addEndEntity({ username: 'v-13' });
    expect(await post(meter, await plainCsr('v-13', meter.keyPair))).toMatchObject({
      status: 400,
      body: expect.stringContaining("Can't enroll using different subject than requesting certificate"),
    });
    expect([statusOf('v-12'), statusOf('v-13')]).toEqual(['NEW', 'NEW']);
  });

  it('refuses a CSR whose subject is not the registered one', async () => {
    const meter = await device('CN=v-14');
    running.ejbca.addEndEntity({ username: 'v-14', subjectDn: 'CN=v-14,O=Registered' });
    expect(await post(meter, await plainCsr('v-14', meter.keyPair))).toMatchObject({
      status: 400,
      body: expect.stringContaining('Request DN must match end entity DN'),
    });
  });

  describe('with ChangeSubjectName', () => {
    const registered = { subjectAltName: 'dNSName=pump-7.example' };
    const subjectOf = (username: string): Buffer =>
      name([id.organizationName, utf8String('Plant')], [id.commonName, utf8String(`Pump ${username}`)]);
    const alt = sequence(generalName(2, 'pump-7.example'));

    it.each([
      ['subject and subjectAltName', 'r-1', sequence(subjectOf('r-1'), alt)],
      ['the subject alone', 'r-2', sequence(subjectOf('r-2'))],
      ['the subjectAltName alone', 'r-3', sequence(alt)],
    ])('issues under the registered names when %s are theirs', async (_what, username, change) => {
      const pump = await device(`CN=${username}`, 'Vendor CA', [dNSName('vendor.example')]);
      running.ejbca.addEndEntity({ username, subjectDn: `CN=Pump ${username},O=Plant`, ...registered });
      const answer = await post(pump, await csrWith(pump, username, change), 'renaming/simpleenroll');
      expect(answer.status).toBe(200);
      const certificate = new X509Certificate(await certificateOf(answer));
      expect(certificate.subject.split('\n').sort()).toEqual([`CN=Pump ${username}`, 'O=Plant']);
      expect(certificate.subjectAltName).toBe('DNS:pump-7.example');
    });

    it.each([
      ['another subject', 'r-4', sequence(cn('Pump 8'))],
      ['another subjectAltName', 'r-5', sequence(sequence(generalName(2, 'pump-8.example')))],
      [
        'the right subject with another subjectAltName',
        'r-6',
        sequence(subjectOf('r-6'), sequence(generalName(2, 'x.example'))),
      ],
    ])('refuses %s', async (_what, username, change) => {
      const pump = await device(`CN=${username}`);
      running.ejbca.addEndEntity({ username, subjectDn: `CN=Pump ${username},O=Plant`, ...registered });
      const answer = await post(pump, await csrWith(pump, username, change), 'renaming/simpleenroll');
      expect(answer).toMatchObject({
        status: 400,
        body: expect.stringContaining('ChangeSubjectName must hold the names'),
      });
      expect([statusOf(username), askedToIssue()]).toEqual(['NEW', false]);
    });

    it('refuses it where the alias does not allow it', async () => {
      const pump = await device('CN=r-7');
      running.ejbca.addEndEntity({ username: 'r-7', ...registered });
      const answer = await post(pump, await csrWith(pump, 'r-7', sequence(subjectOf('r-7'))));
      expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('not allowed here') });
      expect(running.ejbca.requests).toEqual([]);
    });
  });

  const rights = [
    {
      what: 'to see end entities',
      rule: '/ra_functionality/view_end_entity',
      answer: /^Administrator is not authorized to end entity profile \d+ that existing user v-15 /,
      advice: /^Allow \/endentityprofilesrules\/NAME\/ .*view_end_entity/,
    },
    {
      what: 'to change them',
      rule: '/ra_functionality/edit_end_entity',
      answer: /^Administrator not authorized to end entity profile /,
      advice: /^Allow \/endentityprofilesrules\/NAME\/ .*edit_end_entity/,
    },
  ];
  const allRules = [...registrationAuthorityRules('Device CA', 'Device'), '/ca/'];
  /** Another EJBCA, with the same vendors. */
  const withVendors: EjbcaGatewayOptions = {
    aliases: { vendor: vendorSettings },
    prepare: async ({ database: { certificationAuthorities } }) => {
      for (const ca of ['Vendor Root', 'Vendor CA']) {
        const known = running.ejbca.database.certificationAuthorities.get(ca);
        if (known !== undefined) certificationAuthorities.set(ca, known);
      }
      await Promise.resolve();
    },
  };

  it.each(rights)('refuses to start when the gateway lacks the right $what', async ({ rule }) => {
    const role = allRules.filter((other) => other !== `${rule}/`);
    await expect(startEjbcaGateway({ ...withVendors, role })).rejects.toThrow(
      `aliases.vendor: ejbca.vendorCertificateMode: allow ${rule} in the role of the gateway in EJBCA.`,
    );
  });

  it('refuses to start when the web service is off', async () => {
    const installation = {
      enabledProtocols: ['REST Certificate Management', 'REST Certificate Management V2'] as const,
    };
    await expect(startEjbcaGateway({ ...withVendors, installation })).rejects.toThrow(
      /^aliases\.vendor: .*Enable "Web Service"\. EJBCA: System Configuration/,
    );
  });

  it.each(rights)(
    'says in the log that the gateway lost the right $what',
    async ({ rule, answer, advice }) => {
      const role = [...allRules];
      const limited = await startEjbcaGateway({ ...withVendors, role });
      try {
        role.splice(role.indexOf(`${rule}/`), 1);
        const meter = await device('CN=v-15');
        limited.ejbca.addEndEntity({ username: 'v-15' });
        const { gateway } = limited;
        const { status } = await send(`${gateway.url}/vendor/simpleenroll`, {
          ca: gateway.trustAnchor,
          key: meter.key,
          cert: meter.cert,
          ...enrolment(await plainCsr('v-15', meter.keyPair)),
        });
        expect(status).toBe(502);
        expect(gateway.log.entries).toContainEqual({
          level: 'error',
          message: 'EJBCA refuses a request, and its operator or that of the gateway can help.',
          fields: expect.objectContaining({
            operation: 'editUser',
            answer: expect.stringMatching(answer),
            advice: expect.stringMatching(advice),
          }),
        });
      } finally {
        await limited.stop();
      }
    },
  );

  it.each([
    ['a reset', { kind: 'reset', when: 'before' }, 503],
    ['a proxy that is down', { kind: 'answer', when: 'before', status: 502, contentType: 'text/html' }, 503],
    ['what is not EJBCA', { kind: 'answer', when: 'before', status: 404, contentType: 'text/html' }, 503],
    [
      'an answer that is no SOAP',
      { kind: 'answer', when: 'before', status: 200, contentType: 'text/xml', body: 'x' },
      502,
    ],
    ['an answer that ends too early', { kind: 'truncation' }, 503],
  ] as const)('answers to %s of the web service', async (_what, fault, status) => {
    const meter = await device('CN=v-16');
    running.ejbca.addEndEntity({ username: 'v-16' });
    running.ejbca.setFault({ ...fault, path: 'ejbcaws' });
    expect((await post(meter, await plainCsr('v-16', meter.keyPair))).status).toBe(status);
    expect([statusOf('v-16'), askedToIssue()]).toEqual(['NEW', false]);
  });

  it('says which protocol to switch on when the web service is off', async () => {
    const meter = await device('CN=v-17');
    running.ejbca.addEndEntity({ username: 'v-17' });
    running.ejbca.enabledProtocols.delete('Web Service');
    try {
      expect((await post(meter, await plainCsr('v-17', meter.keyPair))).status).toBe(502);
    } finally {
      running.ejbca.enabledProtocols.add('Web Service');
    }
    expect(running.gateway.log.lines().join('\n')).toContain(
      'Enable \\"Web Service\\". EJBCA: System Configuration',
    );
  });

  it('refuses to start with a vendor CA that EJBCA does not have', async () => {
    const aliases = { vendor: { ...vendorSettings, vendorCas: ['Nobody'] } };
    await expect(startEjbcaGateway({ aliases })).rejects.toThrow(
      "aliases.vendor: ejbca.vendorCas: EJBCA has no CA Nobody that the gateway's role may use",
    );
  });
});

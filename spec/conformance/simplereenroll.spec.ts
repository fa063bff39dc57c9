import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { Agent, type RequestOptions } from 'node:https';
import { send, type Answer } from '../support/client.ts';
import {
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  name,
  objectIdentifier,
  printableString,
  sequence,
  subjectAltName,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  issueByHand,
  plainCsr,
  privatePem,
  renew as renewAt,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { itWithOwnCa } from '../support/own-ca.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: {
      rekey: { policy: { renewWithSameKey: false } },
      late: { policy: { renewAfterPercent: 50 } },
      other: { backend: 'mock', profile: 'issue' },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
});

/** Enrols a CSR of any shape, and gives the device that holds it. */
async function enrol(parts: CertificationRequestParts, alias = 'est'): Promise<Device> {
  const keyPair = parts.key ?? (await generateKeyPair('P-256'));
  const der = await certificationRequest({ ...parts, key: keyPair });
  const answer = await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...enrolment(der, { Authorization: basic }),
  });
  const cert = await certificateOf(answer);
  return { commonName: '', keyPair, key: privatePem(keyPair.privateKey), cert };
}

/** Posts a CSR to simplereenroll with the device's certificate. */
async function renew(
  device: Pick<Device, 'key' | 'cert'> | undefined,
  csr: Buffer,
  alias = 'est',
  options: RequestOptions = {},
): Promise<Answer> {
  return await renewAt(gateway, device, csr, alias, options);
}

const serialNumberOf = (pem: string): string => new X509Certificate(pem).serialNumber.toLowerCase();
const cn = (text: string): Buffer => name([id.commonName, utf8String(text)]);
const dns = (...names: string[]): Buffer => subjectAltName(...names.map((text) => generalName(2, text)));

describe('simplereenroll (RFC 7030, section 4.2.2)', () => {
  it('R-04 renews with the same key and rekeys with a new one', async () => {
    const device = await enrolDevice(gateway, 'r-04');
    const renewed = await renew(device, await plainCsr('r-04', device.keyPair));
    const rekeyed = await renew(device, await plainCsr('r-04', await generateKeyPair('P-384')));
    for (const answer of [renewed, rekeyed]) {
      expect(answer.status).toBe(200);
      expect(serialNumberOf(await certificateOf(answer))).not.toBe(serialNumberOf(device.cert));
    }
  });

  it('R-04 refuses the same key where the alias wants a new one', async () => {
    const device = await enrolDevice(gateway, 'r-04b', 'rekey');
    expect(await renew(device, await plainCsr('r-04b', device.keyPair), 'rekey')).toMatchObject({
      status: 403,
    });
    const fresh = await plainCsr('r-04b', await generateKeyPair('P-256'));
    expect(await renew(device, fresh, 'rekey')).toMatchObject({ status: 200 });
  });

  it('R-01 refuses another subject', async () => {
    const device = await enrolDevice(gateway, 'r-01');
    expect(await renew(device, await plainCsr('r-01b', device.keyPair))).toMatchObject({ status: 403 });
  });

  it.each([
    ['dropped', ['a.example'], undefined],
    ['added', undefined, ['a.example']],
    ['changed', ['a.example'], ['b.example']],
    ['extended', ['a.example'], ['a.example', 'b.example']],
  ])('R-02 refuses a subjectAltName that is %s', async (_change, before, after) => {
    const device = await enrol({
      subject: cn('r-02'),
      extensions: before === undefined ? [] : [dns(...before)],
    });
    const extensions = after === undefined ? [] : [dns(...after)];
    const csr = await certificationRequest({ key: device.keyPair, subject: cn('r-02'), extensions });
    expect(await renew(device, csr)).toMatchObject({ status: 403 });
  });

  itWithOwnCa(
    'R-02 R-03 takes names in other order, case and string type, and keeps their old encoding',
    async () => {
      const subject = name(
        [id.organizationName, utf8String('Example Org')],
        [id.commonName, utf8String('r-03')],
      );
      const device = await enrol({ subject, extensions: [dns('a.example', 'b.example')] });
      const csr = await certificationRequest({
        key: device.keyPair,
        subject: name(
          [id.organizationName, printableString('example  org')],
          [id.commonName, printableString('R-03')],
        ),
        extensions: [dns('B.example', 'a.example')],
      });
      const answer = await renew(device, csr);
      expect(answer.status).toBe(200);
      const [before, after] = [
        new X509Certificate(device.cert),
        new X509Certificate(await certificateOf(answer)),
      ];
      expect(after.subject).toBe(before.subject);
      expect(after.subjectAltName).toBe(before.subjectAltName);
    },
  );

  it('R-03 refuses names in another order of their parts', async () => {
    const parts = [
      [id.organizationName, utf8String('Org')],
      [id.commonName, utf8String('r-03b')],
    ] as const;
    const device = await enrol({ subject: name(...parts) });
    const csr = await certificationRequest({ key: device.keyPair, subject: name(...parts.toReversed()) });
    expect(await renew(device, csr)).toMatchObject({ status: 403 });
  });

  it('R-05 takes another certificate of the same identity', async () => {
    const first = await enrolDevice(gateway, 'r-05');
    const second = await enrolDevice(gateway, 'r-05');
    expect(await renew(second, await plainCsr('r-05', first.keyPair))).toMatchObject({ status: 200 });
  });

  it('R-11 refuses a certificate of another CA', async () => {
    const device = await enrolDevice(gateway, 'r-11', 'other');
    const csr = await plainCsr('r-11', device.keyPair);
    expect(await renew(device, csr, 'other')).toMatchObject({ status: 200 });
    expect(await renew(device, csr, 'est')).toMatchObject({ status: 403 });
  });

  it('R-12 V-52 refuses a client without a certificate, whether it has a password or not', async () => {
    const csr = await plainCsr('r-12', await generateKeyPair('P-256'));
    expect((await renew(undefined, csr)).status).toBe(401);
    const { headers, ...rest } = enrolment(csr, { Authorization: basic });
    expect((await renew(undefined, csr, 'est', { ...rest, headers })).status).toBe(403);
  });

  itWithOwnCa(
    'R-14 V-54 S-07 refuses a revoked certificate on a live connection and on a new one',
    async () => {
      const device = await enrolDevice(gateway, 'r-14');
      const csr = await plainCsr('r-14', await generateKeyPair('P-256'));
      const agent = new Agent({
        keepAlive: true,
        maxSockets: 1,
        ca: gateway.trustAnchor,
        key: device.key,
        cert: device.cert,
      });
      expect(await renew(device, csr, 'est', { agent })).toMatchObject({ status: 200 });
      await gateway.store.certificates.revoke(
        gateway.ca,
        serialNumberOf(device.cert),
        'keyCompromise',
        new Date(),
      );
      expect(await renew(device, csr, 'est', { agent })).toMatchObject({ status: 403 });
      agent.destroy();
      expect(await renew(device, csr, 'est', { agent })).toMatchObject({ status: 403 });
      agent.destroy();
    },
  );

  it('R-17 Z-05 renews for nobody else by a certificate with id-kp-cmcRA that the alias does not name', async () => {
    const purposes = sequence(objectIdentifier('1.3.6.1.5.5.7.3.2'), objectIdentifier('1.3.6.1.5.5.7.3.28'));
    const extensions = [extension(id.extendedKeyUsage, purposes)];
    const registrar = await issueByHand(gateway, { subject: cn('registrar'), extensions });
    const device = await enrolDevice(gateway, 'r-17');
    expect(await renew(registrar, await plainCsr('registrar', registrar.keyPair))).toMatchObject({
      status: 200,
    });
    expect(await renew(registrar, await plainCsr('r-17', device.keyPair))).toMatchObject({
      status: 403,
      body: expect.stringContaining('may not ask for the commonName'),
    });
  });

  it('R-15 refuses a renewal that comes too early', async () => {
    const device = await enrolDevice(gateway, 'r-15', 'late');
    const answer = await renew(device, await plainCsr('r-15', device.keyPair), 'late');
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/try again after 20\d\d-/) });
  });

  it('R-16 E-15 E-20 answers with the issued certificate alone', async () => {
    const device = await enrolDevice(gateway, 'r-16');
    const answer = await renew(device, await plainCsr('r-16', device.keyPair));
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only');
    expect(new X509Certificate(await certificateOf(answer)).subject).toBe('CN=r-16');
  });

  it('E-22 gives the same certificate again when the reply was lost, and another one for another request', async () => {
    const device = await enrolDevice(gateway, 'e-22');
    const csr = await plainCsr('e-22', device.keyPair);
    const [first, second] = [
      await renew(device, csr),
      await renew(device, await plainCsr('e-22', device.keyPair)),
    ];
    expect(second.body).toBe(first.body);
    const other = await renew(device, await plainCsr('e-22', await generateKeyPair('P-256')));
    expect(other.body).not.toBe(first.body);
  });
});

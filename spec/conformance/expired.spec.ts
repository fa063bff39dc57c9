import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { send, type Answer } from '../support/client.ts';
import type { CertificateParts } from '../support/certificate.ts';
import {
  extension,
  generateKeyPair,
  id,
  name,
  null_,
  objectIdentifier,
  sequence,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolment,
  issueByHand,
  plainCsr,
  privatePem,
  renew,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let stranger: TestGateway;
beforeAll(async () => {
  stranger = await startTestGateway();
  const policy = { subject: ['commonName'], renewExpiredDays: 2 };
  const implicitTrustAnchors = [`${stranger.directory}/root.pem`, `${stranger.directory}/issuing.pem`];
  gateway = await startTestGateway({ aliases: { grace: { policy, implicitTrustAnchors } } });
});
afterAll(async () => {
  await gateway.stop();
  await stranger.stop();
});

const cn = (text: string): Buffer => name([id.commonName, utf8String(text)]);

/** As GeneralizedTime. */
function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().replace(/\.\d+|[-:T]/g, '');
}

async function expired(commonName: string, parts: CertificateParts = {}, from = gateway): Promise<Device> {
  return await issueByHand(from, { subject: cn(commonName), notAfter: daysAgo(1), ...parts });
}

async function renewItself(device: Device, commonName: string, alias = 'grace'): Promise<Answer> {
  return await renew(gateway, device, await plainCsr(commonName, device.keyPair), alias);
}

describe('An expired client certificate (RFC 7030, section 3.3.2)', () => {
  it('R-13 is refused, as is usual', async () => {
    const device = await expired('usual');
    expect(await renewItself(device, 'usual', 'est')).toMatchObject({
      status: 403,
      body: expect.stringContaining('did not pass the TLS handshake'),
    });
  });

  it('R-13 renews itself where the alias lets it, and the log says so each time', async () => {
    const device = await expired('late');
    const key = await generateKeyPair('P-256');
    for (const csr of [await plainCsr('late', device.keyPair), await plainCsr('late', key)]) {
      const answer = await renew(gateway, device, csr, 'grace');
      expect(answer.status).toBe(200);
      expect(new X509Certificate(await certificateOf(answer)).subject).toBe('CN=late');
    }
    const expiredAt = new Date(new X509Certificate(device.cert).validTo).toISOString();
    const lines = gateway.log.entries.filter(({ fields }) => fields['identity'] === 'CN=late');
    expect(lines.map(({ fields }) => fields['expiredAt'])).toEqual([expiredAt, expiredAt]);
  });

  it('R-13 is not said of one that has not expired', async () => {
    const device = await issueByHand(gateway, { subject: cn('in time') });
    expect(await renewItself(device, 'in time')).toMatchObject({ status: 200 });
    const line = gateway.log.entries.find(({ fields }) => fields['identity'] === 'CN=in time');
    expect(line?.fields).not.toHaveProperty('expiredAt');
  });

  it('R-13 is refused when it expired too long ago', async () => {
    const device = await expired('too late', { notAfter: daysAgo(3) });
    expect(await renewItself(device, 'too late')).toMatchObject({
      status: 403,
      body: expect.stringContaining('it has expired'),
    });
  });

  it.each(['simpleenroll', 'serverkeygen', 'fullcmc'])('R-13 does nothing else: %s', async (operation) => {
    const device = await expired('other operation');
    const csr = await plainCsr('other operation', device.keyPair);
    for (const headers of [{}, { Authorization: basic }]) {
      const { status } = await send(`${gateway.url}/grace/${operation}`, {
        ca: gateway.trustAnchor,
        key: device.key,
        cert: device.cert,
        ...enrolment(csr, headers),
      });
      // serverkeygen and fullcmc are switched off at this alias.
      expect(status).toBe(operation === 'simpleenroll' ? 403 : 404);
    }
  });

  it('R-13 R-14 is refused when it is revoked', async () => {
    const device = await expired('revoked');
    const serialNumber = new X509Certificate(device.cert).serialNumber.toLowerCase();
    expect(await renewItself(device, 'revoked')).toMatchObject({ status: 200 });
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect(await renewItself(device, 'revoked')).toMatchObject({ status: 403 });
  });

  it('R-01 R-13 is refused under other names', async () => {
    const device = await expired('named');
    expect(await renewItself(device, 'admin')).toMatchObject({ status: 403 });
  });

  const serverAuth = extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')));
  it.each<[string, CertificateParts]>([
    ['is for servers', { extensions: [serverAuth] }],
    ['has an unknown critical extension', { extensions: [extension('1.2.3.4', null_, true)] }],
    ['is signed with SHA-1', { hash: 'sha1' }],
  ])('R-13 V-53 is refused when it %s', async (_what, parts) => {
    const device = await expired('unfit', parts);
    expect(await renewItself(device, 'unfit')).toMatchObject({ status: 403 });
  });

  it('R-13 is refused when its key is too weak, which TLS would have said', async () => {
    const key: KeyPair = await generateKeyPair('RSA-1024');
    const device = { ...(await expired('weak', { key })), keyPair: key, key: privatePem(key.privateKey) };
    const csr = await plainCsr('weak', await generateKeyPair('P-256'));
    const options = { ciphers: 'DEFAULT@SECLEVEL=0' };
    expect(await renew(gateway, device, csr, 'grace', options)).toMatchObject({
      status: 403,
      body: expect.stringContaining('its key is not accepted'),
    });
  });

  it('R-11 R-13 is refused when a vendor or nobody known issued it', async () => {
    const ofVendor = await expired('vendor', {}, stranger);
    expect(await renewItself(ofVendor, 'vendor')).toMatchObject({
      status: 403,
      body: expect.stringContaining('signature in its path is wrong'),
    });
    const own = await generateKeyPair('P-256');
    const ofItself = await expired('forged', { issuerKey: own });
    expect(await renewItself(ofItself, 'forged')).toMatchObject({
      status: 403,
      body: expect.stringContaining('signature in its path is wrong'),
    });
  });
});

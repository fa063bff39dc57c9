import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  name,
  null_,
  sequence,
  subjectAltName,
  tlv,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  privatePem,
  renew,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

/** The same CA as that of the other aliases. */
const approving = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { device: { approval: 'newNames' } },
};
const policy = {
  subject: ['commonName', 'organizationName'],
  subjectAltName: ['dNSName', 'iPAddress'],
  changeSubjectName: true,
};

let gateway: TestGateway;
let vendor: TestGateway;
beforeAll(async () => {
  vendor = await startTestGateway();
  gateway = await startTestGateway({
    backends: { approving },
    aliases: {
      renaming: { policy },
      rekeying: { policy: { ...policy, renewWithSameKey: false } },
      own: { policy: { ...policy, names: 'identity' } },
      demanding: {
        policy: { ...policy, required: { subject: { commonName: null, organizationName: 'Example' } } },
      },
      approved: { backend: 'approving', policy },
      vendors: {
        implicitTrustAnchors: [`${vendor.directory}/root.pem`, `${vendor.directory}/issuing.pem`],
        policy,
      },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await vendor.stop();
});

const cn = (text: string): Buffer => name([id.commonName, utf8String(text)]);
const dns = (host: string): Buffer => generalName(2, host);

/** A CSR under the names that the device has, which asks for others by ChangeSubjectName. */
async function csrOf(
  commonName: string,
  key: KeyPair,
  change: Buffer,
  hosts: readonly string[] = ['old.example'],
): Promise<Buffer> {
  return await certificationRequest({
    key,
    subject: cn(commonName),
    extensions: hosts.length === 0 ? [] : [subjectAltName(...hosts.map(dns))],
    attributes: [attribute(id.changeSubjectName, change)],
  });
}

/** A device with the subjectAltName old.example. */
async function enrolNamed(commonName: string, alias = 'renaming'): Promise<Device> {
  const keyPair = await generateKeyPair('P-256');
  const csr = await certificationRequest({
    key: keyPair,
    subject: cn(commonName),
    extensions: [subjectAltName(dns('old.example'))],
  });
  const cert = await certificateOf(await enrolWithBasic(gateway, csr, alias));
  return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert };
}

async function rename(device: Device, change: Buffer, alias = 'renaming'): Promise<Answer> {
  return await renew(gateway, device, await csrOf(device.commonName, device.keyPair, change), alias);
}

/** Subject and subjectAltName, as Node prints them. */
async function namesOf(answer: Answer): Promise<readonly [string | undefined, string | undefined]> {
  const { subject, subjectAltName: alt } = new X509Certificate(await certificateOf(answer));
  return [subject, alt];
}

describe('ChangeSubjectName (RFC 6402, section 2.8)', () => {
  const both = sequence(cn('new'), sequence(dns('new.example'), dns('other.example')));
  const bothTagged = sequence(cn('new'), tlv(0xa1, dns('new.example'), dns('other.example')));

  it.each([
    ['both', both, 'CN=new', 'DNS:new.example, DNS:other.example'],
    ['both, as erratum 3943 tags them', bothTagged, 'CN=new', 'DNS:new.example, DNS:other.example'],
    ['the subject alone', sequence(cn('new')), 'CN=new', undefined],
    ['the subjectAlt alone', sequence(sequence(dns('new.example'))), undefined, 'DNS:new.example'],
    ['the subjectAlt alone, tagged', sequence(tlv(0xa1, dns('new.example'))), undefined, 'DNS:new.example'],
    [
      'an empty subject and a subjectAlt',
      sequence(sequence(), sequence(dns('new.example'))),
      undefined,
      'DNS:new.example',
    ],
  ])('R-06 R-07 R-09 certifies %s, and drops what it does not hold', async (_what, change, subject, alt) => {
    const device = await enrolNamed('r-06');
    const answer = await rename(device, change);
    expect(answer.status).toBe(200);
    expect(await namesOf(answer)).toEqual([subject, alt]);
  });

  it.each([
    ['nothing', sequence()],
    ['a lone empty list', sequence(sequence())],
    ['three parts', sequence(cn('new'), sequence(dns('a.example')), sequence())],
    ['an empty subjectAlt', sequence(cn('new'), sequence())],
    ['the two in the wrong order', sequence(sequence(dns('a.example')), cn('new'))],
    ['both kinds of parts in one list', sequence(sequence(...[cn('new').subarray(2), dns('a.example')]))],
    ['something else', sequence(null_)],
    ['a name that no certificate may have', sequence(cn('a\nb'))],
    ['a host that is none', sequence(sequence(dns('a b')))],
  ])('R-08 R-09 refuses %s with 400', async (_what, change) => {
    const device = await enrolNamed('r-08');
    expect(await rename(device, change)).toMatchObject({ status: 400 });
  });

  it('R-08 refuses the attribute with two values', async () => {
    const device = await enrolNamed('r-08b');
    const csr = await certificationRequest({
      key: device.keyPair,
      subject: cn('r-08b'),
      extensions: [subjectAltName(dns('old.example'))],
      attributes: [attribute(id.changeSubjectName, sequence(cn('a')), sequence(cn('b')))],
    });
    expect(await renew(gateway, device, csr, 'renaming')).toMatchObject({ status: 400 });
  });

  it('R-10 refuses it where the alias does not allow it, which is the default', async () => {
    const device = await enrolNamed('r-10', 'est');
    expect(await rename(device, both, 'est')).toMatchObject({
      status: 403,
      body: expect.stringContaining('ChangeSubjectName attribute is not allowed'),
    });
    expect(await rename(device, sequence(), 'est')).toMatchObject({ status: 400 });
  });

  it('R-06 wants the old names in the CSR itself', async () => {
    const device = await enrolNamed('r-06b');
    for (const csr of [
      await csrOf('new', device.keyPair, both),
      await csrOf('r-06b', device.keyPair, both, ['new.example']),
      await csrOf('r-06b', device.keyPair, both, []),
    ]) {
      expect(await renew(gateway, device, csr, 'renaming')).toMatchObject({ status: 403 });
    }
  });

  const email = sequence(generalName(1, 'a@example'));
  it.each([
    ['a wildcard', 'renaming', sequence(cn('new'), sequence(dns('*.example')))],
    ['a type of name that is not granted', 'renaming', sequence(cn('new'), email)],
    ['an attribute that is not granted', 'renaming', sequence(name(['2.5.4.4', utf8String('Surname')]))],
    ['a name of somebody else', 'own', sequence(cn('admin'))],
    ['a subject without what is demanded', 'demanding', sequence(cn('new'))],
  ])('R-10 S-19 refuses %s, as in a first enrolment', async (_what, alias, change) => {
    const device = await enrolNamed('r-10b');
    expect(await rename(device, change, alias)).toMatchObject({ status: 403 });
  });

  it('R-10 grants what a first enrolment would get: own names, demanded names', async () => {
    const device = await enrolNamed('r-10c');
    expect(await namesOf(await rename(device, sequence(cn('r-10c')), 'own'))).toEqual([
      'CN=r-10c',
      undefined,
    ]);
    const demanded = name([id.organizationName, utf8String('Example')], [id.commonName, utf8String('r-10c')]);
    expect(await rename(device, sequence(demanded), 'demanding')).toMatchObject({ status: 200 });
  });

  it('R-10 lets new names wait for approval where a profile wants that', async () => {
    const device = await enrolNamed('r-10d');
    expect(await rename(device, sequence(cn('new')), 'approved')).toMatchObject({ status: 202 });
    const [held] = await gateway.store.heldRequests.undecided(gateway.ca, new Date(0));
    expect(held).toMatchObject({ identity: 'CN=r-10d', subject: 'CN=new', subjectAltName: [] });
  });

  it('R-04 R-15 keeps the rules of a renewal', async () => {
    const device = await enrolNamed('r-04');
    expect(await rename(device, both, 'rekeying')).toMatchObject({ status: 403 });
    const fresh = await csrOf('r-04', await generateKeyPair('P-256'), both);
    expect(await renew(gateway, device, fresh, 'rekeying')).toMatchObject({ status: 200 });
  });

  it('R-06 S-17 lets a renamed device renew with its key, and nobody else use that key', async () => {
    const device = await enrolNamed('r-06c');
    const cert = await certificateOf(await rename(device, sequence(cn('r-06d'))));
    const again = await certificationRequest({ key: device.keyPair, subject: cn('r-06d') });
    expect(await renew(gateway, { ...device, cert }, again, 'renaming')).toMatchObject({ status: 200 });
    const other = await enrolDevice(gateway, 'thief');
    const stolen = await certificationRequest({ key: device.keyPair, subject: cn('thief') });
    expect(await renew(gateway, other, stolen, 'renaming')).toMatchObject({ status: 403 });
  });

  it('E-11 lets a vendor certificate ask for other names in a first enrolment', async () => {
    const device = await enrolDevice(vendor, 'serial-4711');
    const csr = await csrOf('serial-4711', await generateKeyPair('P-256'), sequence(cn('pump-1')), []);
    const enrolAt = async (alias: string): Promise<Answer> =>
      await send(`${gateway.url}/${alias}/simpleenroll`, {
        ca: gateway.trustAnchor,
        key: device.key,
        cert: device.cert,
        ...enrolment(csr),
      });
    expect(await namesOf(await enrolAt('vendors'))).toEqual(['CN=pump-1', undefined]);
    const anonymous = { ca: gateway.trustAnchor, ...enrolment(csr, { Authorization: basic }) };
    expect(await send(`${gateway.url}/vendors/simpleenroll`, anonymous)).toMatchObject({
      status: 403,
      body: expect.stringContaining('none was shown'),
    });
  });

  it('R-06 R-02 takes no extension of the CSR for the new subjectAltName', async () => {
    const device = await enrolNamed('r-06e');
    const csr = await certificationRequest({
      key: device.keyPair,
      subject: cn('r-06e'),
      extensions: [extension(id.subjectAltName, sequence(dns('old.example')), true)],
      attributes: [attribute(id.changeSubjectName, sequence(cn('new')))],
    });
    expect(await namesOf(await renew(gateway, device, csr, 'renaming'))).toEqual(['CN=new', undefined]);
  });
});

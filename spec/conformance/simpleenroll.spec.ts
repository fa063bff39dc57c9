import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, X509Certificate } from 'node:crypto';
import { send, type Answer } from '../support/client.ts';
import {
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  integer,
  keyPair,
  name,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  spkiOf,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import { basic, certificateOf, enrolDevice, enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ aliases: { both: { authentication: 'both' } } });
});
afterAll(async () => {
  await gateway.stop();
});

/** Enrols a CSR of any shape, with a key of its own. */
async function enrol(parts: CertificationRequestParts): Promise<Answer> {
  const key = parts.key ?? (await generateKeyPair('P-256'));
  return await enrolWithBasic(gateway, await certificationRequest({ ...parts, key }));
}

const subject = (text: string): Buffer => name([id.commonName, utf8String(text)]);
const bag = async (): Promise<Buffer> =>
  Buffer.from((await send(`${gateway.url}/cacerts`, { ca: gateway.trustAnchor })).body, 'base64');

describe('what is issued', () => {
  it.each(['RSA-2048', 'P-256', 'P-384', 'P-521', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const)(
    'E-04 E-06 issues for a key of the kind %s, and for that very key',
    async (kind) => {
      const key = await keyPair(kind);
      const answer = await enrol({ key, subject: subject(`e-04-${kind}`) });
      expect(answer.status).toBe(200);
      expect(Buffer.from(answer.body, 'base64').includes(spkiOf(key.publicKey))).toBe(true);
    },
  );

  it('E-09 M-06 makes the subjectAltName critical when there is no subject, and grants the usages asked for and no more', async () => {
    const answer = await enrol({
      subject: sequence(),
      extensions: [
        subjectAltName(generalName(2, 'm-06.example')),
        extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
      ],
    });
    const text = await openssl('x509 -in leaf.pem -noout -text', { 'leaf.pem': await certificateOf(answer) });
    expect(text).toMatch(/X509v3 Subject Alternative Name: critical\n +DNS:m-06\.example\n/);
    expect(text).toMatch(/X509v3 Key Usage: critical\n +Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: *\n +TLS Web Server Authentication\n/);
    expect(text).not.toContain('CA:TRUE');
  });

  // RFC 5280, sections 4.2.1 and 4.2.2, less those that vectors.spec.ts refuses by name.
  it.each([
    ['authorityKeyIdentifier', '2.5.29.35', sequence(tlv(0x80, Buffer.alloc(20, 1)))],
    ['subjectKeyIdentifier', '2.5.29.14', octetString(Buffer.alloc(20, 1))],
    ['certificatePolicies', '2.5.29.32', sequence(sequence(objectIdentifier('2.5.29.32.0')))],
    ['policyMappings', '2.5.29.33', sequence(sequence(objectIdentifier('1.2.3'), objectIdentifier('1.2.4')))],
    ['issuerAltName', '2.5.29.18', sequence(generalName(2, 'a.example'))],
    [
      'subjectDirectoryAttributes',
      '2.5.29.9',
      sequence(sequence(objectIdentifier('1.2.3'), tlv(0x31, null_))),
    ],
    ['policyConstraints', '2.5.29.36', sequence(tlv(0x80, Buffer.of(0)))],
    ['cRLDistributionPoints', '2.5.29.31', sequence(sequence())],
    ['inhibitAnyPolicy', '2.5.29.54', integer(0n)],
    ['freshestCRL', '2.5.29.46', sequence(sequence())],
    ['authorityInfoAccess', '1.3.6.1.5.5.7.1.1', sequence(sequence())],
    ['subjectInfoAccess', '1.3.6.1.5.5.7.1.11', sequence(sequence())],
  ])('E-08 grants or refuses a request for %s, and never fails', async (label, oid, value) => {
    const answer = await enrol({ subject: subject(`e-08-${label}`), extensions: [extension(oid, value)] });
    expect([200, 400, 403]).toContain(answer.status);
  });

  it.each(['authorityKeyIdentifier 2.5.29.35', 'subjectKeyIdentifier 2.5.29.14', 'issuerAltName 2.5.29.18'])(
    'E-09 S-18 does not copy the value that a device asks for: %s',
    async (what) => {
      const marker = randomBytes(20);
      const [label = '', oid = ''] = what.split(' ');
      const values: Record<string, Buffer> = {
        authorityKeyIdentifier: sequence(tlv(0x80, marker)),
        subjectKeyIdentifier: octetString(marker),
        issuerAltName: sequence(generalName(2, marker.toString('hex'))),
      };
      const answer = await enrol({
        subject: subject(`e-09-${label}`),
        extensions: [extension(oid, values[label] ?? null_)],
      });
      expect(answer.status).toBe(200);
      const reply = Buffer.from(answer.body, 'base64');
      expect(reply.includes(marker) || reply.includes(marker.toString('hex'))).toBe(false);
    },
  );
});

describe('certs-only messages (RFC 5652, section 5.1; RFC 8951, section 3)', () => {
  it('B-01 B-07 C-09 M-08 M-15 are what openssl would write, certificates sorted, for both operations', async () => {
    const enrolled = await enrol({ subject: subject('m-08') });
    for (const der of [await bag(), Buffer.from(enrolled.body, 'base64')]) {
      const again = await openssl('pkcs7 -inform DER -in body.der -outform PEM', { 'body.der': der });
      expect(Buffer.from(again.replace(/-----[^-]+-----|\s/g, ''), 'base64').equals(der)).toBe(true);
    }
    expect(enrolled.headers['content-transfer-encoding']).toBe('base64');
  });

  it('M-10 M-11 M-12 M-13 C-11 hold certificates and nothing else', async () => {
    const enrolled = Buffer.from((await enrol({ subject: subject('m-12') })).body, 'base64');
    for (const der of [await bag(), enrolled]) {
      const text = await openssl('pkcs7 -inform DER -in body.der -print -noout', { 'body.der': der });
      expect(text).toMatch(/md_algs:\s+<EMPTY>/);
      expect(text).toMatch(/type: pkcs7-data \(1\.2\.840\.113549\.1\.7\.1\)\s+d\.data: <ABSENT>/);
      expect(text).toMatch(/crl:\s+<ABSENT>/);
      expect(text).toMatch(/signer_info:\s+<EMPTY>/);
    }
  });

  it('C-04 C-05 C-08 verify an issued certificate with nothing but the bag, whose newest root is the anchor', async () => {
    const printed = await openssl('pkcs7 -inform DER -in bag.der -print_certs', { 'bag.der': await bag() });
    const pems = printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
    const certificates = pems.map((pem) => new X509Certificate(pem));
    const roots = certificates.filter((certificate) => certificate.verify(certificate.publicKey));
    const [newest] = roots.toSorted((a, b) => b.validToDate.getTime() - a.validToDate.getTime());
    expect(newest?.fingerprint256).toBe(new X509Certificate(gateway.trustAnchor).fingerprint256);
    const device = await enrolDevice(gateway, 'c-05');
    const files = {
      'root.pem': newest?.toString() ?? '',
      'others.pem': pems.join(''),
      'leaf.pem': device.cert,
    };
    const verified = await openssl(
      'verify -x509_strict -CAfile root.pem -untrusted others.pem leaf.pem',
      files,
    );
    expect(verified).toContain('OK');
  });
});

describe('how it is answered', () => {
  it('H-16 never redirects a POST', async () => {
    const csr = await plainCsr('h-16', await generateKeyPair('P-256'));
    for (const path of ['simpleenroll/', '/simpleenroll', 'est/simpleenroll/', 'SIMPLEENROLL', '']) {
      const options = { ca: gateway.trustAnchor, ...enrolment(csr, { Authorization: basic }) };
      const answer = await send(`${gateway.url}/${path}`, options);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers.location).toBeUndefined();
    }
  });

  it('E-23 S-42 records a decision with both identities, and under the id that the text shows', async () => {
    const device = await enrolDevice(gateway, 'e-23');
    const post = async (commonName: string): Promise<Answer> =>
      await send(`${gateway.url}/both/simpleenroll`, {
        ...{ ca: gateway.trustAnchor, key: device.key, cert: device.cert },
        ...enrolment(await plainCsr(commonName, await generateKeyPair('P-256')), { Authorization: basic }),
      });
    const line = (requestId: string | undefined) =>
      gateway.log.entries.find(
        ({ message, fields }) => message === 'request' && fields['requestId'] === requestId,
      );
    expect(await post('e-23')).toMatchObject({ status: 200 });
    const [granted] = await gateway.store.enrollments.list(1);
    expect(granted?.identity).toMatch(/^both\/user:device\+certificate:[0-9a-f]{64}$/);
    expect(line(granted?.requestId)?.fields).toMatchObject({
      ...{ identity: 'device with CN=e-23', subject: 'CN=e-23', alias: 'both', outcome: 'ok' },
      serialNumber: granted?.serialNumber,
    });
    const refused = await post('*'.repeat(65));
    expect(refused.status).toBe(400);
    const requestId = /\(request ([0-9a-f-]{36})\)/.exec(refused.body)?.[1];
    expect(line(requestId)?.fields).toMatchObject({
      ...{ identity: 'device with CN=e-23', status: 400, outcome: 'bad_certification_request' },
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchangeRaw, send, type Answer } from '../support/client.ts';
import { csrOf, wishesOf, type Wishes } from '../support/csr-attributes-client.ts';
import {
  certificationRequest,
  generateKeyPair,
  id,
  name,
  objectIdentifier,
  opensslCsr,
  sequence,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { basic, certificateOf, enrolDevice, enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

const filledIn = {
  keys: ['P-384', 'P-256'],
  required: {
    subject: { commonName: null, organizationalUnitName: ['myDept', 'myGroup'] },
    subjectAltName: { dNSName: 'www.myserver.example', iPAddress: null },
    keyUsage: ['digitalSignature', 'keyAgreement'],
    extensions: { extendedKeyUsage: null },
  },
};

/** The same CA as that of the other aliases, with a profile that grants what the template demands. */
const agreeing = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { device: { keyUsage: ['digitalSignature', 'keyAgreement'] } },
};

/** A subjectAltName with the AcpNodeName of RFC 8994, section 6.2.2. */
const acpNode = sequence(
  tlv(
    0xa0,
    objectIdentifier('1.3.6.1.5.5.7.8.10'),
    tlv(0xa0, tlv(0x16, Buffer.from('rfc8994+fd739fc23c3440112233445500000000+@acp.example.com'))),
  ),
);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    backends: { agreeing },
    aliases: {
      curve: { policy: { keys: ['P-384'] } },
      size: { policy: { keys: ['RSA-3072'], signatureAlgorithms: ['sha384WithRSAEncryption'] } },
      template: { backend: 'agreeing', policy: filledIn },
      first: { backend: 'agreeing' },
      acp: {
        policy: {
          subjectAltName: ['otherName'],
          required: { extensions: { subjectAltName: acpNode.toString('base64') } },
        },
      },
      named: { policy: { required: { subjectAltName: { dNSName: null } } } },
      certificate: { authentication: 'clientCertificate', policy: { keys: ['P-384'] } },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
});

async function csrattrs(alias: string, options: object = {}): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/csrattrs`, { ca: gateway.trustAnchor, ...options });
}

const derOf = ({ body }: Answer): Buffer => Buffer.from(body, 'base64');

async function asn1Of(answer: Answer): Promise<string> {
  return await openssl('asn1parse -inform DER -in answer.der', { 'answer.der': derOf(answer) });
}

async function enrol(alias: string, csr: Buffer): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...enrolment(csr, { Authorization: basic }),
  });
}

describe('GET /csrattrs (RFC 7030, section 4.5)', () => {
  it('Q-01 Q-02 Q-05 B-01 H-09 answers anybody with base64 of DER', async () => {
    const answer = await csrattrs('certificate');
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/csrattrs', 'content-transfer-encoding': 'base64' },
    });
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
    const text = await asn1Of(answer);
    expect(text).toMatch(/^ *0:d=0 .* SEQUENCE/);
    expect(text).toContain(':id-ecPublicKey');
  });

  it('Q-03 Q-04 answers 204 without body and type when nothing is demanded', async () => {
    const request = 'GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    const answer = await exchangeRaw({ port: gateway.port, ca: gateway.trustAnchor }, request);
    expect(answer).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
    expect(answer).not.toMatch(/content-type|content-length|transfer-encoding/i);
    expect(answer).toMatch(/\r\n\r\n$/);
  });

  it('leaves a connection usable after a 204', async () => {
    const get = (close: string): string =>
      `GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`;
    const options = { port: gateway.port, ca: gateway.trustAnchor };
    const answers = await exchangeRaw(options, get('') + get('Connection: close\r\n'));
    expect(answers.match(/HTTP\/1\.1 204 /g)).toHaveLength(2);
  });

  it('Q-06 Q-09 Q-12 Q-20 says what the alias demands, each alias its own', async () => {
    const curve = await asn1Of(await csrattrs('curve'));
    expect(curve).toContain(':secp384r1');
    const size = await asn1Of(await csrattrs('size'));
    expect(size).toMatch(/:rsaEncryption\n.*SET.*\n.*INTEGER +:0C00\n/);
    expect(size).toMatch(/d=1 .*:sha384WithRSAEncryption\n/);
    // Each element is an object identifier or an attribute.
    expect(size.match(/d=1 .*/g)?.every((line) => /OBJECT|SEQUENCE/.test(line))).toBe(true);
  });

  it('Q-12 says the same to a stranger and to a device, whatever the credentials', async () => {
    const { key, cert } = await enrolDevice(gateway, 'q-12');
    const { body } = await csrattrs('curve');
    expect(await csrattrs('curve', { key, cert })).toMatchObject({ status: 200, body });
    expect(await csrattrs('curve', { headers: { Authorization: 'Basic d3Jvbmc6d3Jvbmc=' } })).toMatchObject({
      body,
    });
  });
});

describe('a CSR made from csrattrs', () => {
  it('Q-08 Q-35 Q-36 O-11 O-12 passes, and each deviation from it does not', async () => {
    const wishes = wishesOf(derOf(await csrattrs('template')), true);
    expect(wishes.key).toBe('P-384');
    expect(await enrol('template', await csrOf(wishes))).toMatchObject({ status: 200 });
    const [first, ...otherExtensions] = wishes.extensions;
    const [commonName, ...units] = wishes.subject;
    const deviations: readonly Wishes[] = [
      { ...wishes, key: 'RSA-2048' },
      { ...wishes, extensions: otherExtensions },
      { ...wishes, extensions: first === undefined ? [] : [first] },
      { ...wishes, subject: units },
      { ...wishes, subject: commonName === undefined ? [] : [commonName, ...units, ...units.slice(0, 1)] },
      { ...wishes, subject: wishes.subject.map(([type]) => [type, utf8String('other')] as const) },
    ];
    for (const deviation of deviations) {
      expect(await enrol('template', await csrOf(deviation))).toMatchObject({ status: 403 });
    }
  });

  it('Q-11 O-12 without the subjectAltName that is demanded is refused, and told why', async () => {
    const without = await plainCsr('q-11', await generateKeyPair('P-256'));
    const answer = await enrol('named', without);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.body).toContain('The subjectAltName must hold a name of the type dNSName.');
    const wishes = wishesOf(derOf(await csrattrs('named')), false);
    expect(await enrol('named', await csrOf({ ...wishes, subject: [] }))).toMatchObject({ status: 200 });
  });

  it('O-13 gives an otherName, which a device of the ACP copies', async () => {
    const wishes = wishesOf(derOf(await csrattrs('acp')), false);
    expect(wishes.extensions).toEqual([[id.subjectAltName, acpNode]]);
    const answer = await enrol('acp', await csrOf(wishes));
    expect(answer).toMatchObject({ status: 200 });
    const files = { 'certificate.pem': await certificateOf(answer) };
    expect(await openssl('x509 -in certificate.pem -noout -ext subjectAltName', files)).toContain(
      'othername',
    );
    const other = acpNode.toString('latin1').replace('fd73', 'fd74');
    const changed = { ...wishes, extensions: [[id.subjectAltName, Buffer.from(other, 'latin1')] as const] };
    expect(await enrol('acp', await csrOf(changed))).toMatchObject({ status: 403 });
  });

  it('Q-06 Q-08 passes when openssl makes it', async () => {
    const p384 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
    expect(await enrol('curve', await opensslCsr(...p384))).toMatchObject({ status: 200 });
    const rsa = ['-newkey', 'rsa:3072', '-sha384'];
    expect(await enrol('size', await opensslCsr(...rsa))).toMatchObject({ status: 200 });
    const full = [
      ...p384,
      ...['-subj', '/CN=device/OU=myGroup/OU=myDept'],
      ...['-addext', 'subjectAltName=IP:2001:db8::1,DNS:WWW.myserver.example'],
      ...['-addext', 'keyUsage=keyAgreement,digitalSignature', '-addext', 'extendedKeyUsage=clientAuth'],
    ];
    expect(await enrol('template', await opensslCsr(...full))).toMatchObject({ status: 200 });
  });

  it.each([
    [
      'another curve',
      'curve',
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      'kinds of keys: P-384.',
    ],
    ['another length', 'size', ['-newkey', 'rsa:2048', '-sha384'], 'kinds of keys: RSA-3072.'],
    [
      'another hash',
      'size',
      ['-newkey', 'rsa:3072', '-sha256'],
      'signatures of a CSR: sha384WithRSAEncryption.',
    ],
  ])('Q-06 Q-36 with %s is refused, and told what is accepted', async (_what, alias, words, told) => {
    const answer = await enrol(alias, await opensslCsr(...words));
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.body).toContain(told);
  });

  it('lets a device renew under its old names, whatever names a first certificate must have by now', async () => {
    const { commonName, keyPair, key, cert } = await enrolDevice(gateway, 'renewing', 'first');
    const csr = await certificationRequest({
      key: keyPair,
      subject: name([id.commonName, utf8String(commonName)]),
      extensions: [
        sequence(objectIdentifier(id.keyUsage), Buffer.from('0404030203' + '88', 'hex')),
        sequence(objectIdentifier(id.extendedKeyUsage), Buffer.from('040c300a06082b06010505070302', 'hex')),
      ],
    });
    const renew = (body: Buffer): Promise<Answer> =>
      send(`${gateway.url}/template/simplereenroll`, {
        ca: gateway.trustAnchor,
        key,
        cert,
        ...enrolment(body),
      });
    expect(await renew(csr)).toMatchObject({ status: 200 });
    expect(await renew(await plainCsr(commonName, keyPair))).toMatchObject({ status: 403 });
  });
});

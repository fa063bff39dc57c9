/** The CSRs of the vectors V-07 to V-34 that are refused, as a table. */
import { checkPrimeSync, randomBytes } from 'node:crypto';
import { send } from '../support/client.ts';
import {
  attribute,
  bitString,
  certificationRequest,
  extension,
  extensionRequest,
  generalName,
  generateKeyPair,
  id,
  integer,
  keyPair,
  name,
  null_,
  objectIdentifier,
  octetString,
  opensslCsr,
  rsaSpki,
  sequence,
  set,
  spki,
  subjectAltName,
  tlv,
  true_,
  utf8String,
} from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import type { TestGateway } from '../support/gateway.ts';

const subject = (text: string): Buffer => name([id.commonName, utf8String(text)]);
const dns = (text: string): Buffer => generalName(2, text);
const request = (extensions: readonly Buffer[]): Promise<Buffer> =>
  certificationRequest({ subject: subject('device'), extensions });
const withKey = async (kind: Parameters<typeof keyPair>[0]): Promise<Buffer> =>
  await certificationRequest({ key: await keyPair(kind), subject: subject('device') });
const purpose = (oid: string): Buffer => extension(id.extendedKeyUsage, sequence(objectIdentifier(oid)));
const rsaKeyWith = (modulus: bigint, exponent: bigint): Promise<Buffer> =>
  certificationRequest({ spki: rsaSpki(modulus, exponent) });
const oddModulus = (1n << 2047n) + 1n;
const withOctets = (algorithm: Buffer, point: Buffer): Promise<Buffer> =>
  certificationRequest({ spki: spki(algorithm, point) });
const ecKey = (curve: string): Buffer =>
  sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier(curve));
const p256 = ecKey('1.2.840.10045.3.1.7');
const withAttribute = (oid: string): Promise<Buffer> =>
  certificationRequest({ attributes: [attribute(oid, sequence())] });
const mlKem768 = sequence(objectIdentifier('2.16.840.1.101.3.4.4.2'));
const composite = sequence(objectIdentifier('1.3.6.1.5.5.7.6.45'));
const mlDsa44 = objectIdentifier('2.16.840.1.101.3.4.3.17');

/** A modulus of 2048 bits that is a power of 65537 modulo every small prime, as those of ROCA are. */
function rocaModulus(): bigint {
  const isPrime = (candidate: number): boolean => checkPrimeSync(BigInt(candidate));
  const primes = Array.from({ length: 750 }, (_, i) => i + 2).filter(isPrime);
  const primorial = primes.reduce((product, prime) => product * BigInt(prime), 1n);
  return ((1n << 2047n) / primorial + 1n) * primorial + (65537n ** 91n % primorial);
}

/** The vector's name, what is sent in base64, the status that it gets, and its DER, or what should have been it. */
export type Vector = readonly [
  id: string,
  what: string,
  status: number,
  der: (gateway: TestGateway) => Promise<Buffer> | Buffer,
];

/** CSRs, and what is none, that every alias refuses. */
export const refusedRequests: readonly Vector[] = [
  [
    'V-07',
    'a truncated CSR',
    400,
    async () => (await plainCsr('device', await keyPair('P-256'))).subarray(0, -1),
  ],
  [
    'V-08',
    'two CSRs in a row',
    400,
    async () => {
      const der = await plainCsr('device', await keyPair('P-256'));
      return Buffer.concat([der, der]);
    },
  ],
  ['V-10', 'version 1', 400, () => certificationRequest({ version: integer(1n) })],
  ['V-10', 'version -1', 400, () => certificationRequest({ version: tlv(0x02, Buffer.of(0xff)) })],
  [
    'V-11',
    'a flipped bit in the signature',
    400,
    async () => {
      const der = Buffer.from(await plainCsr('device', await keyPair('P-256')));
      der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
      return der;
    },
  ],
  [
    'V-12',
    'the signature of another key',
    400,
    async () => certificationRequest({ signWith: (await generateKeyPair('P-256')).privateKey }),
  ],
  ['V-13', 'a SHA-1 signature', 400, () => opensslCsr('-newkey', 'rsa:2048', '-sha1')],
  ['V-13', 'an MD5 signature', 400, () => opensslCsr('-newkey', 'rsa:2048', '-md5')],
  [
    'V-13',
    'an RSA key with an algorithm of EC',
    400,
    async () =>
      certificationRequest({
        key: await keyPair('RSA-2048'),
        signatureAlgorithm: sequence(objectIdentifier('1.2.840.10045.4.3.2')),
      }),
  ],
  [
    'V-14',
    'the same extension twice',
    400,
    () => request([subjectAltName(dns('a.example')), subjectAltName(dns('b.example'))]),
  ],
  [
    'V-15',
    'two extensionRequest attributes',
    400,
    () =>
      certificationRequest({
        attributes: [extensionRequest(subjectAltName(dns('a.example')))],
        extensions: [subjectAltName(dns('b.example'))],
      }),
  ],
  [
    'V-16',
    'an extensionRequest without a value',
    400,
    () => certificationRequest({ attributes: [attribute(id.extensionRequest)] }),
  ],
  [
    'V-15',
    "Microsoft's twin with another subjectAltName",
    400,
    () =>
      certificationRequest({
        attributes: [attribute(id.microsoftExtensionRequest, sequence(subjectAltName(dns('a.example'))))],
        extensions: [subjectAltName(dns('b.example'))],
      }),
  ],
  [
    'V-16',
    'an extensionRequest with two values',
    400,
    () =>
      certificationRequest({
        attributes: [
          attribute(
            id.extensionRequest,
            sequence(subjectAltName(dns('a.example'))),
            sequence(subjectAltName(dns('b.example'))),
          ),
        ],
      }),
  ],
  ['V-17', 'CA:TRUE', 403, () => request([extension(id.basicConstraints, sequence(true_), true)])],
  ['V-17', 'keyCertSign', 403, () => request([extension(id.keyUsage, bitString(Buffer.of(0x04), 2), true)])],
  ['V-18', 'id-kp-cmcRA', 403, () => request([purpose('1.3.6.1.5.5.7.3.28')])],
  ['V-18', 'anyExtendedKeyUsage', 403, () => request([purpose('2.5.29.37.0')])],
  ['V-18', 'OCSPSigning', 403, () => request([purpose('1.3.6.1.5.5.7.3.9')])],
  ['V-19 S-19', 'a wildcard', 403, () => request([subjectAltName(dns('*.example'))])],
  [
    'V-19 S-19',
    'a wildcard as commonName',
    403,
    () => certificationRequest({ subject: subject('*.example') }),
  ],
  ['V-19 S-19', 'the address 0.0.0.0', 403, () => request([subjectAltName(generalName(7, Buffer.alloc(4)))])],
  [
    'V-19 S-19',
    'the address ::ffff:0.0.0.0',
    403,
    () => request([subjectAltName(generalName(7, Buffer.from('00000000000000000000ffff00000000', 'hex')))]),
  ],
  ['V-19 S-19', 'a dNSName with NUL', 400, () => request([subjectAltName(dns('a\0.example'))])],
  ['V-19 S-19', 'a dNSName with a space', 400, () => request([subjectAltName(dns('a b.example'))])],
  [
    'V-19 S-19',
    'a type of name that the alias does not copy',
    403,
    () => request([subjectAltName(generalName(6, 'https://a.example/'))]),
  ],
  ['S-19', 'an rfc822Name', 403, () => request([subjectAltName(generalName(1, 'root@a.example'))])],
  [
    'S-19',
    'a user principal name',
    403,
    () =>
      request([
        subjectAltName(
          tlv(0xa0, objectIdentifier('1.3.6.1.4.1.311.20.2.3'), tlv(0xa0, utf8String('admin@a.example'))),
        ),
      ]),
  ],
  ['S-19', 'a dNSName with an empty label', 400, () => request([subjectAltName(dns('a..example'))])],
  ['S-19', 'a dNSName that is not ASCII', 400, () => request([subjectAltName(dns('b\u00fccher.example'))])],
  [
    'S-19',
    'a dNSName of 64 letters in a label',
    400,
    () => request([subjectAltName(dns(`${'a'.repeat(64)}.example`))]),
  ],
  [
    'S-10',
    'a dNSName that is long and wrong at its end',
    400,
    () => request([subjectAltName(dns(`${'a.'.repeat(20_000)}!`))]),
  ],
  ['V-20', 'RSA of 512 bits', 400, () => withKey('RSA-512')],
  ['V-20', 'RSA of 1024 bits', 400, () => withKey('RSA-1024')],
  ['V-20', 'RSA of 2047 bits', 400, () => rsaKeyWith((1n << 2046n) + 1n, 65537n)],
  ['V-20', 'RSA of 16384 bits', 400, () => rsaKeyWith((1n << 16383n) + 1n, 65537n)],
  ['V-21', 'e = 1', 400, () => rsaKeyWith(oddModulus, 1n)],
  ['V-21', 'e = 2', 400, () => rsaKeyWith(oddModulus, 2n)],
  ['V-21', 'e = 65536', 400, () => rsaKeyWith(oddModulus, 65536n)],
  ['V-21', 'e of 1600 bits', 400, () => rsaKeyWith(oddModulus, (1n << 1599n) + 1n)],
  ['V-21', 'an even modulus', 400, () => rsaKeyWith(1n << 2047n, 65537n)],
  [
    'V-22',
    'a point off the curve',
    400,
    () => withOctets(p256, Buffer.concat([Buffer.of(4), Buffer.alloc(63), Buffer.of(1)])),
  ],
  ['V-22', 'the point at infinity', 400, () => withOctets(p256, Buffer.of(0))],
  [
    'V-22',
    'explicit curve parameters',
    400,
    () => withOctets(sequence(objectIdentifier('1.2.840.10045.2.1'), sequence(integer(1n))), randomBytes(65)),
  ],
  ['V-22', 'an unknown curve', 400, () => withOctets(ecKey('1.2.3.4'), randomBytes(65))],
  ['V-22', 'P-192', 400, () => withKey('P-192')],
  ['V-22', 'secp256k1', 400, () => withKey('secp256k1')],
  ['V-23', 'a key with the fingerprint of ROCA', 403, () => rsaKeyWith(rocaModulus(), 65537n)],
  [
    'V-25',
    'TRUE as 01',
    400,
    () => request([extension(id.basicConstraints, sequence(tlv(0x01, Buffer.of(1))))]),
  ],
  [
    'V-25',
    'a constructed OCTET STRING',
    400,
    () =>
      request([
        sequence(objectIdentifier(id.subjectAltName), tlv(0x24, octetString(sequence(dns('a.example'))))),
      ]),
  ],
  [
    'V-25',
    'indefinite length',
    400,
    async () => {
      const der = await plainCsr('device', await keyPair('P-256'));
      return Buffer.concat([
        Buffer.of(0x30, 0x80),
        der.subarray(der.readUInt8(1) > 0x81 ? 4 : 3),
        Buffer.alloc(2),
      ]);
    },
  ],
  [
    'V-25',
    'a length that is not minimal',
    400,
    () => Buffer.of(0x30, 0x81, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00),
  ],
  ['V-26', 'ten thousand nested values', 400, () => Buffer.alloc(20_000, Buffer.of(0x30, 0x80))],
  ['V-26', 'a length of 4 GiB', 400, () => Buffer.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00)],
  [
    'V-27',
    'an object identifier of 40 KB',
    400,
    () =>
      certificationRequest({
        subject: sequence(
          set(sequence(tlv(0x06, Buffer.alloc(40_000, 0x81), Buffer.of(1)), utf8String('x'))),
        ),
      }),
  ],
  [
    'V-27',
    'a serialNumber of 40 KB',
    400,
    () => certificationRequest({ subject: name(['2.5.4.5', tlv(0x13, Buffer.alloc(40_000, 0x41))]) }),
  ],
  [
    'V-27',
    'six thousand names',
    400,
    () => request([subjectAltName(...Array.from({ length: 6000 }, () => dns('a.b')))]),
  ],
  [
    'V-28',
    'a challengePassword that is no channel binding',
    400,
    () => certificationRequest({ attributes: [attribute(id.challengePassword, utf8String('hunter2'))] }),
  ],
  ['V-29', 'neither subject nor subjectAltName', 400, () => certificationRequest({ subject: sequence() })],
  [
    'V-30 S-20',
    'a CN with CR LF',
    400,
    () => certificationRequest({ subject: subject('a\r\n{"level":"error"}') }),
  ],
  ['V-30 S-20', 'a CN with NUL', 400, () => certificationRequest({ subject: subject('a\0b') })],
  ['V-30 S-20', 'a CN of 10 KB', 400, () => certificationRequest({ subject: subject('a'.repeat(10_000)) })],
  ['V-30 S-20', 'a CN with <script>', 400, () => certificationRequest({ subject: subject('<script>') })],
  [
    'V-30 S-20',
    'a BMPString with LF',
    400,
    () => certificationRequest({ subject: name([id.commonName, tlv(0x1e, Buffer.from('0041000a', 'hex'))]) }),
  ],
  [
    'S-20',
    'two common names',
    400,
    () =>
      certificationRequest({
        subject: name([id.commonName, utf8String('device')], [id.commonName, utf8String('other')]),
      }),
  ],
  ['S-20', 'an empty CN', 400, () => certificationRequest({ subject: subject('') })],
  [
    'S-20',
    'a CN that is written from right to left',
    400,
    () => certificationRequest({ subject: subject('a\u202eb') }),
  ],
  ['V-31', 'an ML-DSA key that is too short', 400, () => withOctets(sequence(mlDsa44), randomBytes(1311))],
  [
    'V-31',
    'an ML-DSA key with NULL parameters',
    400,
    () => withOctets(sequence(mlDsa44, null_), randomBytes(1312)),
  ],
  ['PQ-06', 'a key of ML-KEM, which cannot sign', 400, () => withOctets(mlKem768, randomBytes(1184))],
  ['PQ-10', 'a composite key of ML-DSA and ECDSA', 400, () => withOctets(composite, randomBytes(1400))],
  ['PQ-07', 'a statement of possession by another key', 400, () => withAttribute('1.3.6.1.4.1.22112.2.1')],
  ['PQ-08 S-08', 'a related certificate', 400, () => withAttribute('1.2.840.113549.1.9.16.2.60')],
  ['PQ-09', 'a delta certificate', 400, () => withAttribute('2.16.840.1.114027.80.6.2')],
  ['V-33', 'an unknown critical extension', 400, () => request([extension('1.2.3.4.5', null_, true)])],
  [
    'V-34',
    'a certificate',
    400,
    ({ issuingCertificate }) => Buffer.from(issuingCertificate.replace(/-----[^-]+-----|\n/g, ''), 'base64'),
  ],
  [
    'V-34',
    'a private key',
    400,
    async () => (await keyPair('P-256')).privateKey.export({ type: 'pkcs8', format: 'der' }),
  ],
  [
    'V-34',
    'a CRL',
    400,
    async ({ httpUrl }) => Buffer.from(await (await fetch(`${httpUrl}/crl/local.crl`)).arrayBuffer()),
  ],
  [
    'V-34',
    'a certs-only message',
    400,
    async ({ url, trustAnchor: ca }) => Buffer.from((await send(`${url}/cacerts`, { ca })).body, 'base64'),
  ],
  ['V-34', 'an OCTET STRING', 400, () => octetString(randomBytes(200))],
  ['S-18', 'name constraints', 403, () => request([extension('2.5.29.30', sequence())])],
  [
    'S-18',
    'a Microsoft template',
    403,
    () => request([extension('1.3.6.1.4.1.311.20.2', utf8String('SubCA'))]),
  ],
  [
    'E-11 R-06 R-10',
    'ChangeSubjectName',
    403,
    () => certificationRequest({ attributes: [attribute(id.changeSubjectName, sequence(subject('other')))] }),
  ],
];

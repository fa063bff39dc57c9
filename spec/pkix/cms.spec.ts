import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { certsOnly } from '../../src/pkix/cms.ts';
import { openssl } from '../support/openssl.ts';

describe('A certs-only message (RFC 5652, section 5; RFC 5272, section 4.1)', () => {
  let certificates: readonly Buffer[];
  let message: Buffer;
  let lines: readonly string[];

  beforeAll(async () => {
    const config = '[req]\ndistinguished_name=dn\n[dn]\n';
    const make = async (name: string): Promise<string> =>
      await openssl(
        `req -x509 -config req.cnf -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=${name} -days 2`,
        {
          'req.cnf': config,
        },
      );
    const pems = await Promise.all(['one', 'a-second-one', 'three'].map(make));
    certificates = pems.flatMap((pem) => certificatesFromPem(pem)).map(({ der }) => der);
    message = certsOnly(certificates);
    lines = (await openssl('asn1parse -inform DER -in message.p7', { 'message.p7': message })).split('\n');
  });

  /** What openssl calls the elements from the ContentInfo to the third level, with their lengths. */
  function elements(depth: number): readonly string[] {
    return lines.flatMap((line) => {
      const [, d, length, element = ''] = /d=(\d+) +hl=\d+ l= *(\d+) +(?:cons|prim): +(.*)/.exec(line) ?? [];
      return Number(d) === depth ? [`${element.trim()} ${length ?? ''}`] : [];
    });
  }

  it('is read by openssl, with every certificate', async () => {
    const printed = await openssl('pkcs7 -inform DER -in message.p7 -print_certs', { 'message.p7': message });
    expect(
      certificatesFromPem(printed)
        .map(({ sha256 }) => sha256)
        .sort(),
    ).toEqual(
      certificates
        .flatMap((der) => certificatesFromPem(pemOf(der)))
        .map(({ sha256 }) => sha256)
        .sort(),
    );
  });

  it('M-14 is wrapped in a ContentInfo of the type signedData', () => {
    expect(elements(1)).toEqual([
      'OBJECT            :pkcs7-signedData 9',
      expect.stringMatching(/^cont \[ 0 \]/),
    ]);
  });

  it('M-09 to M-13 has version 1, no digest algorithms, certificates, no CRLs and no signers', () => {
    expect(elements(3)).toEqual([
      'INTEGER           :01 1',
      'SET 0',
      'SEQUENCE 11',
      expect.stringMatching(/^cont \[ 0 \]/),
      'SET 0',
    ]);
  });

  it('M-11 leaves eContent absent', () => {
    expect(message.includes(Buffer.from('310030' + '0b06092a864886f70d010701' + 'a0', 'hex'))).toBe(true);
  });

  it('M-08 has definite lengths and a sorted CertificateSet, whatever the order given', async () => {
    const sorted = [...certificates].sort((left, right) => Buffer.compare(left, right));
    expect(message.includes(Buffer.concat(sorted))).toBe(true);
    expect(certsOnly([...certificates].reverse())).toEqual(message);
    const encodedAgain = await openssl('pkcs7 -inform DER -in message.p7', { 'message.p7': message });
    expect(encodedAgain.replaceAll(/-----.*-----|\n/g, '')).toBe(message.toString('base64'));
    expect(lines.join('\n')).not.toContain('l=inf');
  });

  function pemOf(der: Buffer): string {
    return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
  }
});

import { describe, expect, it } from '@jest/globals';
import { readIssuedCertificate } from '../../src/est/issued-certificate.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import { certificate, certificateDer, named } from '../support/certificate.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  sequence,
  subjectAltName,
} from '../support/csr.ts';

describe('readIssuedCertificate()', () => {
  it('E-21 R-06 takes only the new names where ChangeSubjectName asked for them', async () => {
    const key = await generateKeyPair('P-256');
    const names = sequence(named('new'), sequence(generalName(2, 'new.example')));
    const attributes = [attribute(id.changeSubjectName, names)];
    const csr = readCertificationRequest(
      await certificationRequest({ key, subject: named('old'), attributes }),
    );
    const ca = await certificate({ subject: named('ca') });
    const issuedFor = async (subject: string, host: string): Promise<Buffer> =>
      await certificateDer({
        subject: named(subject),
        issuer: named('ca'),
        key,
        extensions: [subjectAltName(generalName(2, host))],
      });
    const read = (der: Buffer): unknown => readIssuedCertificate(der, csr, [ca], new Date());
    expect(read(await issuedFor('new', 'new.example'))).toBeDefined();
    for (const [subject, host] of [
      ['old', 'new.example'],
      ['new', 'old.example'],
    ] as const) {
      const der = await issuedFor(subject, host);
      expect(() => read(der)).toThrow('it does not have the names that ChangeSubjectName asks for');
    }
  });
});

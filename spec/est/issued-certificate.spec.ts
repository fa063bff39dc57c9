import { describe, expect, it } from '@jest/globals';
import { compareIssuedCertificate } from '../../src/est/issued-certificate.ts';
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

describe('compareIssuedCertificate()', () => {
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
    const approved = {
      csr,
      names: csr.changeSubjectName ?? { subject: csr.subject, subjectAltName: [] },
      allowedChanges: ['replacedSubject', 'replacedSubjectAltNames'] as const,
      registeredChanges: [],
    };
    const compare = (der: Buffer): unknown => compareIssuedCertificate(der, approved, [ca], new Date());
    expect(compare(await issuedFor('new', 'new.example'))).toMatchObject({ state: 'as_approved' });
    for (const [subject, host] of [
      ['old', 'new.example'],
      ['new', 'old.example'],
    ] as const) {
      const der = await issuedFor(subject, host);
      expect(compare(der)).toMatchObject({
        state: 'other',
        reason: 'it does not have the names that ChangeSubjectName asks for',
      });
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { DerError } from '../../src/pkix/der.ts';
import { x509Of } from '../../src/pkix/x509.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { extension, tlv } from '../support/csr.ts';

describe('x509Of', () => {
  it('gives the certificate that is meant', async () => {
    const der = await certificateDer({ subject: named('device') });
    expect(x509Of(der).subject).toBe('CN=device');
  });

  it('refuses a certificate with another one inside, which Node takes for it', async () => {
    const other = certificateToPem(await certificateDer({ subject: named('other') }));
    const inside = extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.from(`\n${other}`)));
    const der = await certificateDer({ subject: named('device'), extensions: [inside] });
    expect(new X509Certificate(der).subject).toBe('CN=other');
    expect(() => x509Of(der)).toThrow(DerError);
  });

  it('refuses what is no certificate', () => {
    expect(() => x509Of(Buffer.from('3000', 'hex'))).toThrow(DerError);
  });
});

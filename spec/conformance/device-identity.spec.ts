import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { describeWith } from '../support/programs.ts';
import { openVendor, type Vendor, type VendorDevice } from '../support/vendor.ts';

/** A HardwareModuleName (RFC 4108, section 5) in a critical subjectAltName, and no purposes. */
const deviceIdentity = `keyUsage=critical,digitalSignature
subjectAltName=critical,otherName:1.3.6.1.5.5.7.8.4;SEQ:module
[module]
hwType=OID:1.3.6.1.4.1.99999.1
hwSerialNum=FORMAT:HEX,OCTETSTRING:0102030405`;

describeWith('openssl', 'device identities of IEEE 802.1AR', () => {
  let vendor: Vendor;
  let gateway: TestGateway;

  beforeAll(async () => {
    vendor = await openVendor();
    const implicitTrustAnchors = [vendor.file('both.pem')];
    const authentication = 'clientCertificate';
    gateway = await startTestGateway({
      aliases: {
        vendor: { authentication, implicitTrustAnchors },
        policy: { authentication, implicitTrustAnchors, implicitCertificatePolicies: ['1.2.3.4'] },
        other: { authentication, implicitTrustAnchors, implicitCertificatePolicies: ['1.2.3.5'] },
        none: { authentication },
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await vendor.remove();
  });

  it('T-13 T-15 E-13 enrol by a certificate that never ends and names a module of hardware', async () => {
    const { key, cert } = await vendor.issue('device', deviceIdentity, '-enddate 99991231235959Z');
    const text = await openssl('x509 -in device.pem -noout -text', { 'device.pem': cert });
    expect(text).toMatch(/Not After : Dec 31 23:59:59 9999 GMT/);
    expect(text).toContain('othername: 1.3.6.1.5.5.7.8.4');
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    const enrol = async (path: string): Promise<number> =>
      (await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, key, cert, ...enrolment(csr) }))
        .status;
    expect(await enrol('vendor/simpleenroll')).toBe(200);
    expect(await enrol('vendor/simplereenroll')).toBe(403);
    expect(await enrol('none/simpleenroll')).toBe(403);
  });

  it('T-13 T-14 are held to the certificate policies that the alias demands of vendors', async () => {
    const ca = 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash';
    const under = (policy: string): string => `certificatePolicies=${policy}`;
    await vendor.issue(
      'policy-ca',
      `${ca}\n${under('1.2.3.4')}`,
      "-subj '/CN=Policy CA' -preserveDN",
      'root',
    );
    await vendor.bash('cat policy-ca.pem >> both.pem');
    await gateway.restart();
    const by = '-cert policy-ca.pem -keyfile policy-ca.key';
    const [with1234, without] = [
      await vendor.issue('with-policy', under('1.2.3.4'), by),
      await vendor.issue('without-policy', 'keyUsage=digitalSignature', by),
    ];
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    const enrol = async (alias: string, { key, cert }: VendorDevice): Promise<number> =>
      (
        await send(`${gateway.url}/${alias}/simpleenroll`, {
          ca: gateway.trustAnchor,
          key,
          cert,
          ...enrolment(csr),
        })
      ).status;
    expect(await enrol('policy', with1234)).toBe(200);
    expect(await enrol('policy', without)).toBe(403);
    expect(await enrol('other', with1234)).toBe(403);
    expect(await enrol('vendor', without)).toBe(200);
  });
});

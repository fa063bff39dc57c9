import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { caCertificateBag } from '../../src/pkix/chain.ts';
import { newKey, opensslCertificate, type OpensslCa } from '../ca/local/openssl-ca.ts';

describe('caCertificateBag (RFC 7030, section 4.1.3)', () => {
  let root: OpensslCa;
  let issuing: OpensslCa;
  let chain: readonly Certificate[];
  const read = (...cas: readonly OpensslCa[]): readonly Certificate[] =>
    cas.flatMap(({ certificate }) => certificatesFromPem(certificate));

  beforeAll(async () => {
    root = await opensslCertificate({ key: newKey.p256(), name: 'Root', days: 3650 });
    issuing = await opensslCertificate({ key: newKey.p256(), name: 'Issuing', issuer: root });
    chain = read(issuing, root);
  });

  it('C-06 takes a retired root and the certificates that lead from one root to the other', async () => {
    const oldRoot = await opensslCertificate({ key: newKey.p256(), name: 'Root', days: 365 });
    const oldWithNew = await opensslCertificate({ key: oldRoot.key, name: 'Root', issuer: root, days: 365 });
    const newWithOld = await opensslCertificate({ key: root.key, name: 'Root', issuer: oldRoot, days: 365 });
    const additional = read(oldRoot, oldWithNew, newWithOld);
    expect(caCertificateBag(chain, additional)).toEqual([...chain, ...additional]);
  });

  it('C-07 refuses a retired root that outlives the current one', async () => {
    const lasting = await opensslCertificate({ key: newKey.p256(), name: 'Old-root', days: 7300 });
    expect(() => caCertificateBag(chain, read(lasting))).toThrow(
      'additionalCaCertificates: the retired root CN=Old-root,O=Acme must end before the current root',
    );
  });

  it('C-08 refuses a bag without a root, and takes the root that the CA leaves out', () => {
    expect(() => caCertificateBag(read(issuing), [])).toThrow('no self-signed root; add the root here');
    expect(caCertificateBag(read(issuing), read(root))).toHaveLength(2);
  });

  it('C-12 refuses a certificate that nobody in the bag signed', async () => {
    const stranger = await opensslCertificate({ key: newKey.p256(), name: 'Stranger' });
    const below = await opensslCertificate({ key: newKey.p256(), name: 'Below', issuer: stranger });
    expect(() => caCertificateBag(chain, read(below))).toThrow('has signed CN=Below,O=Acme.');
  });

  it('C-12 refuses an end entity, configured or from the CA', async () => {
    const leaf = await opensslCertificate({
      key: newKey.p256(),
      name: 'Leaf',
      issuer: root,
      basicConstraints: 'critical,CA:FALSE',
      keyUsage: 'critical,digitalSignature',
    });
    const refusal = 'CN=Leaf,O=Acme may not issue certificates';
    expect(() => caCertificateBag(chain, read(leaf))).toThrow(refusal);
    expect(() => caCertificateBag([...chain, ...read(leaf)], [])).toThrow(refusal);
  });

  it('C-12 refuses duplicates', () => {
    expect(() => caCertificateBag(chain, read(root))).toThrow('the same certificate is there twice');
  });
});

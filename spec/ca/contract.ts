import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateToPem, readCertificate, type Certificate } from '../../src/pkix/certificate.ts';
import type { KeyType } from '../../src/pkix/keys.ts';
import { nameFromAttributes, namesEqual, nameToString } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { openssl } from '../support/openssl.ts';
import { issue, keyTypes, newRequest, requestWithoutSubject, signal, type OpenedCa } from './setup.ts';

/** openssl on the path may be too old to read these keys; Node's is not. */
const keyTypesOfOpenssl = keyTypes.filter((type) => !type.startsWith('ML-DSA'));

/** What of the contract a CA may be unable to do: a kind of key, or a critical subjectAltName where a subject is empty. */
type Ability = KeyType | 'critical subjectAltName';

/** Why a CA cannot do what it lacks, in its own words. */
export type Lacks = Readonly<Partial<Record<Ability, string>>>;

/**
 * What every CA backend must do; `open` gives one that issues at once for an alias without a profile. What the CA lacks
 * is left out, and the name of the test says why.
 */
export function certificationAuthorityContract(
  name: string,
  open: () => Promise<OpenedCa>,
  lacks: Lacks = {},
): void {
  function itIfAble(ability: Ability, what: string, test: () => Promise<void>): void {
    const reason = lacks[ability];
    if (reason === undefined) it(what, test);
    else it.skip(`${what} (${reason})`, test);
  }

  describe(`${name} as a certification authority`, () => {
    let opened: OpenedCa;

    beforeAll(async () => {
      opened = await open();
    });

    afterAll(async () => {
      await opened.ca.close?.();
      await opened.close();
    });

    async function bag(): Promise<readonly Certificate[]> {
      return (await opened.ca.caCertificates(signal)).map((der) => readCertificate(der));
    }

    async function verify(der: Buffer): Promise<string> {
      const certificates = await bag();
      const roots = certificates.filter(({ subject, issuer }) => namesEqual(subject, issuer));
      const pem = (some: readonly Certificate[]): string =>
        some.map((one) => certificateToPem(one.der)).join('');
      return await openssl('verify -x509_strict -CAfile roots.pem -untrusted bag.pem leaf.pem', {
        'roots.pem': pem(roots),
        'bag.pem': pem(certificates),
        'leaf.pem': certificateToPem(der),
      });
    }

    it('C-04 gives a self-signed root that is in date', async () => {
      const roots = (await bag()).filter(({ subject, issuer }) => namesEqual(subject, issuer));
      expect(
        roots.some(({ der }) => new X509Certificate(der).verify(new X509Certificate(der).publicKey)),
      ).toBe(true);
      expect(roots.some(({ notAfter }) => notAfter > new Date())).toBe(true);
    });

    it('C-12 gives CA certificates only, and none twice', async () => {
      const certificates = await bag();
      expect(certificates.every(({ basicConstraints }) => basicConstraints?.cA)).toBe(true);
      expect(new Set(certificates.map(({ sha256 }) => sha256)).size).toBe(certificates.length);
    });

    it.each(keyTypesOfOpenssl)(
      'C-05 issues for %s what openssl verifies with the bag alone',
      async (keyType) => {
        const certificate = await issue(opened.ca, newRequest({}, keyType));
        expect(await verify(certificate)).toContain('leaf.pem: OK');
      },
    );

    for (const keyType of keyTypes) {
      itIfAble(keyType, `issues for the ${keyType} key of the CSR, under the names asked for`, async () => {
        const request = newRequest({}, keyType);
        const certificate = readCertificate(await issue(opened.ca, request));
        const issuer = (await bag()).find(({ subject }) => namesEqual(subject, certificate.issuer));
        expect(certificate.spki).toEqual(request.csr.publicKey.spki);
        expect(certificate.subject.der).toEqual(request.subject.der);
        expect(certificate.subjectAltName?.map(({ der }) => der)).toEqual(
          request.subjectAltName.map(({ der }) => der),
        );
        expect(
          new X509Certificate(certificate.der).verify(new X509Certificate(issuer?.der ?? '').publicKey),
        ).toBe(true);
      });
    }

    it('issues end-entity certificates that are valid now and end before their issuer', async () => {
      const certificate = readCertificate(await issue(opened.ca, newRequest()));
      const issuer = (await bag()).find(({ subject }) => namesEqual(subject, certificate.issuer));
      expect(certificate.basicConstraints?.cA ?? false).toBe(false);
      expect(certificate.notBefore.getTime()).toBeLessThanOrEqual(Date.now());
      expect(certificate.notAfter.getTime()).toBeGreaterThan(Date.now());
      expect(certificate.notAfter.getTime()).toBeLessThanOrEqual(issuer?.notAfter.getTime() ?? 0);
    });

    itIfAble(
      'critical subjectAltName',
      'M-06 makes the subjectAltName critical when the subject is empty',
      async () => {
        const certificate = await issue(opened.ca, requestWithoutSubject());
        const text = await openssl('x509 -noout -text -in leaf.pem', {
          'leaf.pem': certificateToPem(certificate),
        });
        expect(text).toMatch(/Subject Alternative Name: critical\s+IP Address:2001:DB8:0:0:0:0:0:1/);
        expect(await verify(certificate)).toContain('leaf.pem: OK');
      },
    );

    it('R-07 certifies the names of the request where the CSR has others, or refuses', async () => {
      const request = {
        ...newRequest(),
        subject: nameFromAttributes([{ type: oids.commonName, value: 'renamed' }]),
        subjectAltName: [],
      };
      expect(namesEqual(request.subject, request.csr.subject)).toBe(false);
      const names = await issue(opened.ca, request)
        .then((der) => readCertificate(der))
        .then(({ subject, subjectAltName }) => [nameToString(subject), subjectAltName])
        .catch((error: unknown) => error);
      expect([['CN=renamed', undefined], expect.objectContaining({ code: 'rejected_by_ca' })]).toContainEqual(
        names,
      );
    });

    it('leaves subjectAltName out when none is asked for', async () => {
      const certificate = readCertificate(await issue(opened.ca, newRequest({ subjectAltName: [] })));
      expect(certificate.subjectAltName).toBeUndefined();
    });

    it('E-22 gives the same certificate again for the same idempotency key, also to two at once', async () => {
      const request = newRequest();
      const [first, second] = await Promise.all([issue(opened.ca, request), issue(opened.ca, request)]);
      const attemptedSince = new Date(Date.now() - 10_000);
      const third = await issue(opened.ca, { ...request, requestId: 'another', attemptedSince });
      expect(second).toEqual(first);
      expect(third).toEqual(first);
    });

    it('gives every certificate a serial number of its own', async () => {
      const issued = await Promise.all(
        Array.from({ length: 20 }, async () => await issue(opened.ca, newRequest())),
      );
      expect(new Set(issued.map((der) => readCertificate(der).serialNumber)).size).toBe(20);
    });

    it('knows the status of what it issued, and that it issued nothing else', async () => {
      const issued = readCertificate(await issue(opened.ca, newRequest()));
      const other = { ...issued, serialNumber: '0badcafe', der: Buffer.of(), sha256: '' };
      expect(['good', undefined]).toContain(await opened.ca.certificateStatus?.(issued, signal));
      expect(['unknown', undefined]).toContain(await opened.ca.certificateStatus?.(other, signal));
    });

    it('refuses a profile that it does not have, at start', () => {
      const { ca } = opened;
      expect(() => {
        if (ca.checkProfile === undefined) throw new Error('no profiles');
        ca.checkProfile('no-such-profile', { keyUsage: [], extendedKeyUsage: [] });
      }).toThrow(/no-such-profile; expected one of: |no profiles|^profile: .* leave it out/);
    });

    it('accepts an alias without a profile', () => {
      expect(() => opened.ca.checkProfile?.(undefined, { keyUsage: [], extendedKeyUsage: [] })).not.toThrow();
    });

    it('is healthy', async () => {
      await expect(opened.ca.health?.(signal)).resolves.toBeUndefined();
    });
  });
}

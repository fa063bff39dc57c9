import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { operatorRoles } from '../../../src/ca/ca.ts';
import { createLocalCertificationAuthority, createServerCertificate } from '../../../src/ca/local/create.ts';
import type { LocalOptions } from '../../../src/ca/local/options.ts';
import { createNewRoot } from '../../../src/ca/local/rollover.ts';
import { certificatesFromPem, readCertificate } from '../../../src/pkix/certificate.ts';
import { dNSName, iPAddress } from '../../../src/pkix/general-names.ts';
import { nameFromAttributes } from '../../../src/pkix/names.ts';
import { revocationReasons } from '../../../src/store/store.ts';
import { describeWith, openWorkplace, type Workplace } from '../../support/programs.ts';
import { issue, keyTypes, newCaTexts, newRequest, openLocal, signal, type OpenedCa } from '../setup.ts';
import { newKey, opensslCertificate, opensslTwoTierCa, pkcs8 } from './openssl-ca.ts';

type Profile = LocalOptions['profiles'][string];

const everyUsage: Profile['keyUsage'] = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
];

const purposes: Readonly<Record<string, readonly string[]>> = {
  client: ['clientAuth'],
  server: ['serverAuth'],
  both: ['clientAuth', 'serverAuth'],
  mail: ['emailProtection'],
  mailClient: ['clientAuth', 'emailProtection'],
  network: ['ipsecIKE', 'eapOverLAN'],
  logon: ['clientAuth', 'smartcardLogon'],
  shell: ['secureShellClient', 'secureShellServer'],
  silent: [],
};

/** Each with the key usages by default, and with all that can be said. */
const profiles = Object.fromEntries(
  Object.entries(purposes).flatMap(([name, extendedKeyUsage]) => {
    const profile = { validityDays: 90, extendedKeyUsage, approval: 'none' } as const;
    return [
      [name, { ...profile, keyUsage: ['digitalSignature', 'keyEncipherment'] }],
      [`${name}-all`, { ...profile, keyUsage: everyUsage }],
    ] satisfies readonly (readonly [string, Profile])[];
  }),
);

describeWith('zlint', "zlint's lints of RFC 5280, of what the local CA issues", () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
  });
  afterAll(async () => {
    await place.remove();
  });

  /** By the names of what was linted, the lints that failed. */
  async function objections(
    ders: Readonly<Record<string, Buffer>>,
  ): Promise<Readonly<Record<string, string>>> {
    const names = Object.keys(ders);
    const files = names.map((_, at) => `${at}.der`);
    await Promise.all(
      Object.values(ders).map(async (der, at) => {
        await writeFile(join(place.directory, `${at}.der`), der);
      }),
    );
    const words = ['-format', 'der', '-includeSources', 'RFC5280,RFC3279,RFC5480,RFC8813', ...files];
    const { stdout } = await promisify(execFile)('zlint', words, {
      cwd: place.directory,
      maxBuffer: 1 << 26,
    });
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(names.length);
    const failed = lines.map((line) => {
      const results = Object.entries(
        JSON.parse(line) as Readonly<Record<string, { readonly result: string }>>,
      );
      expect(results.filter(([, { result }]) => result === 'pass').length).toBeGreaterThan(3);
      return results
        .filter(([, { result }]) => !['pass', 'NA', 'NE', 'info', 'warn'].includes(result))
        .map(([lint, { result }]) => `${lint}: ${result}`)
        .join(', ');
    });
    return Object.fromEntries(
      names.map((name, at) => [name, failed[at] ?? ''] as const).filter(([, text]) => text !== ''),
    );
  }

  const cases = keyTypes.flatMap((keyType) => [
    ...Object.keys(profiles).map((profile) => ({ keyType, profile })),
    { keyType, profile: 'both', subjectAltName: [] },
    { keyType, profile: 'both', keyUsage: ['digitalSignature'] as const },
    {
      keyType,
      profile: 'both',
      subject: nameFromAttributes([]),
      subjectAltName: [dNSName('a.example'), iPAddress('2001:db8::1')],
    },
  ]);

  it.each([
    ['P-256', async () => await newCaTexts()],
    ['RSA', async () => await opensslTwoTierCa(newKey.rsa)],
    [
      'P-384 beyond 2050',
      async () => {
        const ca = await opensslCertificate({ key: newKey.p384(), name: 'Only', days: 20_000 });
        return { certificate: ca.certificate, privateKey: pkcs8(ca.key), chain: [] };
      },
    ],
  ])('find nothing in certificates of any profile, by a CA with %s', async (_, makeTexts) => {
    const opened = await openLocal(await makeTexts(), { profiles });
    const issued: Record<string, Buffer> = {};
    for (const [at, { keyType, ...changes }] of cases.entries()) {
      issued[`${at}: ${changes.profile}, ${keyType}`] = await issue(opened.ca, newRequest(changes, keyType));
    }
    expect(await objections(issued)).toEqual({});
    await opened.close();
  });

  it('find nothing in a CRL, empty or with every reason', async () => {
    const opened = await openLocal(await newCaTexts());
    const crl = async ({ ca }: OpenedCa): Promise<Buffer> => (await ca.crl?.(signal)) ?? Buffer.alloc(0);
    const empty = await crl(opened);
    for (const reason of revocationReasons) {
      const { serialNumber } = readCertificate(await issue(opened.ca, newRequest()));
      await opened.certificates.revoke('local', serialNumber, reason, new Date());
    }
    expect(await objections({ empty, full: await crl(opened) })).toEqual({});
    await opened.close();
  });

  it('find nothing in what an operator has issued', async () => {
    const opened = await openLocal(await newCaTexts());
    const issued: Record<string, Buffer> = {};
    for (const role of operatorRoles) {
      for (const keyType of keyTypes) {
        const { csr } = newRequest({}, keyType);
        const der = await opened.ca.issueForOperator?.({ csr, role, validityDays: 90 }, signal);
        issued[`${role}, ${keyType}`] = der ?? Buffer.alloc(0);
      }
    }
    expect(await objections(issued)).toEqual({});
    await opened.close();
  });

  it('find nothing in a new CA, its server certificate and a new root', async () => {
    const [passphrase, now] = ['a passphrase', new Date()];
    const ca = await createLocalCertificationAuthority({ name: 'Acme', passphrase, now });
    const { certificate } = await createServerCertificate({
      ...ca,
      passphrase,
      hostnames: ['est.example'],
      now,
    });
    const next = await createNewRoot({
      chain: certificatesFromPem(`${ca.issuingCertificate}${ca.rootCertificate}`),
      rootKey: ca.rootKey,
      passphrase,
      newPassphrase: passphrase,
      now,
    });
    const made = { root: ca.rootCertificate, issuing: ca.issuingCertificate, server: certificate, ...next };
    const ders = Object.entries(made).flatMap(([name, pem]) =>
      name === 'rootKey'
        ? []
        : certificatesFromPem(pem).map(({ der }, at) => [`${name} ${at}`, der] as const),
    );
    expect(ders.length).toBeGreaterThan(8);
    expect(await objections(Object.fromEntries(ders))).toEqual({});
  });

  it('find a key usage that no purpose wants', async () => {
    const issuer = await opensslCertificate({ key: newKey.p256(), name: 'CA' });
    const { certificate } = await opensslCertificate({
      key: newKey.rsa(),
      name: 'device',
      issuer,
      basicConstraints: 'CA:FALSE',
      keyUsage: 'critical,keyEncipherment\nextendedKeyUsage = clientAuth',
    });
    const [device] = certificatesFromPem(certificate);
    expect(await objections({ device: device?.der ?? Buffer.alloc(0) })).toEqual({
      device: 'e_key_usage_and_extended_key_usage_inconsistent: error',
    });
  });
});

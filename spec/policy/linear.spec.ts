import { describe, expect, it } from '@jest/globals';
import type { ClientIdentity } from '../../src/identity.ts';
import { readCertificate } from '../../src/pkix/certificate.ts';
import { randomSerialNumber, signCertificate } from '../../src/pkix/certificate-write.ts';
import { subjectAltName } from '../../src/pkix/extensions-write.ts';
import { readGeneralNames, type GeneralName } from '../../src/pkix/general-names.ts';
import { nameFromAttributes } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { createSigner } from '../../src/pkix/signer.ts';
import { refuseForeignNames } from '../../src/policy/identity-names.ts';
import { createNameRule } from '../../src/policy/name-rule.ts';
import { createView } from '../../src/policy/request-view.ts';
import { generalName, keyPair, sequence, spkiOf, tlv } from '../support/csr.ts';
import { growthOf, linearGrowth } from '../support/growth.ts';
import { accepted } from '../support/refused-csr.ts';

const device = nameFromAttributes([{ type: oids.commonName, value: 'device' }]);

const kinds = {
  dNSName: (index: number) => generalName(2, `host-${index}.example`),
  uniformResourceIdentifier: (index: number) => generalName(6, `urn:host:${index}`),
  directoryName: (index: number) =>
    tlv(0xa4, nameFromAttributes([{ type: oids.commonName, value: `Gerät ${index}` }]).der),
};

function namesOf(kind: keyof typeof kinds, count: number): readonly GeneralName[] {
  return readGeneralNames(sequence(...Array.from({ length: count }, (_, index) => kinds[kind](index))));
}

/** Who has a certificate of this CA with these names. */
async function holderOf(names: readonly GeneralName[]): Promise<ClientIdentity> {
  const { privateKey, publicKey } = await keyPair('P-256');
  const der = await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: device,
      subject: device,
      notBefore: new Date('2026-01-01'),
      notAfter: new Date('2036-01-01'),
      spki: spkiOf(publicKey),
      extensions: [subjectAltName(names, false)],
    },
    createSigner(privateKey),
  );
  const certificate = readCertificate(der);
  return {
    key: 'device',
    description: 'device',
    user: undefined,
    certificate: { certificate, trustAnchor: 'explicit', issuer: certificate },
  };
}

describe('checks of many names take time that grows with their number, and not with its square', () => {
  it.each(['dNSName', 'directoryName'] as const)('S-09 own names: %s', async (kind) => {
    const sizes = [125, 1000];
    const holders = new Map(
      await Promise.all(sizes.map(async (size) => [size, await holderOf(namesOf(kind, size))] as const)),
    );
    const growth = growthOf((size) => {
      const [holder, asked] = [holders.get(size), namesOf(kind, size).toReversed()];
      if (holder === undefined) throw new Error(`There is no holder of ${size} names.`);
      return () => {
        refuseForeignNames(holder, device, asked, { subject: [], grantsAttribute: () => false });
      };
    }, 125);
    expect(growth).toBeLessThan(linearGrowth);
  });

  it.each([
    ['dNSName', 'subjectAltName.dNSName == identity.subjectAltName.dNSName'],
    [
      'uniformResourceIdentifier',
      'subjectAltName.uniformResourceIdentifier in urn:x:* | urn:host:${identity.subjectAltName.dNSName} | urn:host:*',
    ],
    ['directoryName', 'subjectAltName.directoryName == identity.subjectAltName.directoryName'],
  ] as const)('S-09 rules about %s: %s', async (kind, rule) => {
    const csr = await accepted({});
    const { ask } = createNameRule(
      rule,
      0,
      { subject: [], subjectAltName: [kind] },
      { user: true, certificate: true },
    );
    const holders = new Map(
      await Promise.all(
        [125, 1000].map(
          async (size) =>
            [size, await holderOf([...namesOf('dNSName', size), ...namesOf(kind, size)])] as const,
        ),
      ),
    );
    const growth = growthOf((size) => {
      const identity = holders.get(size);
      if (identity === undefined) throw new Error(`There is no holder of ${size} names.`);
      const names = { subject: device, subjectAltName: namesOf(kind, size).toReversed() };
      return () => {
        const view = createView({
          alias: 'est',
          operation: 'simpleenroll',
          clientAddress: undefined,
          identity,
          csr,
          names,
        });
        void ask(view).check();
      };
    }, 125);
    expect(growth).toBeLessThan(linearGrowth);
  });
});

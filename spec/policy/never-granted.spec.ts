import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clientIdentity } from '../../src/auth/index.ts';
import { createProfile } from '../../src/ca/local/profile.ts';
import { EstError } from '../../src/errors.ts';
import type { ClientIdentity } from '../../src/identity.ts';
import {
  neverGrantedAttributes,
  neverGrantedExtensions,
  neverGrantedOtherNames,
  neverGrantedPurposes,
} from '../../src/pkix/never-granted.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import type { PolicyOptions, RequiredContents } from '../../src/policy/options.ts';
import type { Check } from '../../src/policy/check.ts';
import { createPolicy, examineEnrollment, examineRenewal } from '../../src/policy/policy.ts';
import { certificate, named } from '../support/certificate.ts';
import {
  attribute,
  extension,
  generalName,
  id,
  keyPair,
  null_,
  objectIdentifier,
  opensslCsr,
  sequence,
  signedRequest,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
  type KeyPair,
} from '../support/csr.ts';
import { thrownBy } from '../support/thrown.ts';

const nothing: RequiredContents = { subject: {}, subjectAltName: {}, extensions: {}, attributes: {} };

/** Grants all that a policy can grant. */
const options: PolicyOptions = {
  subject: ['commonName'],
  subjectAltName: ['dNSName', 'uniformResourceIdentifier', 'otherName'],
  names: 'any',
  freeSubject: [],
  keys: ['P-256'],
  linking: 'optional',
  otpChallenge: 'unused',
  required: nothing,
  rules: [],
  changeSubjectName: true,
  renewWithSameKey: true,
  renewAfterPercent: 0,
  renewOtherAliases: false,
  renewExpiredDays: 0,
};
const policy = createPolicy(options);

let key: KeyPair;
let client: ClientIdentity;
beforeAll(async () => {
  key = await keyPair('P-256');
  const shown = await certificate({ subject: named('device') });
  client = clientIdentity({ certificate: shown, trustAnchor: 'explicit', issuer: shown }, undefined);
});

/** Throws the first refusal; no check of a policy waits for anything. */
function ask(checks: readonly Check[]): void {
  for (const { check } of checks) void check();
}

/** The refusal, and how it calls what it refuses; undefined: granted. */
function refusalOf(
  der: Buffer,
): { readonly code: string; readonly offending: string | undefined } | undefined {
  const error = thrownBy(() => {
    ask(examineEnrollment(policy, client, readCertificationRequest(der)));
  });
  if (error === undefined) return undefined;
  if (!(error instanceof EstError)) throw new Error('Something unforeseen was thrown.', { cause: error });
  return { code: error.code, offending: error.refusedBy?.offending };
}

const refused = (offending: string) => ({ code: 'refused_by_policy', offending });

/** Ways to ask for extensions in a CSR. */
const doors: Readonly<Record<string, (...extensions: readonly Buffer[]) => CertificationRequestParts>> = {
  extensionRequest: (...extensions) => ({ extensions }),
  "Microsoft's twin of it": (...extensions) => ({
    attributes: [attribute(id.microsoftExtensionRequest, sequence(...extensions))],
  }),
  'beside a ChangeSubjectName': (...extensions) => ({
    extensions,
    attributes: [attribute(id.changeSubjectName, sequence(named('other')))],
  }),
};

const purposes = Object.entries(neverGrantedPurposes);
const extensions = Object.entries(neverGrantedExtensions);
const attributes = Object.entries(neverGrantedAttributes);
const extendedKeyUsage = (...oids: readonly string[]): Buffer =>
  extension(id.extendedKeyUsage, sequence(...oids.map(objectIdentifier)));
const clientAuth = '1.3.6.1.5.5.7.3.2';

describe('What is never granted', () => {
  it('S-18 holds what is best known', () => {
    expect(Object.values(neverGrantedPurposes)).toEqual(
      expect.arrayContaining([
        ...['2.5.29.37.0', '1.3.6.1.5.5.7.3.3', '1.3.6.1.5.5.7.3.8', '1.3.6.1.5.5.7.3.9'],
        ...['1.3.6.1.5.5.7.3.15', '1.3.6.1.5.5.7.3.27', '1.3.6.1.5.5.7.3.28', '1.3.6.1.5.5.7.3.29'],
        ...['1.3.6.1.4.1.311.20.2.1', '1.3.6.1.4.1.311.21.5', '1.3.6.1.4.1.311.21.6'],
        ...['1.3.6.1.4.1.311.10.3.1', '1.3.6.1.4.1.311.10.3.10', '1.3.6.1.4.1.311.10.3.4.1'],
      ]),
    );
    expect(Object.values(neverGrantedExtensions)).toEqual(
      expect.arrayContaining([
        ...['2.5.29.30', '2.5.29.33', '2.5.29.36', '2.5.29.54', '1.3.6.1.5.5.7.1.14', '1.3.6.1.5.5.7.48.1.5'],
        ...['1.3.6.1.4.1.311.20.2', '1.3.6.1.4.1.311.21.7', '1.3.6.1.4.1.311.21.10', '1.3.6.1.4.1.311.25.2'],
      ]),
    );
  });

  describe.each(Object.keys(doors))('by %s', (door) => {
    const csr = (...wanted: readonly Buffer[]): Buffer => signedRequest(key, doors[door]?.(...wanted) ?? {});

    it.each(purposes)('S-18 is the purpose %s, wherever it stands', (name, oid) => {
      const others = fc.array(fc.constantFrom(clientAuth, '1.3.6.1.5.5.7.3.1', '1.3.6.1.4.1.311.20.2.2'), {
        maxLength: 3,
      });
      fc.assert(
        fc.property(others, others, (before, after) => {
          const refusal = refusalOf(csr(extendedKeyUsage(...before, oid, ...after)));
          expect(refusal).toEqual(refused(`extendedKeyUsage=${name}`));
        }),
        { numRuns: 4 },
      );
    });

    it.each(extensions)('S-18 is the extension %s, whatever its value', (name, oid) => {
      const value = fc.constantFrom(null_, sequence(), utf8String('x'), tlv(0x03, Buffer.of(0, 1)));
      fc.assert(
        fc.property(value, fc.boolean(), (der, isAlone) => {
          const wanted = extension(oid, der);
          const all = isAlone ? [wanted] : [extendedKeyUsage(clientAuth), wanted];
          expect(refusalOf(csr(...all))).toEqual(refused(name));
        }),
        { numRuns: 4 },
      );
    });

    it.each([
      ['CA:TRUE', extension(id.basicConstraints, sequence(tlv(0x01, Buffer.of(0xff)))), 'basicConstraints'],
      ['keyCertSign', extension(id.keyUsage, tlv(0x03, Buffer.of(2, 0x84))), 'keyUsage=keyCertSign'],
      ['cRLSign', extension(id.keyUsage, tlv(0x03, Buffer.of(1, 0x82))), 'keyUsage=cRLSign'],
      ...[0x01, 0x02, 0x04, 0x08, 0x10, 0x81, 0xff].map(
        (bits) =>
          [
            `bits ${bits} of netscapeCertType`,
            extension('2.16.840.1.113730.1.1', tlv(0x03, Buffer.of(0, bits))),
            'netscapeCertType',
          ] as const,
      ),
      ['a netscapeCertType that is none', extension('2.16.840.1.113730.1.1', null_), 'netscapeCertType'],
      [
        'a SID as URI',
        subjectAltName(generalName(6, 'TAG:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500')),
        'uniformResourceIdentifier=TAG:microsoft.com\\,2022-09-14:sid:S-1-5-21-1-2-3-500',
      ],
    ] as const)('S-18 is %s', (_what, wanted, offending) => {
      expect(refusalOf(csr(wanted))).toEqual(refused(offending));
    });

    it('S-18 is no harmless purpose, extension or name', () => {
      const harmless = ['1.3.6.1.5.5.7.3.36', '1.3.6.1.5.5.7.3.30', '1.3.6.1.4.1.311.20.2.2', clientAuth];
      expect(refusalOf(csr(extendedKeyUsage(...harmless)))).toBeUndefined();
      expect(
        refusalOf(csr(extension('2.16.840.1.113730.1.1', tlv(0x03, Buffer.of(5, 0xe0))))),
      ).toBeUndefined();
    });
  });

  it.each(attributes)('S-18 is the attribute %s', (name, oid) => {
    expect(refusalOf(signedRequest(key, { attributes: [attribute(oid, sequence())] }))).toEqual(
      refused(name),
    );
  });

  it.each(Object.entries(neverGrantedOtherNames))(
    'S-18 is the otherName %s, by either door',
    (_name, oid) => {
      const otherName = tlv(0xa0, objectIdentifier(oid), tlv(0xa0, null_));
      const changed = attribute(id.changeSubjectName, sequence(named('other'), sequence(otherName)));
      for (const parts of [{ extensions: [subjectAltName(otherName)] }, { attributes: [changed] }]) {
        expect(refusalOf(signedRequest(key, parts))).toEqual(
          refused(`otherName=${otherName.toString('hex')}`),
        );
      }
    },
  );

  it('S-18 is asked for in vain by a renewal and by a registration authority, too', async () => {
    const shown = await certificate({ subject: named('device') });
    const names = { commonName: ['*'], uniformResourceIdentifier: ['*'] };
    const authority = { ...client, registrationAuthority: { name: 'ra', names, foreignLinking: true } };
    for (const [, oid] of purposes) {
      const csr = readCertificationRequest(signedRequest(key, { extensions: [extendedKeyUsage(oid)] }));
      expect(() => {
        ask(examineRenewal(policy, client, shown, csr, new Date()));
      }).toThrow('never granted');
      expect(() => {
        ask(examineEnrollment(policy, authority, csr));
      }).toThrow('never granted');
    }
  });
});

describe('CSRs by openssl', () => {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

  it('S-18 ask in vain for each purpose', async () => {
    for (const [name, oid] of purposes) {
      const der = await opensslCsr(...newKey, '-addext', `extendedKeyUsage=clientAuth,${oid}`);
      expect(refusalOf(der)).toEqual(refused(`extendedKeyUsage=${name}`));
    }
  }, 60_000);

  it.each([
    ['basicConstraints=critical,CA:TRUE', 'basicConstraints'],
    ['keyUsage=critical,keyCertSign', 'keyUsage=keyCertSign'],
    ['nsCertType=sslCA', 'netscapeCertType'],
    ['nsCertType=client,objsign', 'netscapeCertType'],
    ['noCheck=ignored', 'ocspNoCheck'],
    ['crlDistributionPoints=URI:http://crl.example/own.crl', 'cRLDistributionPoints'],
    ['authorityInfoAccess=OCSP;URI:http://ocsp.example/', 'authorityInfoAccess'],
    ['proxyCertInfo=critical,language:id-ppl-anyLanguage', undefined],
    ['1.3.6.1.4.1.311.25.2=DER:30020500', 'microsoftSecurityIdentifier'],
    ['1.3.6.1.4.1.311.21.10=DER:30023000', 'microsoftApplicationPolicies'],
    ['1.3.6.1.5.5.7.1.3=DER:30023000', 'qcStatements'],
  ])('S-18 ask in vain for %s', async (wanted, offending) => {
    const der = await opensslCsr(...newKey, '-addext', wanted);
    const error = thrownBy(() => {
      ask(examineEnrollment(policy, client, readCertificationRequest(der)));
    });
    expect(error).toBeInstanceOf(EstError);
    // What is critical and unknown is refused before.
    expect(error instanceof EstError && error.refusedBy?.offending).toEqual(offending);
  });
});

describe('A configuration', () => {
  const withRequired =
    (changes: Partial<RequiredContents>): (() => unknown) =>
    () =>
      createPolicy({ ...options, required: { ...nothing, ...changes } });
  const base64 = (der: Buffer): string => der.toString('base64');
  const profile = {
    validityDays: 1,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [],
    approval: 'none',
  } as const;

  it.each(purposes)('S-18 that demands or grants the purpose %s is refused', (_name, oid) => {
    const value = base64(sequence(objectIdentifier(clientAuth), objectIdentifier(oid)));
    expect(withRequired({ extendedKeyUsage: [oid] })).toThrow('never granted');
    expect(withRequired({ extendedKeyUsage: [clientAuth, oid] })).toThrow('never granted');
    expect(withRequired({ extensions: { extendedKeyUsage: value } })).toThrow('never granted');
    expect(withRequired({ extensions: { '2.5.29.37': value } })).toThrow('never granted');
    expect(withRequired({ extendedKeyUsage: [clientAuth], extensions: { '2.5.29.37': value } })).toThrow(
      'never granted',
    );
    const profileWith = () =>
      createProfile(
        'device',
        { ...profile, extendedKeyUsage: [clientAuth, oid] },
        { crl: [], caIssuers: [] },
      );
    expect(profileWith).toThrow('profiles.device.extendedKeyUsage');
  });

  it.each(extensions)('S-18 that demands the extension %s is refused', (_name, oid) => {
    expect(withRequired({ extensions: { [oid]: null } })).toThrow('never granted');
    expect(withRequired({ extensions: { [oid]: base64(null_) } })).toThrow('never granted');
  });

  it.each(attributes)('S-18 that demands the attribute %s is refused', (_name, oid) => {
    expect(withRequired({ attributes: { [oid]: null } })).toThrow('never granted');
    expect(withRequired({ attributes: { [oid]: base64(null_) } })).toThrow('never granted');
  });

  it.each([
    ['extensionRequest', id.extensionRequest],
    ["Microsoft's twin of it", id.microsoftExtensionRequest],
    ['a template of extensions', '1.2.840.113549.1.9.16.2.62'],
    ['a template of a CSR', '1.2.840.113549.1.9.16.2.61'],
  ])('S-18 that demands extensions by %s as attribute is refused', (_what, oid) => {
    const value = base64(sequence(extendedKeyUsage('1.3.6.1.5.5.7.3.28')));
    expect(withRequired({ attributes: { [oid]: value } })).toThrow('policy.required.extensions');
    expect(withRequired({ attributes: { [oid]: null } })).toThrow('policy.required.extensions');
  });

  it('S-18 that demands a SID as URI, or a CA by netscapeCertType, is refused', () => {
    const uniformResourceIdentifier = 'tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500';
    expect(withRequired({ subjectAltName: { uniformResourceIdentifier } })).toThrow('never granted');
    const certType = base64(tlv(0x03, Buffer.of(2, 0x04)));
    expect(withRequired({ extensions: { '2.16.840.1.113730.1.1': certType } })).toThrow('never granted');
  });
});

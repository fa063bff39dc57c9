import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import type { ClientIdentity } from '../../src/identity.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import type { PolicyOptions, RequiredContents } from '../../src/policy/options.ts';
import { refusalBy } from '../../src/policy/check.ts';
import { createPolicy, examineEnrollment, type Policy } from '../../src/policy/policy.ts';
import { csrOf, wishesOf, type Wishes } from '../support/csr-attributes-client.ts';
import { integer, keyPair, sequence, utf8String } from '../support/csr.ts';
import { thrownBy } from '../support/thrown.ts';

const everyKey = [
  'RSA',
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const;
const nothing: RequiredContents = { subject: {}, subjectAltName: {}, extensions: {}, attributes: {} };

/** As the schema completes it. */
function policyOf(changes: Partial<PolicyOptions>): Policy {
  return createPolicy({
    subject: ['commonName', 'serialNumber', 'organizationName', 'organizationalUnitName', 'countryName'],
    subjectAltName: ['dNSName', 'iPAddress', 'directoryName', 'rfc822Name'],
    names: 'any',
    freeSubject: [],
    keys: everyKey,
    linking: 'optional',
    otpChallenge: 'unused',
    required: nothing,
    rules: [],
    changeSubjectName: false,
    renewWithSameKey: true,
    renewAfterPercent: 0,
    renewOtherAliases: false,
    renewExpiredDays: 0,
    ...changes,
  });
}

const identity: ClientIdentity = {
  key: 'user:device',
  description: 'device',
  user: { name: 'device', isLimited: false },
  certificate: undefined,
};

/** What becomes of the CSR: undefined when it is permitted, else the code of the refusal. */
async function outcome(policy: Policy, wishes: Wishes): Promise<string | undefined> {
  const csr = readCertificationRequest(await csrOf(wishes));
  for (const check of examineEnrollment(policy, identity, csr)) {
    const refusal = await refusalBy(check);
    if (refusal !== undefined) return refusal.code;
  }
  return undefined;
}

const base64 = (der: Buffer): string => der.toString('base64');
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ]{0,18}[a-z]$/);
const host = fc.stringMatching(/^[a-z][a-z0-9]{0,20}\.example$/);
const der = fc.oneof(
  fc.nat().map((number) => base64(sequence(integer(BigInt(number))))),
  word.map((text) => base64(utf8String(text))),
);

const subject = fc.record(
  {
    commonName: optional(word),
    serialNumber: optional(word),
    organizationName: optional(word),
    organizationalUnitName: fc.oneof(fc.constant(null), fc.uniqueArray(word, { minLength: 1, maxLength: 3 })),
    countryName: optional(fc.constantFrom('DE', 'FR', 'se')),
  },
  { requiredKeys: ['commonName'] },
);
const subjectAltName = fc.oneof(
  fc.constant({}),
  fc.constant({ dNSName: null }),
  fc.record(
    {
      dNSName: fc.oneof(host, fc.uniqueArray(host, { minLength: 1, maxLength: 3 })),
      iPAddress: optional(fc.constantFrom('192.0.2.7', '2001:db8::7')),
      directoryName: fc.constant(null),
      rfc822Name: fc.constant('device@example.com'),
    },
    { requiredKeys: [] },
  ),
);
const required: fc.Arbitrary<RequiredContents> = fc
  .record(
    {
      subject,
      subjectAltName,
      keyUsage: fc.constantFrom(
        ['digitalSignature'] as const,
        ['digitalSignature', 'nonRepudiation'] as const,
      ),
      extendedKeyUsage: fc.constantFrom(['clientAuth'], ['clientAuth', '1.3.6.1.5.5.7.3.1']),
      extensions: fc.dictionary(
        fc.constantFrom('tlsFeature', '1.2.3.4', 'certificatePolicies'),
        optional(der),
      ),
      attributes: fc.dictionary(fc.constantFrom('macAddress', '1.2.3.5'), fc.oneof(fc.constant(null), der)),
    },
    { requiredKeys: ['subject', 'subjectAltName', 'extensions', 'attributes'] },
  )
  // A client of RFC 7030 takes an unknown object identifier for an attribute.
  .filter(({ extensions }) => extensions['1.2.3.4'] !== null);

const keys = fc.uniqueArray(fc.constantFrom(...everyKey, 'RSA-3072' as const), { minLength: 1 });
const signatureAlgorithms = fc.option(
  fc.uniqueArray(
    fc.constantFrom(
      ...(['sha256WithRSAEncryption', 'sha512WithRSAEncryption', 'RSASSA-PSS'] as const),
      ...(['ecdsaWithSHA256', 'ecdsaWithSHA384', 'ecdsaWithSHA512', 'Ed25519', 'ML-DSA-65'] as const),
    ),
    { minLength: 1 },
  ),
  { nil: undefined },
);

/** Any policy that does not contradict itself. */
const options: fc.Arbitrary<Partial<PolicyOptions>> = fc
  .record({ keys, signatureAlgorithms, required })
  .map(({ signatureAlgorithms: algorithms, ...rest }) =>
    algorithms === undefined ? rest : { ...rest, signatureAlgorithms: algorithms },
  )
  .filter((changes) => {
    const error = thrownBy(() => policyOf(changes));
    return !(error instanceof Error && error.message.startsWith('policy.signatureAlgorithms'));
  });

/** Each leaves out or changes one thing that the policy demands. */
function deviations(policy: Policy, wishes: Wishes): readonly Wishes[] {
  const without = <T>(list: readonly T[], index: number): readonly T[] => list.toSpliced(index, 1);
  const fixed = Object.entries(policy.required.subject).filter(([, value]) => value !== null).length;
  return [
    ...wishes.subject.map((_, index) => ({ ...wishes, subject: without(wishes.subject, index) })),
    ...wishes.extensions.map((_, index) => ({ ...wishes, extensions: without(wishes.extensions, index) })),
    ...wishes.attributes.map((_, index) => ({ ...wishes, attributes: without(wishes.attributes, index) })),
    ...(fixed === 0
      ? []
      : [{ ...wishes, subject: wishes.subject.map(([type]) => [type, utf8String('ZZ')] as const) }]),
    ...(policy.keys.some((kind) => kind.startsWith('RSA'))
      ? []
      : [{ ...wishes, key: 'RSA-2048' as const, hash: undefined }]),
    ...(policy.keys.includes('P-256') ? [] : [{ ...wishes, key: 'P-256' as const, hash: undefined }]),
  ];
}

const emptyList = Buffer.from('3000', 'hex');
const template = Buffer.from('060b2a864886f70d010910023d', 'hex');

/** Which names stand beside a blank one, only a template can say. */
const needsTemplate = ({ required: { subjectAltName: names } = nothing }: Partial<PolicyOptions>): boolean =>
  Object.values(names).includes(null) && !isDeepStrictEqual(names, { dNSName: null });

describe('one policy for csrattrs and for the check of a CSR', () => {
  beforeAll(async () => {
    await Promise.all((['RSA-2048', 'RSA-3072'] as const).map(keyPair));
  });

  it.each([
    ['knows templates', true],
    ['knows RFC 7030 only', false],
  ])(
    'Q-08 Q-35 Q-36 lets a CSR pass that a client made from csrattrs which %s',
    async (_client, knowsTemplates) => {
      await fc.assert(
        fc.asyncProperty(options, async (changes) => {
          const policy = policyOf(changes);
          const said = policy.csrAttributes ?? emptyList;
          fc.pre(!needsTemplate(changes) || (knowsTemplates && said.includes(template)));
          expect(await outcome(policy, wishesOf(said, knowsTemplates))).toBeUndefined();
        }),
        { numRuns: 150 },
      );
    },
  );

  it('Q-08 Q-36 refuses each deviation from what csrattrs said', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(options, async (changes) => {
        const policy = policyOf(changes);
        const wishes = wishesOf(policy.csrAttributes ?? emptyList, true);
        for (const deviation of deviations(policy, wishes)) {
          count += 1;
          expect(await outcome(policy, deviation)).toMatch(/^(refused_by_policy|bad_certification_request)$/);
        }
      }),
      { numRuns: 60 },
    );
    expect(count).toBeGreaterThan(100);
  });
});

describe('what csrattrs asks for', () => {
  const ask = (changes: Partial<PolicyOptions>): string =>
    policyOf(changes).csrAttributes?.toString('hex') ?? '';
  const require = (changes: Partial<RequiredContents>): Partial<PolicyOptions> => ({
    required: { ...nothing, ...changes },
  });

  it('Q-03 is nothing when nothing is demanded', () => {
    expect(policyOf({}).csrAttributes).toBeUndefined();
  });

  it('Q-06 Q-09 PQ-12 is a kind of key by an attribute, and how it signs by an identifier', () => {
    const mlDsa65 = '0609608648016503040312';
    expect(ask({ keys: ['ML-DSA-65'] })).toContain(`300d${mlDsa65}3100${mlDsa65}`);
    expect(ask({ keys: ['P-384', 'P-256'] })).toContain('301206072a8648ce3d0201310706052b81040022');
  });

  it('Q-25 has no template where a template would lead to a CSR that is refused', () => {
    expect(ask({ keys: ['P-384'] })).toContain(template.toString('hex'));
    const signatures = ask({ keys: ['P-384'], signatureAlgorithms: ['ecdsaWithSHA384'] });
    expect(signatures).toContain('06082a8648ce3d040303');
    expect(signatures).not.toContain(template.toString('hex'));
    expect(ask(require({ attributes: { macAddress: null } }))).toBe('3009' + '06072b060101010116');
  });

  it('Q-12 Q-37 is the value of this policy, such as an opaque identifier', () => {
    const asked = ask(require({ subject: { serialNumber: 'opaque-1' } }));
    expect(asked).toContain(Buffer.from('opaque-1').toString('hex'));
  });

  it.each([
    [
      'an attribute type that is not copied',
      require({ subject: { title: null } }),
      /may hold only: commonName/,
    ],
    ['a country that is none', require({ subject: { countryName: 'Sweden' } }), /countryName/],
    ['two common names', require({ subject: { commonName: ['a', 'b'] } }), /more than one commonName/],
    ['a name type that is not copied', require({ subjectAltName: { otherName: null } }), /otherName/],
    ['a wildcard', require({ subjectAltName: { dNSName: '*.example' } }), /wildcards/],
    ['a wildcard as commonName', require({ subject: { commonName: '*.example' } }), /wildcards/],
    ...['10.0.0.300', '10.0.0.1/24', '010.0.0.1', '1..2.3', 'fe80::1%eth0', '10.0.0', 'x'].map(
      (text) =>
        [
          `the address ${text}`,
          require({ subjectAltName: { iPAddress: text } }),
          /is not an IP address/,
        ] as const,
    ),
    ['the unspecified address', require({ subjectAltName: { iPAddress: '::ffff:0.0.0.0' } }), /unspecified/],
    [
      'a subjectAltName where none is allowed',
      { subjectAltName: [], ...require({ extensions: { subjectAltName: null } }) },
      /allows no name in it/,
    ],
    [
      'a subjectAltName where none is allowed, by object identifier',
      { subjectAltName: [], ...require({ extensions: { '2.5.29.17': null } }) },
      /allows no name in it/,
    ],
    ...[
      ['1.2.840.113549.1.9.16.2.56', /otpChallenge, which is refused here; set policy.otpChallenge/],
      ['1.3.6.1.5.5.7.7.36', /changeSubjectName, which is refused here; set policy.changeSubjectName/],
      ['1.2.840.113549.1.9.16.2.57', /revocationChallenge, which is refused here; leave it out/],
    ].map(
      ([oid, reason]) =>
        [
          `the attribute ${String(oid)} while it is off`,
          require({ attributes: { [String(oid)]: null } }),
          reason,
        ] as const,
    ),
    ['what is no host name', require({ subjectAltName: { dNSName: 'not a host' } }), /not a host name/],
    [
      'a value that text cannot give',
      require({ subjectAltName: { directoryName: 'CN=x' } }),
      /only be left blank/,
    ],
    [
      'a blank that csrattrs cannot say',
      require({ subjectAltName: { dNSName: null, iPAddress: '192.0.2.1' } }),
      /cannot leave dNSName blank/,
    ],
    ['the rights of an RA', require({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.28'] }), /never granted/],
    [
      'a CA certificate',
      require({ extensions: { basicConstraints: base64(sequence(Buffer.from('0101ff', 'hex'))) } }),
      /never granted/,
    ],
    [
      'Q-33 one extension in two ways',
      require({ keyUsage: ['digitalSignature'], extensions: { keyUsage: null } }),
      /extension is there twice/,
    ],
    ['an extension nobody knows by name', require({ extensions: { keyUsages: null } }), /named keyUsages/],
    [
      'a value that is no DER',
      require({ attributes: { macAddress: 'AAAA' } }),
      /macAddress is not the base64/,
    ],
    [
      'a signature that no key makes',
      { keys: ['P-256'], signatureAlgorithms: ['Ed25519'] } satisfies Partial<PolicyOptions>,
      /policy\.signatureAlgorithms/,
    ],
  ])('does not start with %s', (_what, changes, message) => {
    expect(() => policyOf(changes)).toThrow(message);
  });
});

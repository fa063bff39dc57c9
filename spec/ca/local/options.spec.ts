import { Ajv, type SchemaObject } from 'ajv';
import { describe, expect, it } from '@jest/globals';
import { localOptionsSchema, type LocalOptions } from '../../../src/ca/local/options.ts';
import { mockDriver } from '../../../src/ca/mock.ts';
import { readCertificate } from '../../../src/pkix/certificate.ts';
import { oids } from '../../../src/pkix/oids.ts';
import { issue, newCaTexts, newRequest, openLocal } from '../setup.ts';

const ajv = new Ajv({ useDefaults: true, formats: { file: true, secret: true } });
const validate = ajv.compile<LocalOptions>(localOptionsSchema);

const required = { certificate: 'ca.pem', privateKey: 'file:ca.key' };

function completed(options: object): LocalOptions {
  const complete: unknown = structuredClone({ ...required, ...options });
  if (!validate(complete)) throw new Error(ajv.errorsText(validate.errors));
  return complete;
}

const withProfile = (profile: object): object => ({ profiles: { device: profile } });

describe('The options of the local CA', () => {
  it('have a default for all but certificate and key', () => {
    expect(completed({})).toEqual({
      ...required,
      chain: [],
      backdate: 60,
      record: 'complete',
      retryAfter: 300,
      crl: { validityHours: 168, urls: [] },
      caIssuersUrls: [],
      profiles: {
        device: {
          validityDays: 365,
          keyUsage: ['digitalSignature', 'keyEncipherment'],
          extendedKeyUsage: ['clientAuth'],
          approval: 'none',
        },
      },
    });
  });

  it('have defaults that a CA opens and issues with', async () => {
    const { profiles, crl, caIssuersUrls, backdate } = completed({});
    const opened = await openLocal(await newCaTexts(), { profiles, crl, caIssuersUrls, backdate });
    const certificate = readCertificate(await issue(opened.ca, newRequest()));
    expect(certificate.extendedKeyUsage).toEqual([oids.clientAuth]);
    expect(certificate.extensions.map(({ oid }) => oid)).not.toContain(oids.cRLDistributionPoints);
    await opened.close();
  });

  it.each([
    ['an unknown key', { certificates: [] }],
    ['an unknown key of a profile', withProfile({ validity: 3 })],
    ['no profile at all', { profiles: {} }],
    ['a profile name with a space', { profiles: { 'a b': {} } }],
    ['a validity of nothing', withProfile({ validityDays: 0 })],
    ['no key usage', withProfile({ keyUsage: [] })],
    ['a key usage of CAs', withProfile({ keyUsage: ['keyCertSign'] })],
    ['an unknown extended key usage', withProfile({ extendedKeyUsage: ['clientauth'] })],
    ['anyExtendedKeyUsage by its name', withProfile({ extendedKeyUsage: ['anyExtendedKeyUsage'] })],
    ['an object identifier that does not exist', withProfile({ extendedKeyUsage: ['1.99.1'] })],
    ['an object identifier with a leading zero', withProfile({ extendedKeyUsage: ['1.3.06'] })],
    ['an https URL of a CRL', { crl: { urls: ['https://a.example/ca.crl'] } }],
    ['a URL with a space', { caIssuersUrls: ['http://a.example/c a.cer'] }],
    ['a negative backdate', { backdate: -1 }],
  ])('do not allow %s', (_what, options) => {
    expect(() => completed(options)).toThrow();
  });

  it('allow extended key usages by object identifier', () => {
    const { profiles } = completed(withProfile({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.17', '2.16.840.1.1'] }));
    expect(profiles['device']?.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.17', '2.16.840.1.1']);
  });
});

describe.each([
  ['local', localOptionsSchema],
  ['mock', mockDriver.optionsSchema],
])('The schema of the %s CA', (_name, schema) => {
  it('says of every key what it means', () => {
    const described = propertiesOf(schema).filter(
      ([, property]) =>
        typeof property['title'] === 'string' && String(property['description']).endsWith('.'),
    );
    expect(described.length).toBeGreaterThan(3);
    expect(described).toEqual(propertiesOf(schema));
  });
});

/** Every property of the schema and of the objects inside it. */
function propertiesOf(schema: SchemaObject): readonly (readonly [string, SchemaObject])[] {
  const { properties = {}, additionalProperties } = schema as {
    properties?: Record<string, SchemaObject>;
    additionalProperties?: SchemaObject | false;
  };
  const own = Object.entries(properties);
  const inner =
    additionalProperties === undefined || additionalProperties === false ? [] : [additionalProperties];
  return [...own, ...[...own.map(([, property]) => property), ...inner].flatMap(propertiesOf)];
}

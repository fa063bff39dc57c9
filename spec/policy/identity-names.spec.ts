import { beforeAll, describe, expect, it } from '@jest/globals';
import { clientIdentity } from '../../src/auth/index.ts';
import { aliasSchema } from '../../src/config/alias-schema.ts';
import { builtInDrivers } from '../../src/config/drivers.ts';
import { EstError } from '../../src/errors.ts';
import type { ClientIdentity } from '../../src/identity.ts';
import { readCertificationRequest, type CertificationRequest } from '../../src/pkix/pkcs10.ts';
import { refusalBy } from '../../src/policy/check.ts';
import type { PolicyOptions } from '../../src/policy/options.ts';
import { createPolicy, examineEnrollment, namesToCertify } from '../../src/policy/policy.ts';
import { createView } from '../../src/policy/request-view.ts';
import { certificate } from '../support/certificate.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  id,
  sequence,
  subjectAltName,
} from '../support/csr.ts';
import {
  certified,
  certifiedAltName,
  clients,
  isGranted,
  modes,
  scopeFor,
  subjects,
  triedTypes,
  twoCommonNames,
  type Client,
  type ClientName,
  type SubjectName,
  type Tried,
} from './names-matrix.ts';

const subject = ['commonName', ...triedTypes.map(({ name }) => name)];

/** As the schema completes it. */
const defaults: PolicyOptions = {
  subject,
  subjectAltName: ['dNSName', 'iPAddress', 'directoryName'],
  names: 'certificate',
  freeSubject: [],
  keys: ['P-256'],
  linking: 'optional',
  otpChallenge: 'unused',
  required: { subject: {}, subjectAltName: {}, extensions: {}, attributes: {} },
  rules: [],
  changeSubjectName: false,
  renewWithSameKey: true,
  renewAfterPercent: 0,
  renewOtherAliases: false,
  renewExpiredDays: 0,
};

async function identityOf(client: Client, type: Tried): Promise<ClientIdentity> {
  const shown =
    client.certificate && (await certificate({ subject: certified(type), extensions: [certifiedAltName] }));
  const trustAnchor = client.certificate === 'vendor' ? 'implicit' : 'explicit';
  return {
    ...clientIdentity(
      shown && { certificate: shown, trustAnchor, issuer: shown },
      client.user === undefined ? undefined : { name: client.user, isLimited: false },
    ),
    ...(client.isAuthority && {
      registrationAuthority: { name: 'ra', names: scopeFor(type), foreignLinking: false },
    }),
  };
}

/** Every subject as a CSR, with the subjectAltName of the client where the subject is empty, so that it names somebody. */
async function csrWith(wanted: Buffer, extensions: readonly Buffer[] = []): Promise<CertificationRequest> {
  const isEmpty = wanted.equals(sequence());
  const der = await certificationRequest({
    subject: wanted,
    extensions: isEmpty && extensions.length === 0 ? [certifiedAltName] : extensions,
  });
  return readCertificationRequest(der);
}

/** Undefined: granted, by the rules of the operator, too. */
async function refusalOf(
  options: Partial<PolicyOptions>,
  identity: ClientIdentity,
  csr: CertificationRequest,
): Promise<EstError | undefined> {
  const policy = createPolicy({ ...defaults, ...options });
  const viewed = { alias: 'est', operation: 'simpleenroll', clientAddress: undefined };
  const view = createView({ ...viewed, identity, csr, names: namesToCertify(csr) });
  for (const check of [...examineEnrollment(policy, identity, csr), ...policy.examine(() => view)]) {
    const refusal = await refusalBy(check);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const written = Object.keys(subjects) as SubjectName[];

describe('The matrix of names', () => {
  let csrs: readonly (readonly [Tried, ReadonlyMap<SubjectName, CertificationRequest>])[];
  beforeAll(async () => {
    csrs = await Promise.all(
      triedTypes.map(async (type) => {
        const each = written.map(async (name) => [name, await csrWith(subjects[name](type))] as const);
        return [type, new Map(await Promise.all(each))] as const;
      }),
    );
  });

  it('has every attribute type that a subject may hold', () => {
    const schema = aliasSchema(builtInDrivers)['properties'] as Readonly<
      Record<'policy', { properties: { subject: { items: { enum: readonly string[] } } } }>
    >;
    expect([...subject].sort()).toEqual([...schema.policy.properties.subject.items.enum].sort());
  });

  describe.each(modes)('names: %s', (names) => {
    it.each(Object.keys(clients) as ClientName[])(
      'S-20 Z-06 grants %s its own names, whatever the type',
      async (client) => {
        const wrong: string[] = [];
        for (const [type, ofType] of csrs) {
          const identity = await identityOf(clients[client], type);
          for (const [name, csr] of ofType) {
            const refusal = await refusalOf({ names }, identity, csr);
            const isExpected = isGranted(names, client, name, type)
              ? refusal === undefined
              : refusal?.code === 'refused_by_policy' && refusal.refusedBy?.offending !== undefined;
            if (!isExpected) wrong.push(`${type.name}, ${name}: ${refusal?.message ?? 'granted'}`);
          }
        }
        expect(wrong).toEqual([]);
      },
    );
  });

  it('S-20 has no room for a second commonName', async () => {
    await expect(csrWith(twoCommonNames)).rejects.toThrow('more than one commonName');
  });
});

describe('names: identity', () => {
  const user = clientIdentity(undefined, { name: 'device-1', isLimited: false });
  let own: ClientIdentity;
  let vendor: ClientIdentity;
  const [serialNumber] = triedTypes;
  beforeAll(async () => {
    if (serialNumber === undefined) throw new Error('No type is tried.');
    own = await identityOf(clients['a certificate of the CA'], serialNumber);
    vendor = await identityOf(clients['a vendor certificate'], serialNumber);
  });

  it.each(triedTypes)('grants the attribute $name that the policy fixes, and no other', async (type) => {
    const fixed = { ...defaults.required, subject: { [type.name]: type.own } };
    const other = { ...defaults.required, subject: { [type.name]: type.other } };
    const blank = { ...defaults.required, subject: { [type.name]: null } };
    const csr = await csrWith(subjects['its own'](type));
    const rule = (right: string): Partial<PolicyOptions> => ({ rules: [`subject.${type.name} ${right}`] });
    const granted = async (options: Partial<PolicyOptions>): Promise<boolean> =>
      (await refusalOf({ names: 'identity', ...options }, user, csr)) === undefined;
    expect(await granted({})).toBe(false);
    expect(await granted({ required: fixed })).toBe(true);
    expect(await granted({ required: other })).toBe(false);
    expect(await granted({ required: blank })).toBe(false);
    expect(await granted({ freeSubject: [type.name] })).toBe(true);
    expect(await granted({ freeSubject: [type.name === 'title' ? 'name' : 'title'] })).toBe(false);
    expect(await granted(rule(`in ${type.own}`))).toBe(true);
    expect(await granted(rule(`in ${type.other} | ${type.own}`))).toBe(true);
    expect(await granted(rule(`in ${type.other}`))).toBe(false);
    expect(await granted(rule('in *'))).toBe(false);
    expect(await granted(rule(`in ${type.other} | *`))).toBe(false);
    expect(await granted(rule('in *.example | *'))).toBe(false);
    expect(await granted(rule('== identity.username'))).toBe(false);
  });

  it('grants what a rule makes of the identity', async () => {
    const type = triedTypes.find(({ name }) => name === 'organizationalUnitName');
    if (type === undefined) throw new Error('organizationalUnitName is not tried.');
    const csr = await csrWith(subjects['its own']({ ...type, own: 'device-1' }));
    const template = await csrWith(subjects['its own']({ ...type, own: 'unit-of-device-1' }));
    const names = 'identity';
    expect(
      await refusalOf({ names, rules: ['subject.organizationalUnitName == identity.username'] }, user, csr),
    ).toBeUndefined();
    const rules = ['subject.organizationalUnitName? in unit-of-${identity.username}'];
    expect(await refusalOf({ names, rules }, user, template)).toBeUndefined();
    expect((await refusalOf({ names, rules }, user, csr))?.refusedBy).toMatchObject({
      offending: 'organizationalUnitName=device-1',
    });
  });

  it('never fixes a commonName', async () => {
    const csr = await csrWith(subjects["alice's name alone"]());
    const required = { ...defaults.required, subject: { commonName: 'alice' } };
    for (const options of [{ required }, { rules: ['subject.commonName in alice'] }]) {
      expect(await refusalOf({ names: 'identity', ...options }, user, csr)).toBeInstanceOf(EstError);
      expect(await refusalOf({ names: 'identity', ...options }, vendor, csr)).toBeInstanceOf(EstError);
    }
  });

  it('grants a vendor certificate what the policy grants, and a certificate of the CA nothing beside its name', async () => {
    const title = triedTypes.find(({ name }) => name === 'title');
    if (title === undefined || serialNumber === undefined) throw new Error('A type is not tried.');
    const added = await csrWith(subjects['an added attribute'](serialNumber));
    const options = { names: 'identity', freeSubject: ['title'] } as const;
    expect(await refusalOf(options, vendor, added)).toBeUndefined();
    expect((await refusalOf(options, own, added))?.refusedBy).toMatchObject({ offending: 'title=x' });
  });

  it('does not let granted attributes stand for the name, or be there twice', async () => {
    if (serialNumber === undefined) throw new Error('No type is tried.');
    const options = { names: 'identity', freeSubject: ['serialNumber'] } as const;
    const nameless = await csrWith(subjects['no commonName'](serialNumber));
    expect((await refusalOf(options, user, nameless))?.refusedBy).toMatchObject({
      offending: 'commonName (missing)',
    });
    const twice = await csrWith(subjects['its attribute twice'](serialNumber));
    expect(await refusalOf(options, user, twice)).toBeInstanceOf(EstError);
    const oneLevel = await csrWith(subjects['one level'](serialNumber));
    expect(await refusalOf(options, user, oneLevel)).toBeUndefined();
  });

  it.each([
    [{ names: 'certificate', freeSubject: ['title'] }, 'policy.freeSubject is for names: identity'],
    [{ names: 'any', freeSubject: ['title'] }, 'policy.freeSubject is for names: identity'],
    [
      { names: 'identity', subject: ['commonName'], freeSubject: ['title'] },
      'policy.subject does not hold title',
    ],
  ] as const)('refuses a list of free attributes that makes no sense: %j', (options, reason) => {
    expect(() => createPolicy({ ...defaults, ...options })).toThrow(reason);
  });
});

describe('A multi-valued RDN of the certificate', () => {
  it('S-20 is granted in any grouping, and not without what tells its holder from others', async () => {
    const [type] = triedTypes;
    if (type === undefined) throw new Error('No type is tried.');
    const shown = await certificate({ subject: subjects['one level'](type) });
    for (const trustAnchor of ['explicit', 'implicit'] as const) {
      const identity = clientIdentity({ certificate: shown, trustAnchor, issuer: shown }, undefined);
      const refused = async (written: SubjectName): Promise<boolean> =>
        (await refusalOf({ names: 'identity' }, identity, await csrWith(subjects[written](type)))) !==
        undefined;
      expect(await refused('one level')).toBe(false);
      expect(await refused('its own')).toBe(false);
      expect(await refused('the commonName alone')).toBe(true);
      expect(await refused('no commonName')).toBe(true);
    }
  });
});

describe('ChangeSubjectName', () => {
  it.each([
    ['identity', 'its own', true],
    ['identity', "another's attribute", false],
    ['identity', "another's commonName", false],
    ['identity', 'the commonName alone', false],
    ['certificate', "another's attribute", true],
    ['any', "another's attribute", true],
  ] as const)('R-10 with names: %s to %s is granted: %s', async (names, written, isExpected) => {
    const [type] = triedTypes;
    if (type === undefined) throw new Error('No type is tried.');
    const identity = await identityOf(clients['a certificate of the CA'], type);
    const der = await certificationRequest({
      subject: certified(type),
      extensions: [certifiedAltName],
      attributes: [attribute(id.changeSubjectName, sequence(subjects[written](type)))],
    });
    const refusal = await refusalOf(
      { names, changeSubjectName: true },
      identity,
      readCertificationRequest(der),
    );
    expect(refusal === undefined).toBe(isExpected);
  });
});

describe('A subjectAltName', () => {
  it.each([
    ['a certificate of the CA', 'device-1', true],
    ['a certificate of the CA', 'DEVICE-1', true],
    ['a certificate of the CA', 'device-2', false],
    ['a user', 'device-1', true],
    ['a user', 'device-2', false],
    ['a user and a certificate of the CA', 'alice', true],
    ['a vendor certificate', 'device-2', false],
  ] as const)('S-19 of %s, %s, is granted: %s', async (client, host, isExpected) => {
    const [type] = triedTypes;
    if (type === undefined) throw new Error('No type is tried.');
    const identity = await identityOf(clients[client], type);
    const wanted = subjects[client === 'a user' ? 'the commonName alone' : 'its own'](type);
    const csr = await csrWith(wanted, [subjectAltName(generalName(2, host))]);
    const refusal = await refusalOf({ names: 'identity' }, identity, csr);
    expect(refusal?.refusedBy?.offending).toBe(isExpected ? undefined : `dNSName=${host}`);
  });
});

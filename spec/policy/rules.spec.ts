import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EstError } from '../../src/errors.ts';
import { createNameRule } from '../../src/policy/name-rule.ts';
import type { IdentityView, RequestView } from '../../src/policy/request-view.ts';
import { milliseconds, thrownBy } from '../support/thrown.ts';

const granted = {
  subject: ['commonName', 'organizationalUnitName', 'organizationName'],
  subjectAltName: [
    'dNSName',
    'iPAddress',
    'rfc822Name',
    'uniformResourceIdentifier',
    'directoryName',
    'otherName',
  ],
} as const;

const anybody = { user: true, certificate: true };

type Names = Readonly<Record<string, readonly string[]>>;

function view(parts: { identity?: Partial<IdentityView>; subject?: Names; names?: Names }): RequestView {
  return {
    alias: 'est',
    operation: 'simpleenroll',
    newNames: true,
    identity: { kind: 'user', ...parts.identity },
    subject: parts.subject ?? {},
    subjectAltName: parts.names ?? {},
    key: { type: 'P-256', bits: 256, sha256: '' },
    keyUsage: [],
    extendedKeyUsage: [],
    extensions: [],
  };
}

/** What the rule says: undefined when it is met, else the refusal. */
function refusal(rule: string, request: RequestView): EstError | undefined {
  const error = thrownBy(createNameRule(rule, 0, granted, anybody).ask(request).check);
  if (error === undefined || error instanceof EstError) return error;
  throw new Error('Something unforeseen was thrown.', { cause: error });
}

const isMet = (rule: string, request: RequestView): boolean => refusal(rule, request) === undefined;

describe('policy.rules: NAMES == PATH', () => {
  const rule = 'subject.commonName == identity.username';
  const user = (username: string): Partial<IdentityView> => ({ username });

  it('compares whole values, exactly', () => {
    const asks = (name: string): RequestView =>
      view({ identity: user('pump-7'), subject: { commonName: [name] } });
    expect(isMet(rule, asks('pump-7'))).toBe(true);
    for (const other of ['pump-8', 'Pump-7', 'pump-7 ', 'pump-70', 'ump-7', ''])
      expect(isMet(rule, asks(other))).toBe(false);
  });

  it.each(['', '*', '*.example', 'pump-*'])('is never met by the identity value "%s"', (name) => {
    expect(isMet(rule, view({ identity: user(name), subject: { commonName: [name] } }))).toBe(false);
  });

  it('is not met without the name, nor without the value of the identity', () => {
    expect(refusal(rule, view({ identity: user('pump-7') }))).toMatchObject({
      code: 'refused_by_policy',
      refusedBy: { rule: `policy.rules[0]: ${rule}`, path: 'subject.commonName' },
    });
    expect(refusal(rule, view({ subject: { commonName: ['undefined'] } }))).toMatchObject({
      refusedBy: { path: 'identity.username' },
    });
  });

  it('asks for the name only if it is there, when it ends in a question mark', () => {
    const optional = 'subjectAltName.dNSName? == identity.username';
    expect(isMet(optional, view({ identity: user('a.example') }))).toBe(true);
    expect(isMet(optional, view({ identity: user('a.example'), names: { dNSName: ['A.example'] } }))).toBe(
      true,
    );
    expect(isMet(optional, view({ identity: user('a.example'), names: { dNSName: ['b.example'] } }))).toBe(
      false,
    );
  });

  it('wants every name to be one of the values', () => {
    const units = 'subject.organizationalUnitName == identity.subject.organizationalUnitName';
    const identity = { subject: { organizationalUnitName: ['plant', 'line-3'] } };
    const asks = (...names: string[]): RequestView =>
      view({ identity, subject: { organizationalUnitName: names } });
    expect(isMet(units, asks('line-3', 'plant'))).toBe(true);
    expect(isMet(units, asks('line-3'))).toBe(true);
    expect(isMet(units, asks('line-3', 'office'))).toBe(false);
  });
});

describe('policy.rules: NAMES in PATTERN', () => {
  const rule = 'subjectAltName.dNSName in *.${identity.subject.organizationalUnitName}.example';
  const device = (unit: string, ...dNSName: string[]): RequestView =>
    view({ identity: { subject: { organizationalUnitName: [unit] } }, names: { dNSName } });

  it('stands for one label at each star, and for the value of the identity', () => {
    expect(isMet(rule, device('line-3', 'pump.line-3.example', 'VALVE.Line-3.Example'))).toBe(true);
    for (const other of [
      ...['line-3.example', '.line-3.example', 'a.b.line-3.example', 'pump.line-4.example'],
      ...['pump.line-3.example.org', 'pump.line-3xexample', 'pump.line-3.example.', '*.line-3.example'],
    ])
      expect(isMet(rule, device('line-3', 'pump.line-3.example', other))).toBe(false);
  });

  it.each(['', '*', '.', 'a.b', 'line-3.evil', '*.evil', 'x.example.evil', '${alias}', ' ', '%2e', '\u3002'])(
    'cannot be widened by the identity value "%s"',
    (unit) => {
      const names = [`pump.${unit}.example`, 'pump.line-3.example', 'a.b.example', 'pump..example'];
      for (const name of names) expect(isMet(rule, device(unit, name))).toBe(false);
    },
  );

  it('is met by exactly the names with one label before the value, whatever the identity is', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (unit, label) => {
        const isLabel = /^[A-Za-z0-9_-]+$/.test(label);
        const isPlain = /^[\p{L}\p{N}_-]+$/u.test(unit);
        expect(isMet(rule, device(unit, `${label}.${unit}.example`))).toBe(isLabel && isPlain);
      }),
    );
  });

  it('folds no letter beyond ASCII', () => {
    expect(isMet(rule, device('\u212a', 'pump.k.example'))).toBe(false);
    const equal = 'subjectAltName.dNSName == identity.username';
    expect(
      isMet(equal, view({ identity: { username: '\u212a.example' }, names: { dNSName: ['k.example'] } })),
    ).toBe(false);
  });

  it('is not met without a value of the identity', () => {
    expect(refusal(rule, view({ names: { dNSName: ['pump..example'] } }))).toMatchObject({
      refusedBy: { path: 'identity.subject.organizationalUnitName' },
    });
  });

  it('tries one alternative after the other', () => {
    const both = 'subjectAltName.dNSName in ${identity.username}.a.example | ${identity.username}.b.example';
    const asks = (...dNSName: string[]): RequestView =>
      view({ identity: { username: 'pump' }, names: { dNSName } });
    expect(isMet(both, asks('pump.a.example', 'pump.b.example'))).toBe(true);
    expect(isMet(both, asks('pump.c.example'))).toBe(false);
  });

  it('puts values between texts within a part', () => {
    const named = 'subject.commonName in dev-${identity.username}-x';
    const asks = (commonName: string): RequestView =>
      view({ identity: { username: '17' }, subject: { commonName: [commonName] } });
    expect(isMet(named, asks('dev-17-x'))).toBe(true);
    expect(isMet(named, asks('dev-17-xx'))).toBe(false);
  });

  it.each([
    ['rfc822Name', '*@${identity.username}.example', 'a.b@plant.example', 'a@other.example'],
    ['rfc822Name', '${identity.username}@mail.example', 'plant@mail.example', 'plant2@mail.example'],
    ['uniformResourceIdentifier', 'spiffe://example/*', 'spiffe://example/pump-7', 'spiffe://example/a/b'],
    ['uniformResourceIdentifier', 'spiffe://example/*', 'spiffe://example/p.7', 'spiffe://example/..'],
    ['uniformResourceIdentifier', 'urn:dev:*', 'urn:dev:7', 'urn:dev:%2f'],
    ['uniformResourceIdentifier', 'https://a/*', 'https://a/b', 'https://a/b?c#d'],
    ['iPAddress', '10.1.0.0/16', '10.1.2.3', '10.2.0.1'],
    ['iPAddress', '10.1.0.0/16', '10.1.255.255', '::a01:203'],
    ['userPrincipalName', '*@${identity.username}.example', 'a@plant.example', 'a@other.example'],
    ['userPrincipalName', '*@plant.example', 'a@plant.example', 'a@b@plant.example'],
    ['iPAddress', '2001:db8::/32 | 192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['iPAddress', '2001:db8::/32 | 192.0.2.7', '2001:db8::1', '2001:db9::1'],
  ])('knows the parts of %s: %s', (type, pattern, good, bad) => {
    const asks = (name: string): RequestView =>
      view({ identity: { username: 'plant' }, names: { [type]: [name] } });
    expect(isMet(`subjectAltName.${type} in ${pattern}`, asks(good))).toBe(true);
    expect(isMet(`subjectAltName.${type} in ${pattern}`, asks(bad))).toBe(false);
  });

  it('S-10 takes no time for hostile names', () => {
    const asks = device('a', ...Array.from({ length: 1000 }, () => `${'a.'.repeat(120)}!`));
    expect(milliseconds(() => isMet(rule, asks))).toBeLessThan(200);
    expect(isMet(rule, asks)).toBe(false);
  });
});

describe('policy.rules that make no sense', () => {
  it.each([
    ['subject.commonName = identity.username', 'expected "NAMES == PATH"'],
    ['subject.commonName == ', 'expected "NAMES == PATH"'],
    ['commonName == identity.username', 'the left side is'],
    ['subject.userId == identity.username', 'policy.subject does not hold userId'],
    ['subjectAltName.registeredID == identity.username', 'policy.subjectAltName does not hold registeredID'],
    ['subject.commonName == identity.subject.serverAuth', 'is no path'],
    ['subject.commonName == identity.subject.2.5.4.3', 'is no path'],
    ['subject.commonName == identity.user', '"identity.user" is no path'],
    ['subject.commonName == identity.subject.comonName', 'is no path'],
    ['subject.commonName == identity.subject.constructor', 'is no path'],
    ['subject.commonName == constructor', 'is no path'],
    ['subjectAltName.dNSName in ${username}.example', '"username" is no path'],
    ['subjectAltName.dNSName in dev*.example', 'must be a whole part'],
    ['subjectAltName.dNSName in *${identity.username}.example', 'must be a whole part'],
    ['subjectAltName.dNSName in **.example', 'must be a whole part'],
    ['subjectAltName.dNSName in $identity.username.example', 'must be a whole part'],
    ['subjectAltName.iPAddress in 10.0.0.0/33', 'expected an address or a network'],
    ['subjectAltName.iPAddress in ${identity.username}', 'expected an address or a network'],
    ['subjectAltName.directoryName in *', 'can only be compared by =='],
  ])('are refused at the start: %s', (rule, reason) => {
    const make = (): unknown => createNameRule(rule, 2, granted, anybody);
    expect(make).toThrow('policy.rules[2]');
    expect(make).toThrow(reason);
  });

  it.each([
    [
      'subject.commonName == identity.username',
      { user: false, certificate: true },
      'client certificates alone',
    ],
    ['subjectAltName.dNSName in ${identity.username}.example', { user: false, certificate: true }, 'alone'],
    [
      'subject.commonName == identity.subject.commonName',
      { user: true, certificate: false },
      'user names alone',
    ],
    ['subject.commonName == identity.certificate.serialNumber', { user: true, certificate: false }, 'alone'],
  ])('are refused where no client can have what they ask for: %s', (rule, shown, reason) => {
    expect(() => createNameRule(rule, 0, granted, shown)).toThrow(reason);
    expect(() => createNameRule(rule, 0, granted, anybody)).not.toThrow();
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clientIdentity } from '../../src/auth/index.ts';
import { EstError } from '../../src/errors.ts';
import type { ClientIdentity } from '../../src/identity.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import type { Check } from '../../src/policy/check.ts';
import type { PolicyOptions } from '../../src/policy/options.ts';
import { createPolicy, examineEnrollment, examineRenewal, namesToCertify } from '../../src/policy/policy.ts';
import { certificate, named } from '../support/certificate.ts';
import {
  attribute,
  extension,
  generalName,
  id,
  keyPair,
  name,
  objectIdentifier,
  sequence,
  set,
  signedRequest,
  subjectAltName,
  tlv,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { thrownBy } from '../support/thrown.ts';

/** Grants all that a policy can grant. */
const options: PolicyOptions = {
  subject: ['commonName', 'domainComponent', 'emailAddress', 'unstructuredName', 'organizationName'],
  subjectAltName: [
    ...(['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier', 'otherName'] as const),
    'directoryName',
  ],
  names: 'any',
  freeSubject: [],
  keys: ['P-256'],
  linking: 'optional',
  otpChallenge: 'unused',
  required: { subject: {}, subjectAltName: {}, extensions: {}, attributes: {} },
  rules: [],
  changeSubjectName: true,
  renewWithSameKey: true,
  renewAfterPercent: 0,
  renewOtherAliases: false,
  renewExpiredDays: 0,
};
const policy = createPolicy(options);

let key: KeyPair;
beforeAll(async () => {
  key = await keyPair('P-256');
});

/** A subject and what the subjectAltName holds. */
interface Names {
  readonly subject: Buffer;
  readonly alternative: readonly Buffer[];
}

const cn = (text: string): Buffer => name([id.commonName, utf8String(text)]);
const subject = (type: string, value: Buffer): Names => ({ subject: name([type, value]), alternative: [] });
const attributeOf = (type: string, value: string): Buffer =>
  sequence(objectIdentifier(type), utf8String(value));
const alternative = (...names: readonly Buffer[]): Names => ({ subject: cn('device'), alternative: names });
const uri = (text: string): Names => alternative(generalName(6, text));
const other = (type: string, value: Buffer): Names =>
  alternative(tlv(0xa0, objectIdentifier(type), tlv(0xa0, value)));
const ia5 = (text: string): Buffer => tlv(0x16, Buffer.from(text, 'latin1'));
const bmp = (text: string): Buffer => tlv(0x1e, Buffer.from(text, 'utf16le').swap16());
const address = (hex: string): Names => alternative(generalName(7, Buffer.from(hex, 'hex')));

const refusedNames: readonly (readonly [what: string, names: Names])[] = [
  ['a commonName', subject(id.commonName, utf8String('*.example'))],
  ['a commonName that is an asterisk', subject(id.commonName, utf8String('*'))],
  ['a commonName with an asterisk inside', subject(id.commonName, utf8String('pump-*'))],
  ['a commonName as BMPString', subject(id.commonName, bmp('*.example'))],
  ['a commonName with a full-width asterisk', subject(id.commonName, utf8String('\uff0a.example'))],
  ['a commonName with a small asterisk', subject(id.commonName, utf8String('\ufe61.example'))],
  ['the commonName 0.0.0.0', subject(id.commonName, utf8String('0.0.0.0'))],
  ['the commonName ::', subject(id.commonName, utf8String('::'))],
  ['a domainComponent', subject('0.9.2342.19200300.100.1.25', ia5('*'))],
  ['an emailAddress', subject('1.2.840.113549.1.9.1', ia5('*@a.example'))],
  ['an unstructuredName', subject('1.2.840.113549.1.9.2', utf8String('*.example'))],
  [
    'a commonName beside another attribute of one level',
    {
      subject: sequence(set(attributeOf('2.5.4.10', 'A'), attributeOf(id.commonName, '*'))),
      alternative: [],
    },
  ],
  ['a dNSName', alternative(generalName(2, '*.example'))],
  ['a dNSName after others', alternative(generalName(2, 'a.example'), generalName(2, '*.b.example'))],
  ['the dNSName 0.0.0.0', alternative(generalName(2, '0.0.0.0'))],
  ['an rfc822Name by its host', alternative(generalName(1, 'a@b.example'), generalName(1, '*@b.example'))],
  ['an rfc822Name by its mailbox', alternative(generalName(1, 'a*b@b.example'))],
  ['the host of a URI', uri('https://*.example/path')],
  ['the host of a URI with a port', uri('coaps://*.example:5684')],
  ['the host of a URI, encoded', uri('https://%2A.example/')],
  ['the host of a URI, half of it', uri('https://a%2a.example/')],
  ['the host of a URI after a user', uri('https://user@*.example/')],
  ['the host of a SIP URI', uri('sip:pump@*.example')],
  ['the host 0.0.0.0 of a URI', uri('https://0.0.0.0:8443/')],
  ['the host :: of a URI', uri('https://[::]/')],
  ['the host of a URI with the unspecified address in the form of IPv6', uri('https://[::ffff:0.0.0.0]/')],
  ['a commonName of a directoryName', alternative(tlv(0xa4, cn('*.example')))],
  ['a userPrincipalName', other('1.3.6.1.4.1.311.20.2.3', utf8String('*@corp.example'))],
  ['a dnsSRV', other('1.3.6.1.5.5.7.8.7', ia5('_est._tcp.*.example'))],
  ['a naiRealm', other('1.3.6.1.5.5.7.8.8', utf8String('*.example'))],
  ['a smtpUTF8Mailbox', other('1.3.6.1.5.5.7.8.9', utf8String('*@m\u00fcller.example'))],
  ['an otherName of a type that is not known', other('1.3.6.1.4.1.99999.1', utf8String('*'))],
  ['0.0.0.0', address('00000000')],
  ['::', address('00000000000000000000000000000000')],
  ['::ffff:0.0.0.0', address('00000000000000000000ffff00000000')],
];
const grantedNames: readonly (readonly [what: string, names: Names])[] = [
  ['an asterisk in an organizationName', subject('2.5.4.10', utf8String('Star* Ltd'))],
  ['a commonName with an address', subject(id.commonName, utf8String('192.0.2.1'))],
  ['an asterisk in the path of a URI', uri('https://a.example/*')],
  ['an asterisk in the query of a URI', uri('https://a.example/?q=*')],
  ['an asterisk in a URN', uri('urn:dev:mac:*')],
  ['an address of IPv6', address('20010db8000000000000000000000000')],
  ['::1', address('00000000000000000000000000000001')],
  [
    'a hardwareModuleName',
    other('1.3.6.1.5.5.7.8.4', sequence(objectIdentifier('1.2.3'), tlv(0x04, Buffer.from('*')))),
  ],
];

interface Refused {
  readonly code: string;
  readonly rule: string | undefined;
}

/** Throws the first refusal; no check of a policy waits for anything. */
function refusalOf(checks: readonly Check[]): Refused | undefined {
  for (const { rule, check } of checks) {
    const error = thrownBy(() => void check());
    if (error === undefined) continue;
    if (!(error instanceof EstError)) throw new Error('Something unforeseen was thrown.', { cause: error });
    return { code: error.code, rule: error.refusedBy?.offending === undefined ? undefined : rule };
  }
  return undefined;
}

const wildcards: Refused = { code: 'refused_by_policy', rule: 'fixed: no wildcards' };

const extensionsOf = ({ alternative: names }: Names): readonly Buffer[] =>
  names.length === 0 ? [] : [subjectAltName(...names)];

async function shown({ subject, alternative: names }: Names, trustAnchor: 'explicit' | 'implicit') {
  const extensions = names.length === 0 ? [] : [extension(id.subjectAltName, sequence(...names))];
  const own = await certificate({ subject, extensions });
  const identity: ClientIdentity = clientIdentity({ certificate: own, trustAnchor, issuer: own }, undefined);
  return { certificate: own, identity };
}

/** Every way to a certificate of these names. */
const doors: Readonly<Record<string, (names: Names) => Promise<Refused | undefined>>> = {
  'a first enrolment': async (names) => {
    const { identity } = await shown({ subject: named('client'), alternative: [] }, 'explicit');
    const csr = signedRequest(key, { subject: names.subject, extensions: extensionsOf(names) });
    return refusalOf(examineEnrollment(policy, identity, readCertificationRequest(csr)));
  },
  ChangeSubjectName: async (names) => {
    const { identity } = await shown({ subject: named('client'), alternative: [] }, 'explicit');
    const change = sequence(names.subject, sequence(...names.alternative));
    const changed = names.alternative.length === 0 ? sequence(names.subject) : change;
    const parts = { subject: named('client'), attributes: [attribute(id.changeSubjectName, changed)] };
    const csr = readCertificationRequest(signedRequest(key, parts));
    return refusalOf(examineEnrollment(policy, identity, csr));
  },
  'a renewal with ChangeSubjectName': async (names) => {
    const old = await shown({ subject: named('client'), alternative: [] }, 'explicit');
    const change = sequence(names.subject, sequence(...names.alternative));
    const changed = names.alternative.length === 0 ? sequence(names.subject) : change;
    const parts = { subject: named('client'), attributes: [attribute(id.changeSubjectName, changed)] };
    const csr = readCertificationRequest(signedRequest(key, parts));
    return refusalOf(examineRenewal(policy, old.identity, old.certificate, csr, new Date()));
  },
  'a renewal of a certificate of the own CA': async (names) => await renewal(names, 'explicit'),
  'a renewal of a certificate of another CA': async (names) => await renewal(names, 'implicit'),
};

async function renewal(names: Names, trustAnchor: 'explicit' | 'implicit'): Promise<Refused | undefined> {
  const old = await shown(names, trustAnchor);
  const csr = signedRequest(key, { subject: names.subject, extensions: extensionsOf(names) });
  const read = readCertificationRequest(csr);
  return refusalOf(examineRenewal(policy, old.identity, old.certificate, read, new Date()));
}

describe.each(Object.entries(doors))('Names that stand for many, by %s', (_door, ask) => {
  it.each(refusedNames)('S-19 are refused: %s', async (_what, names) => {
    expect(await ask(names)).toEqual(wildcards);
  });

  it.each(grantedNames)('S-19 are not: %s', async (_what, names) => {
    expect(await ask(names)).toBeUndefined();
  });

  it('S-19 are refused wherever the asterisk stands in a name', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '1', '-', '*', '\uff0a'),
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const refusal = await ask(subject(id.commonName, utf8String(value)));
        expect(refusal === undefined).toBe(!/[*\uff0a]/.test(value));
      }),
      { numRuns: 30 },
    );
  });
});

describe('An IPv4 address in the form of IPv6', () => {
  it('S-19 is certified as one of IPv4, whichever way it is asked for', () => {
    const mapped = generalName(7, Buffer.from('00000000000000000000ffffc0000201', 'hex'));
    const ways = [
      { extensions: [subjectAltName(mapped)] },
      { attributes: [attribute(id.changeSubjectName, sequence(named('other'), sequence(mapped)))] },
    ];
    for (const way of ways) {
      const { subjectAltName: names } = namesToCertify(readCertificationRequest(signedRequest(key, way)));
      expect(names).toEqual([
        { type: 'iPAddress', value: '192.0.2.1', der: generalName(7, Buffer.of(192, 0, 2, 1)) },
      ]);
    }
  });

  it('S-19 is the name of a certificate that has it in either form', async () => {
    const forms = ['c0000201', '00000000000000000000ffffc0000201'];
    for (const own of forms) {
      for (const asked of forms) {
        const old = await shown(address(own), 'explicit');
        const csr = signedRequest(key, { subject: cn('device'), extensions: extensionsOf(address(asked)) });
        const read = readCertificationRequest(csr);
        expect(
          refusalOf(examineRenewal(policy, old.identity, old.certificate, read, new Date())),
        ).toBeUndefined();
      }
    }
  });
});

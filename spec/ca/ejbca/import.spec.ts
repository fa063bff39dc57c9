import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseDocument, stringify } from 'yaml';
import { importAlias, type DumpedObject, type ImportedAlias } from '../../../src/ca/ejbca/import.ts';
import { load } from '../../support/configuration-file.ts';

/** As EJBCA's page offers them for the name of an end entity. */
const dnFields = [
  ...['CN', 'UID', 'OU', 'O', 'L', 'ST', 'DC', 'C', 'emailAddress', 'SN', 'givenName', 'initials', 'surname'],
  ...['title', 'unstructuredAddress', 'unstructuredName', 'postalCode', 'businessCategory', 'dnQualifier'],
  ...['postalAddress', 'telephoneNumber', 'pseudonym', 'streetAddress', 'name'],
  ...['SERIALNUMBER', 'EMAILADDRESS', 'ORGANIZATIONALUNIT', 'STATEORPROVINCE', 'COMMONNAME', 'E', 'T', 'GN'],
];

/** Those that the page offers, too, and that are unknown here. */
const unknownFields = ['role', 'CIF', 'NIF', 'VID', 'PID', 'CertificationID'];

/** The object as the command reads it from YAML. */
function dumped(yaml: string): DumpedObject {
  return parseDocument(yaml, { schema: 'failsafe' }).toJS() as DumpedObject;
}

function imported(lines: string): ImportedAlias {
  return importAlias(dumped(`Object Type: EST Configuration\nName: est\nDefault CA: Device CA\n${lines}\n`));
}

const client = 'Operational Mode: client\nAuthentication Module: ChallengePwd';

describe('an EST alias out of a configdump', () => {
  it.each([
    ['SERIALNUMBER', 'SN'],
    ['emailAddress', 'E'],
    ['dnQualifier', 'DN'],
    ['streetAddress', 'STREET'],
    ['title', 'T'],
    ['GN', 'GIVENNAME'],
    ['givenName', 'GIVENNAME'],
    ['Organizational Unit', 'OU'],
  ])('names the part %s of a DN as it is called here', (written, field) => {
    const { settings, hints } = imported(`RA Name Generation DN Fields: [${written}, CN]`);
    expect(settings.nameGeneration).toEqual({ parameters: `${field};CN` });
    expect(hints.join()).not.toContain(written);
    const asText = imported(`RA Name Generation Parameters: ${written};CN`);
    expect(asText.settings.nameGeneration).toEqual({ parameters: `${field};CN` });
  });

  it.each([
    ['Extract Username Component', 'DN'],
    // The code cannot be all of the subject.
    ['extractdnpartpwdcomponent', undefined],
  ])('has the field %s', (key, whole) => {
    const valueOf = (written: string): unknown[] => {
      const { extractUsernameComponent, extractDnPartPasswordComponent } = imported(
        `Operational Mode: client\nAuthentication Module: DnPartPwd\n${key}: ${written}`,
      ).settings;
      return [extractUsernameComponent ?? extractDnPartPasswordComponent];
    };
    expect(dnFields.filter((field) => valueOf(field)[0] === undefined)).toEqual(['dnQualifier']);
    expect(valueOf('SERIALNUMBER')).toEqual(['SN']);
    expect(valueOf('DN')).toEqual([whole]);
  });

  it.each(unknownFields)('leaves out the part %s of a DN, and says so', (field) => {
    const { settings, hints } = imported(`RA Name Generation DN Fields: [${field}, SN]`);
    expect(settings.nameGeneration).toEqual({ parameters: 'SN' });
    expect(hints.join('\n')).toContain(`"${field}" is no part of a DN that is known here`);
    expect(imported(`${client}\nExtract Username Component: ${field}`).hints.join('\n')).toContain(field);
  });

  it.each([
    ['007', '007'],
    ['1e3', '1e3'],
    ['1.10', '1.10'],
    ['no', 'no'],
    ['null', 'null'],
    ['0x1F', '0x1F'],
    ['line 1', 'line%201'],
    ['a/b', 'a%2Fb'],
    ['Gerät', 'Ger%C3%A4t'],
    ['ca:1', 'ca:1'],
  ])('keeps its name %s', (written, name) => {
    const alias = importAlias(dumped(`Object Type: EST Configuration\nName: ${written}\nDefault CA: A\n`));
    expect(alias.name).toBe(name);
  });

  it.each([
    ['simpleenroll', 'simpleenroll-alias'],
    ['..', 'alias'],
    ['', 'alias'],
    ['Ж'.repeat(32), 'alias'],
  ])('gets another name than "%s", which cannot stand in paths', (written, name) => {
    const alias = importAlias({ 'Object Type': 'EST Configuration', Name: written });
    expect([alias.name, alias.hints[0]]).toEqual([name, expect.stringMatching(/choose another one/)]);
  });

  it('gives the names of the profiles that EJBCA itself has', () => {
    expect(imported("certprofile: '1'\neeprofile: '1'").settings).toMatchObject({
      certificateProfile: 'ENDUSER',
      endEntityProfile: 'EMPTY',
    });
    expect(imported("certprofile: '0'").hints.join('\n')).toContain('the default profile');
  });

  it('takes the keys of the storage with the name of the alias', () => {
    const { settings, hints } = importAlias(
      dumped(
        'Object Type: EST Configuration\nName: a.b\na.b.defaultca: X\na.b.ra.namegenerationscheme: random\n',
      ),
    );
    expect(settings).toEqual({ certificateAuthority: 'X', nameGeneration: { scheme: 'RANDOM' } });
    expect(hints).toEqual([]);
  });

  it('puts a slash where EJBCA does', () => {
    const { settings } = imported(
      "RA Name Generation Prefix: 'a;b!'\nRA Name Generation Postfix: '-${RANDOM}$'",
    );
    expect(settings.nameGeneration).toEqual({ prefix: 'a/b/', postfix: '-${RANDOM}/' });
  });

  it.each([
    ['RA Verify Proof-of-Possession: true', /every CSR must be signed with its own key/],
    ['Support Proxy CA: true', /a proxy CA in EJBCA/],
    [
      'Authentication Module: DnPartPwd',
      /authenticationModule: left out, since EJBCA uses it in client mode/,
    ],
    ['Vendor Certificate Mode: true', /vendorCertificateMode: left out, since EJBCA uses it in client mode/],
    [
      `${client}\nClient Username: ra`,
      /requireUsernameAndPassword: left out, since EJBCA uses it in RA mode/,
    ],
    [
      `${client}\nVendor CAs: [A]`,
      /vendorCas: left out, since EJBCA uses it without an authentication module/,
    ],
    ['Operational Mode: client', /EJBCA has none for this alias, and lets nobody enrol; ChallengePwd/],
    ['Client Username: ra\nSomething New: [1]', /"Something New" is not known here/],
  ])('says what is left over: %s', (lines, hint) => {
    expect(imported(lines).hints.join('\n')).toMatch(hint);
  });

  it('never opens what EJBCA protects, nor what it leaves open', () => {
    expect(imported('Require Client Certificate: false').settings.requireClientCertificate).toBe(true);
    const byUser = imported('Require Client Certificate: false\nClient Username: ra').settings;
    expect(byUser).toMatchObject({ requireClientCertificate: false, requireUsernameAndPassword: true });
  });

  it('is one that a gateway starts with, whatever EJBCA allows', async () => {
    const text = fc.string({ maxLength: 8 });
    const bool = fc.constantFrom('true', 'false', '', 'Allow');
    const field = fc.constantFrom(...dnFields, ...unknownFields, 'DN', '');
    const values = fc.record(
      {
        Name: fc.oneof(text, fc.constantFrom('est', 'simpleenroll', '..', '007', '__proto__')),
        'Operational Mode': fc.constantFrom('ra', 'client', 'RA Mode', 'Client Mode', ''),
        'Default CA': fc.oneof(text, fc.constantFrom('', '-1652389506')),
        'Certificate Profile': fc.constantFrom('Device', 'ProfileDefault', '0', '1', '9', '123456', ''),
        'End Entity Profile': fc.constantFrom('Device', '1', '123456', ''),
        'Require Client Certificate': bool,
        'Client Username': text,
        'Client Password': text,
        'Certificate Renewal with Same Keys': bool,
        'RA Name Generation Scheme': fc.constantFrom('DN', 'RANDOM', 'FIXED', 'USERNAME', 'dn', '', 'ODD'),
        'RA Name Generation DN Fields': fc.oneof(text, fc.array(field), field),
        'RA Name Generation Prefix': fc.oneof(text, fc.constant('${RANDOM}')),
        'RA Name Generation Postfix': text,
        'Vendor Certificate Mode': bool,
        'Vendor CAs': fc.oneof(text, fc.array(text), fc.constantFrom('1;2', 'A;A')),
        'Extract Username Component': field,
        'Extract DN Part Pwd Component': field,
        'Authentication Module': fc.constantFrom('ChallengePwd', 'DnPartPwd', 'HttpBasicAuth', '', 'odd'),
        'Allow ChangeSubjectName': bool,
        'Support Proxy CA': bool,
        'Server Key Generation Enabled': bool,
        Novelty: text,
      },
      { requiredKeys: [] },
    );
    const backends = {
      ejbca: {
        driver: 'ejbca',
        baseUrl: 'https://ejbca.example/ejbca',
        trustAnchor: 'ca.pem',
        clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
      },
    };
    const common = {
      listeners: { est: { certificate: 'server.pem', privateKey: 'file:server.key' } },
      store: { driver: 'sqlite', file: 'state.sqlite' },
      backends,
    };
    const entry = (settings: object): object => ({ backend: 'ejbca', ejbca: settings });
    await fc.assert(
      fc.asyncProperty(values, async (dump) => {
        const { name, settings } = importAlias({ 'Object Type': 'EST Configuration', ...dump });
        const est = entry({ certificateAuthority: 'A' });
        const aliases = Object.fromEntries([
          ['est', est],
          [name, entry(settings)],
        ]);
        const loaded = await load(stringify({ ...common, aliases }));
        expect(Object.keys(loaded.aliases)).toContain(name);
      }),
      { numRuns: 300 },
    );
  });
});

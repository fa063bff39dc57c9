import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { load } from '../support/configuration-file.ts';
import { run, temporaryFolder, type Outcome } from './command-line.ts';

/** As the configdump of EJBCA Enterprise writes an EST alias in RA mode. */
const raMode = `---
Object Type: EST Configuration
Version: 1
Name: est
RA Name Generation Scheme: DN
RA Name Generation DN Fields: [CN, UID]
RA Name Generation Prefix: 'est-'
RA Name Generation Postfix: '-\${RANDOM}'
Default CA: Device CA
End Entity Profile: Device EE
Certificate Profile: Device
Require Client Certificate: false
Client Username: factory
Client Password: OBF:1v2j1uum1xtv1zej
Certificate Renewal with Same Keys: false
`;

/** By the words of EJBCA's pages. */
const vendorMode = `Object Type: EST Configuration
Name: pumps
EST Operational Mode: Client Mode
CA Name: Device CA
Extract Username Component: CN
Vendor Certificate Mode: true
List of Vendor CAs: [Vendor CA]
Allow ChangeSubjectName: Allow
Enable server side key generation: true
`;

/** As EJBCA stores it. */
const clientMode = `Object Type: EST Configuration
name: codes
operationmode: client
defaultca: '1652389506'
authenticationmodule: DnPartPwd
extractusernamecomponent: CN
extractdnpartpwdcomponent: SN
vendorcertificatemode: 'false'
vendorcaids: ''
supportproxyca: 'false'
severkeygenenabled: 'false'
`;

const withoutDefault =
  'aliases: none is named est, which serves requests without an alias in their path; the configuration must have it.\n';

describe('est-gateway import-ejbca', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(async () => {
    await folder.remove();
  });

  async function importing(...texts: readonly string[]): Promise<Outcome> {
    const files = texts.map((_, index) => join(folder.path, `${index}.yaml`));
    await Promise.all(
      texts.map(async (text, index) => {
        await writeFile(files[index] ?? '', text);
      }),
    );
    return await run(['import-ejbca', ...files]);
  }
  const settingsIn = ({ stdout }: Outcome, alias = 'est'): unknown =>
    (parse(stdout) as { aliases: Record<string, { ejbca: unknown }> }).aliases[alias]?.ejbca;

  it('gives an RA mode alias with its settings, and says that its user is to be added', async () => {
    const outcome = await importing(raMode);
    expect(outcome.code).toBe(0);
    expect(settingsIn(outcome)).toEqual({
      certificateAuthority: 'Device CA',
      certificateProfile: 'Device',
      endEntityProfile: 'Device EE',
      requireClientCertificate: false,
      requireUsernameAndPassword: true,
      allowUpdateWithSameKey: false,
      nameGeneration: { scheme: 'DN', parameters: 'CN;UID', prefix: 'est-', postfix: '-${RANDOM}' },
    });
    expect(outcome.stderr).toBe(
      'aliases.est: Add the user: est-gateway user add factory --alias est --code-stdin\n',
    );
    expect(outcome.stdout + outcome.stderr).not.toContain('OBF');
  });

  it('prints what the configuration takes', async () => {
    const { stdout } = await importing(raMode, clientMode, vendorMode);
    const { aliases } = parse(stdout) as { aliases: object };
    const backends = {
      ejbca: {
        driver: 'ejbca',
        baseUrl: 'https://ejbca.example/ejbca',
        trustAnchor: 'ca.pem',
        clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
      },
    };
    const listeners = { est: { certificate: 'server.pem', privateKey: 'file:server.key' } };
    const store = { driver: 'sqlite', file: 'state.sqlite' };
    const loaded = await load(stringify({ listeners, store, backends, aliases }));
    expect(loaded.aliases['est']).toMatchObject({
      backend: 'ejbca',
      ejbca: { certificateProfile: 'Device' },
    });
    expect(Object.keys(loaded.aliases)).toEqual(['est', 'codes', 'pumps']);
  });

  it("knows the words of EJBCA's pages and of its storage", async () => {
    const outcome = await importing(vendorMode, clientMode);
    expect(settingsIn(outcome, 'pumps')).toEqual({
      operationMode: 'client',
      certificateAuthority: 'Device CA',
      extractUsernameComponent: 'CN',
      vendorCertificateMode: true,
      vendorCas: ['Vendor CA'],
      allowChangeSubjectName: true,
      serverKeyGeneration: true,
    });
    expect(settingsIn(outcome, 'codes')).toEqual({
      operationMode: 'client',
      certificateAuthority: '1652389506',
      authenticationModule: 'DnPartPwd',
      extractUsernameComponent: 'CN',
      extractDnPartPasswordComponent: 'SN',
    });
    expect(outcome.stderr).toBe(
      'aliases.codes: certificateAuthority: EJBCA gave the id 1652389506; put in the name of the CA.\n' +
        withoutDefault,
    );
  });

  it.each([
    ['Require Client Certificate: true', /every certificate of the alias's CA may enrol/],
    ['Certificate Profile: ProfileDefault', /put in the default profile of the end entity profile/],
    ['RA Name Generation Scheme: ODD', /expected DN, RANDOM, FIXED or USERNAME/],
    ['Authentication Module: Odd', /expected ChallengePwd, DnPartPwd or HttpBasicAuth/],
    ['Something New: 1', /"Something New" is not known here/],
    ['Require Client Certificate: false', /nobody enrols without authentication/],
    [
      'Extract Username Component: NOPE',
      /extractUsernameComponent: NOPE is no part of a DN that is known here/,
    ],
  ])('says what needs a hand: %s', async (line, hint) => {
    const outcome = await importing(
      `Object Type: EST Configuration\nName: est\nDefault CA: Device CA\n${line}\n`,
    );
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.stringMatching(hint)]);
  });

  it('says that none is named est', async () => {
    const { stderr } = await importing(raMode.replace('Name: est', 'Name: line-1'));
    expect(stderr).toContain('aliases: none is named est');
  });

  it.each([
    [
      'what is no EST configuration',
      ['Object Type: Certificate Profile\nName: Device\n'],
      /Found no EST configuration/,
    ],
    ['what is no YAML', ['a: [b'], /0\.yaml: /],
    ['two of one name', [raMode, raMode], /two EST configurations with the name "est"/],
  ])('refuses %s', async (_what, texts, reason) => {
    const outcome = await importing(...texts);
    expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([1, '', expect.stringMatching(reason)]);
  });
});

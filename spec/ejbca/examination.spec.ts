import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { recordLog, type RecordedLog } from '../support/log.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };

const allRules = [
  '/administrator/',
  '/ca/Device CA/',
  '/ca_functionality/create_certificate/',
  '/endentityprofilesrules/Device/',
  '/ra_functionality/create_end_entity/',
  '/ra_functionality/edit_end_entity/',
  '/ra_functionality/view_end_entity/',
];

describe('check asks EJBCA whether it is set up', () => {
  let running: EjbcaGateway;
  /** Of the gateway's role, which a spec may shorten. */
  const role: string[] = [...allRules];

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: byUser },
      role: role,
      prepare: async (ejbca) => {
        await ejbca.addCertificationAuthority('Other CA');
        ejbca.addCertificateProfile('Foreign', { certificationAuthorities: ['Other CA'] });
        ejbca.addCertificateProfile('Both', { certificationAuthorities: ['Device CA', 'Other CA'] });
        ejbca.addEndEntityProfile('Foreign', { certificationAuthorities: ['Other CA'] });
        ejbca.addEndEntityProfile('Both', { certificationAuthorities: ['Device CA', 'Other CA'] });
        ejbca.addEndEntityProfile('Bare', { certificateProfiles: ['Foreign'] });
      },
    });
  });

  beforeEach(() => {
    role.splice(0, role.length, ...allRules);
    running.ejbca.enabledProtocols.add('Web Service').add('REST Certificate Management V2');
  });

  afterAll(async () => {
    await running.stop();
  });

  async function check(changes: object = {}, log: RecordedLog = recordLog()): Promise<readonly string[]> {
    const configuration = await loadConfiguration(running.gateway.configurationFile);
    const alias = configuration.aliases['basic'] as unknown as { readonly ejbca: object };
    const changed = { ...alias, ejbca: { ...alias.ejbca, ...changes } };
    const aliases = { basic: changed } as unknown as typeof configuration.aliases;
    return await checkGateway({ ...configuration, aliases }, log);
  }

  it('finds nothing when all is well, and says what it cannot see', async () => {
    const log = recordLog();
    expect(await check({}, log)).toEqual([]);
    const warnings = log.entries.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toContainEqual(
      expect.stringMatching(/^backends\.ejbca: .* makes passwords .*End Entity Profiles/),
    );
    expect(warnings).toContainEqual(expect.stringMatching(/^backends\.ejbca: .* approvals are on /));
  });

  it.each([
    [
      'an end entity profile that is not there',
      { endEntityProfile: 'None' },
      /^aliases\.basic: There is no end entity profile None .* RA Functions, End Entity Profiles/,
    ],
    [
      'an end entity profile with a CA that the role may not use',
      { endEntityProfile: 'Both' },
      /^aliases\.basic: There is no end entity profile Both .* searches find nothing/,
    ],
    [
      'an end entity profile without the certificate profile',
      { endEntityProfile: 'Bare' },
      /^aliases\.basic: The end entity profile Bare does not offer the certificate profile Device; .* End Entity Profiles/,
    ],
    [
      'a certificate profile that does not allow the CA',
      { certificateProfile: 'Foreign' },
      /^aliases\.basic: The certificate profile Foreign does not allow the CA Device CA; .* Certificate Profiles/,
    ],
    [
      'a certificate profile with a CA that the role may not use',
      { certificateProfile: 'Both' },
      /^aliases\.basic: The certificate profile Both lists a CA that the role may not use, /,
    ],
  ])('finds %s', async (_what, changes, finding) => {
    role.push('/endentityprofilesrules/');
    expect(await check(changes)).toContainEqual(expect.stringMatching(finding));
  });

  it('finds that no registered end entity can have a profile of the CA', async () => {
    const client = { operationMode: 'client', authenticationModule: 'HttpBasicAuth' };
    expect(await check(client)).toEqual([]);
    role.splice(role.indexOf('/endentityprofilesrules/Device/'), 1);
    expect(await check(client)).toContainEqual(
      expect.stringMatching(/^aliases\.basic: No end entity profile .* offers the CA Device CA, /),
    );
  });

  it('finds that the role lacks the end entity profile', async () => {
    role.splice(role.indexOf('/endentityprofilesrules/Device/'), 1);
    expect(await check()).toContainEqual(
      expect.stringMatching(
        /^aliases\.basic: There is no end entity profile Device that the gateway's role may use/,
      ),
    );
  });

  it('finds an end entity profile without the CA', async () => {
    role.push('/endentityprofilesrules/', '/ca/Other CA/');
    expect(await check({ endEntityProfile: 'Foreign' })).toContainEqual(
      expect.stringMatching(
        /^aliases\.basic: The end entity profile Foreign does not offer the CA Device CA; /,
      ),
    );
  });

  it.each(allRules.filter((rule) => rule.includes('functionality')))(
    'finds that the role lacks %s',
    async (rule) => {
      role.splice(role.indexOf(rule), 1);
      expect(await check()).toContain(
        `aliases.basic: Allow ${rule} in the role of the gateway. EJBCA: System Functions, Roles and Access Rules.`,
      );
    },
  );

  it.each([
    [
      'Web Service',
      /^aliases\.basic: .*Enable "Web Service"\. EJBCA: System Configuration, Protocol Configuration/,
    ],
    ['REST Certificate Management V2', /Enable "REST Certificate Management V2"/],
  ] as const)('finds that %s is off', async (protocol, finding) => {
    running.ejbca.enabledProtocols.delete(protocol);
    expect(await check()).toContainEqual(expect.stringMatching(finding));
  });

  it('is done at the start and at a reload, too', async () => {
    role.splice(role.indexOf('/ra_functionality/create_end_entity/'), 1);
    await running.gateway.reload();
    expect(running.gateway.log.entries).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringMatching(/^aliases\.basic: Allow \/ra_functionality\/create_end_entity\/ /),
      }),
    );
  });
});

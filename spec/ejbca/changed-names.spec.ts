import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { run } from '../cli/command-line.ts';
import { send, type Answer } from '../support/client.ts';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  keyPair,
  name,
  objectIdentifier,
  octetString,
  printableString,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import { basic, certificateOf, enrolDevice, enrolment, renew } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const policy = {
  subject: ['commonName', 'organizationName', 'generationQualifier', 'x500UniqueIdentifier'],
  subjectAltName: [
    ...['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier', 'directoryName', 'registeredID'],
    'otherName',
  ],
  quota: { certificates: 1000, period: 60 },
};

const types = {
  generationQualifier: '2.5.4.44',
  userPrincipalName: '1.3.6.1.4.1.311.20.2.3',
  permanentIdentifier: '1.3.6.1.5.5.7.8.3',
  hardwareModuleName: '1.3.6.1.5.5.7.8.4',
  krb5PrincipalName: '1.3.6.1.5.2.2',
};

const commonName = (value: string): Buffer => name([id.commonName, utf8String(value)]);
const otherName = (type: string, value: Buffer): Buffer =>
  tlv(0xa0, objectIdentifier(type), tlv(0xa0, value));
const directoryName = (value: Buffer): Buffer => tlv(0xa4, value);
const uri = (text: string): Buffer => generalName(6, text);

/** What EJBCA replaces, and what begins or ends with a blank. */
const replaced = ['%', '?', ';', '!', '$', '~', '`', '\\'];
const changedText = fc
  .tuple(
    fc.stringMatching(/^[a-z0-9 ,+="#/:é]{0,8}$/),
    fc.constantFrom(...replaced),
    fc.stringMatching(/^[a-z0-9]{1,8}$/),
  )
  .map(([before, character, after]) => ({ character, text: `x${before}${character}${after}` }));

describe('names that EJBCA would change', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: { ...byUser, alias: { policy, serverKeyGeneration: {} } },
        prefixed: {
          ...byUser,
          alias: { policy },
          nameGeneration: { scheme: 'DN', parameters: '', prefix: ' x' },
        },
        client: {
          operationMode: 'client',
          authenticationModule: 'HttpBasicAuth',
          extractUsernameComponent: 'CN',
        },
        challenge: {
          operationMode: 'client',
          authenticationModule: 'ChallengePwd',
          extractUsernameComponent: 'CN',
        },
      },
    });
  });
  afterAll(async () => {
    await running.stop();
  });

  async function ask(
    parts: CertificationRequestParts,
    { alias = 'basic', operation = 'simpleenroll', Authorization = basic } = {},
  ): Promise<Answer> {
    const csr = await certificationRequest({ key: await generateKeyPair('P-256'), ...parts });
    return await send(`${running.gateway.url}/${alias}/${operation}`, {
      ca: running.gateway.trustAnchor,
      ...enrolment(csr, { Authorization }),
    });
  }

  /** The sentence of the refusal; nothing was asked of EJBCA, and nothing recorded. */
  async function refusal(
    parts: CertificationRequestParts,
    options: Parameters<typeof ask>[1] = {},
  ): Promise<string> {
    const { ejbca, gateway } = running;
    const before = [ejbca.requests.length, await gateway.store.enrollments.list(1)];
    const { status, body } = await ask(parts, options);
    expect([ejbca.requests.length, await gateway.store.enrollments.list(1)]).toEqual(before);
    const { rule } = gateway.log.entries.findLast(({ message }) => message === 'request')?.fields ?? {};
    expect([status, rule]).toEqual([400, 'fixed: names that the CA certifies as they are']);
    return body;
  }

  const san = (...names: readonly Buffer[]): CertificationRequestParts => ({
    subject: commonName('device'),
    extensions: [subjectAltName(...names)],
  });

  it.each<[string, CertificationRequestParts, string]>([
    [
      'a blank at the end',
      { subject: commonName('device ') },
      'The commonName in the subject begins or ends with a blank',
    ],
    [
      'several attributes in one part',
      {
        subject: sequence(
          set(
            sequence(objectIdentifier(id.commonName), utf8String('a')),
            sequence(objectIdentifier(id.organizationName), utf8String('b')),
          ),
        ),
      },
      'The subject has several attributes in one part (a multi-valued RDN)',
    ],
    [
      'a type that EJBCA has no field for',
      { subject: name([id.commonName, utf8String('a')], [types.generationQualifier, utf8String('III')]) },
      'The CA does not know the attribute type generationQualifier in the subject',
    ],
    [
      'an escape in a URI',
      san(uri('http://a.example/%20')),
      'a name of the type uniformResourceIdentifier that holds %',
    ],
    [
      'a mail address with a sign',
      san(generalName(1, 'a!b@c.example')),
      'a name of the type rfc822Name that holds !',
    ],
    ['a mail address with # first', san(generalName(1, '#a@c.example')), 'that begins with #'],
    [
      'a directoryName',
      san(directoryName(commonName('a?b'))),
      'The commonName in a directoryName of the subjectAltName holds ?',
    ],
    ['an empty directoryName', san(directoryName(sequence())), 'an empty directoryName'],
    [
      'an otherName that EJBCA does not know',
      san(generalName(2, 'a.example'), otherName('1.2.3.4', utf8String('hello'))),
      'an otherName of the type 1.2.3.4, which the CA does not certify as it is',
    ],
    [
      'a HardwareModuleName',
      san(
        otherName(types.hardwareModuleName, sequence(objectIdentifier('1.2.3'), octetString(Buffer.of(1)))),
      ),
      types.hardwareModuleName,
    ],
    ['a krb5PrincipalName', san(otherName(types.krb5PrincipalName, sequence())), types.krb5PrincipalName],
    ['a UPN', san(otherName(types.userPrincipalName, utf8String('a$@b'))), 'that holds $'],
    [
      'a UPN in another string type',
      san(otherName(types.userPrincipalName, printableString('a@b'))),
      'in another string type than the CA writes',
    ],
    [
      'a permanentIdentifier',
      san(otherName(types.permanentIdentifier, sequence(utf8String('a/b')))),
      'that holds /',
    ],
  ])('refuses %s before EJBCA is asked', async (_what, parts, sentence) => {
    expect(await refusal(parts)).toContain(sentence);
    expect(await refusal(parts, { operation: 'serverkeygen' })).toContain(sentence);
  });

  it('refuses every character that EJBCA replaces, wherever it stands, and names it', async () => {
    const places: readonly ((text: string) => CertificationRequestParts)[] = [
      (text) => ({ subject: commonName(text) }),
      (text) => ({
        subject: name([id.organizationName, utf8String(text)], [id.commonName, utf8String('a')]),
      }),
      (text) => san(otherName(types.userPrincipalName, utf8String(text))),
      (text) => san(directoryName(commonName(text))),
    ];
    await fc.assert(
      fc.asyncProperty(changedText, fc.constantFrom(...places), async ({ character, text }, place) => {
        const found = replaced.filter((one) => text.includes(one));
        const sentence = await refusal(place(text));
        expect(found.some((one) => sentence.includes(`holds ${one},`))).toBe(true);
        expect(found).toContain(character);
      }),
      { numRuns: 60 },
    );
  });

  it('lets pass what EJBCA keeps', async () => {
    const kept = fc
      .stringMatching(/^[a-zA-Z0-9,+=#/:@'()&}\[\]^_. é-]{1,20}$/)
      .filter((text) => text.trim() === text);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(kept, async (text) => {
        const value = `${text}${(count += 1)}`;
        const answer = await ask({
          subject: commonName(value),
          extensions: [subjectAltName(uri('urn:a,b=c+d'), generalName(7, Buffer.of(192, 0, 2, 1)))],
        });
        expect([answer.status, answer.body.length > 500 ? '' : answer.body]).toEqual([200, '']);
        const certificate = new X509Certificate(await certificateOf(answer));
        expect(certificate.toLegacyObject().subject).toMatchObject({ CN: value });
      }),
      { numRuns: 15 },
    );
  });

  it('refuses a user name that EJBCA would cut off or change, whatever it is made from', async () => {
    expect(await refusal({ subject: commonName('a') }, { alias: 'prefixed' })).toContain(
      'The user name begins or ends with a blank',
    );
    const of = (user: string): { readonly Authorization: string; readonly alias: string } => ({
      Authorization: `Basic ${Buffer.from(`${user}:code`).toString('base64')}`,
      alias: 'client',
    });
    for (const user of [' meter', 'meter ', 'me%ter', 'me<ter', 'me\\ter', 'me"ter', 'me|ter', 'me{ter']) {
      expect(await refusal({ subject: commonName('meter') }, of(user))).toMatch(
        /^The user name (holds|begins)/,
      );
    }
    expect(
      await refusal(
        {
          subject: commonName('me~ter'),
          attributes: [sequence(objectIdentifier(id.challengePassword), set(utf8String('code')))],
        },
        { alias: 'challenge' },
      ),
    ).toContain('The user name holds ~');
  });

  it('refuses a policy fault first, and takes nothing of a quota', async () => {
    const { status, body } = await ask({
      subject: commonName('a%b'),
      extensions: [subjectAltName(generalName(2, '*.example'))],
    });
    expect([status, body]).toEqual([403, expect.stringContaining('wildcards')]);
  });

  it('lets a renewal pass', async () => {
    const device = await enrolDevice(running.gateway, 'renews', 'basic');
    const csr = await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: commonName('renews'),
    });
    expect((await renew(running.gateway, device, csr, 'basic')).status).toBe(200);
  });

  it('is said by policy test', async () => {
    const { gateway } = running;
    const file = join(gateway.directory, 'changed.csr');
    const test = async (subject: Buffer): Promise<string> => {
      await writeFile(file, await certificationRequest({ key: await keyPair('P-256'), subject }));
      const { stdout } = await run([
        ...['policy', 'test', '--config', gateway.configurationFile, '--csr', file],
        ...['--alias', 'basic', '--identity', 'user:device'],
      ]);
      return stdout;
    };
    expect(await test(commonName('a%b'))).toContain(
      'refused  fixed: names that the CA certifies as they are\n         400: The commonName in the subject holds %',
    );
    expect(await test(commonName('a-b'))).toContain(
      'passed   fixed: names that the CA certifies as they are\n',
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import type { CertificationAuthority, EnrollmentRequest, EnrollmentResult } from '../../src/ca/ca.ts';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { certsOnly } from '../../src/pkix/cms.ts';
import { nameChanges, type NameChange } from '../../src/pkix/name-changes.ts';
import { newCaTexts } from '../ca/setup.ts';
import { startEjbcaGateway } from '../ejbca/setup.ts';
import {
  certificateChanges,
  signChanged,
  signingCa,
  type CertificateChange,
} from '../support/changed-certificate.ts';
import { send, type Answer } from '../support/client.ts';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { basic, certificateOf, enrolment } from '../support/device.ts';
import { startEstServer, sendPkcs7 } from '../support/est-server.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { receive } from '../support/refused-csr.ts';

/** A gateway in front of a CA that makes of certificates what a spec says. */
interface Setup {
  readonly gateway: TestGateway;
  change: (change: CertificateChange) => void;
  /** How often the CA was asked to issue. */
  readonly asked: () => number;
  /** Serial numbers, lower-case hex, of what the CA has revoked; undefined: the gateway has no way to say so. */
  readonly revoked: () => readonly string[] | undefined;
  /** What the CA does by its nature. */
  readonly nature: readonly NameChange[];
  stop(): Promise<void>;
}

/** An alias for each change that it allows alone, one for all of them, and one that says nothing. */
function aliasesWith(alias: object): Readonly<Record<string, object>> {
  const settings: Readonly<Record<string, readonly NameChange[] | undefined>> = {
    silent: undefined,
    nothing: [],
    all: nameChanges,
    ...Object.fromEntries(nameChanges.map((change) => [change, [change]])),
  };
  return Object.fromEntries(
    Object.entries(settings).map(([key, issuedNames]) => [
      key,
      { ...alias, ...(issuedNames !== undefined && { issuedNames }) },
    ]),
  );
}

async function behindOwnDriver(): Promise<Setup> {
  const texts = await newCaTexts();
  const ca = signingCa(texts);
  const chain = [ca.certificate, ...texts.chain.flatMap(certificatesFromPem)].map(({ der }) => der);
  const revoked: string[] = [];
  let change: CertificateChange = 'none';
  let asked = 0;
  const issue = async ({
    csr,
    subject,
    subjectAltName: names,
  }: EnrollmentRequest): Promise<EnrollmentResult> => {
    asked += 1;
    const approved = { subject, alternativeNames: names, spki: csr.publicKey.spki };
    return { status: 'issued', certificate: await signChanged(ca, approved, change) };
  };
  const authority: CertificationAuthority = {
    caCertificates: async () => await Promise.resolve(chain),
    enroll: async (request) =>
      request.profile === 'later'
        ? { status: 'pending', reference: 'r', retryAfter: 1 }
        : await issue(request),
    resume: async (_reference, request) => await issue(request),
    revoke: async ({ serialNumber }) => {
      if (change === 'attribute added') throw new Error('The CA revokes nothing now.');
      revoked.push(serialNumber);
      await Promise.resolve();
    },
  };
  const driver = {
    name: 'changing',
    optionsSchema: { type: 'object', title: 'Changing', description: 'x', additionalProperties: false },
    open: async () => await Promise.resolve(authority),
  };
  const alias = { backend: 'changing', profile: undefined, serverKeyGeneration: {} };
  const gateway = await startTestGateway({
    backends: { changing: { driver: 'changing' } },
    drivers: { certificationAuthorities: [driver] },
    aliases: { ...aliasesWith(alias), later: { ...alias, profile: 'later' } },
  });
  return {
    gateway,
    change: (wanted) => void (change = wanted),
    asked: () => asked,
    revoked: () => revoked,
    nature: [],
    stop: async () => {
      await gateway.stop();
    },
  };
}

async function behindEst(relay: readonly string[]): Promise<Setup> {
  const server = await startEstServer();
  const ca = signingCa(server.ca);
  let change: CertificateChange = 'none';
  let asked = 0;
  server.answer(async ({ body }, response) => {
    asked += 1;
    const {
      subject,
      subjectAltName: alternativeNames = [],
      publicKey,
    } = await receive(Buffer.from(body, 'base64'));
    const approved = { subject, alternativeNames, spki: publicKey.spki };
    sendPkcs7(response, certsOnly([await signChanged(ca, approved, change)]));
  });
  const gateway = await startTestGateway({
    backends: {
      upstream: {
        driver: 'est',
        url: server.url,
        trustAnchor: 'upstream.pem',
        clientCertificate: { certificate: 'upstream-client.pem', privateKey: 'file:upstream-client.key' },
        relay,
      },
    },
    aliases: aliasesWith({ backend: 'upstream' }),
    files: {
      'upstream.pem': server.trustAnchor,
      'upstream-client.pem': server.client.cert,
      'upstream-client.key': server.client.key,
    },
  });
  return {
    gateway,
    change: (wanted) => void (change = wanted),
    asked: () => asked,
    revoked: () => undefined,
    nature: [],
    stop: async () => {
      await gateway.stop();
      await server.stop();
    },
  };
}

async function behindEjbca(): Promise<Setup> {
  const settings = { requireClientCertificate: false, requireUsernameAndPassword: true };
  const running = await startEjbcaGateway({
    aliases: Object.fromEntries(
      Object.entries(aliasesWith({})).map(([key, alias]) => [key, { ...settings, alias }]),
    ),
  });
  const { gateway, ejbca } = running;
  const authority = ejbca.database.certificationAuthorities.get('Device CA')?.authority;
  if (authority === undefined) throw new Error('There is no Device CA.');
  return {
    gateway,
    change: (wanted) => {
      authority.change = (contents) => ({ ...contents, ...certificateChanges[wanted](contents) });
    },
    asked: () => ejbca.database.certificates.length,
    revoked: () =>
      ejbca.database.certificates
        .filter(({ revocation }) => revocation !== undefined)
        .map(({ serialNumber }) => serialNumber.toLowerCase()),
    nature: ['reorderedSubject'],
    stop: async () => {
      await running.stop();
    },
  };
}

const setups: readonly (readonly [kind: string, open: () => Promise<Setup>])[] = [
  ['a CA behind a driver', behindOwnDriver],
  ['an EST server, asked', async () => await behindEst([])],
  ['an EST server, relayed', async () => await behindEst(['simpleenroll'])],
  ['EJBCA', behindEjbca],
];

/** The settings that allow a change; undefined: none does. */
const allowedBy: Readonly<Record<CertificateChange, readonly NameChange[] | undefined>> = {
  none: nameChanges,
  'subject changed': ['replacedSubject'],
  'attribute added': ['addedAttributes', 'replacedSubject'],
  'subject reordered': ['reorderedSubject', 'replacedSubject'],
  'SAN added': ['addedSubjectAltNames', 'replacedSubjectAltNames'],
  'SAN dropped': ['replacedSubjectAltNames'],
  'other key': undefined,
  'forbidden purpose': undefined,
  'forbidden extension': undefined,
};

describe.each(setups)('what comes back from %s', (_kind, open) => {
  let setup: Setup;
  let count = 0;

  beforeAll(async () => {
    setup = await open();
  });
  afterAll(async () => {
    await setup.stop();
  });

  async function newCsr(): Promise<Buffer> {
    count += 1;
    return await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: name(
        [id.commonName, utf8String(`device-${count}`)],
        [id.organizationName, utf8String('Acme')],
      ),
      extensions: [subjectAltName(generalName(2, `device-${count}.example`))],
    });
  }

  async function ask(alias: string, csr: Buffer, operation = 'simpleenroll'): Promise<Answer> {
    return await send(`${setup.gateway.url}/${alias}/${operation}`, {
      ca: setup.gateway.trustAnchor,
      ...enrolment(csr, { Authorization: basic }),
    });
  }

  function isAllowed(change: CertificateChange, alias: string): boolean {
    if (change === 'none') return true;
    const settings: readonly string[] = alias === 'silent' ? setup.nature : [alias];
    const allowing = allowedBy[change];
    return allowing !== undefined && (alias === 'all' || allowing.some((one) => settings.includes(one)));
  }

  const aliases = ['silent', 'nothing', 'all', ...nameChanges];
  const changes = Object.keys(certificateChanges) as readonly CertificateChange[];

  it.each(changes)('is given where the alias allows it and nowhere else: %s', async (change) => {
    setup.change(change);
    const verdicts: Record<string, boolean> = {};
    for (const alias of allowedBy[change] === undefined ? ['silent', 'all'] : aliases) {
      const { status, body } = await ask(alias, await newCsr());
      if (status !== 200 && status !== 502) throw new Error(`${alias}: ${status} ${body}`);
      verdicts[alias] = status === 200;
    }
    const expected = Object.keys(verdicts).map((alias) => [alias, isAllowed(change, alias)]);
    expect(verdicts).toEqual(Object.fromEntries(expected));
  });

  it.each(changes.filter((change) => change !== 'none'))(
    'is refused for good, revoked where that is possible, and told with both names: %s',
    async (change) => {
      const { gateway } = setup;
      setup.change(change);
      const csr = await newCsr();
      expect(await ask('nothing', csr)).toMatchObject({ status: 502 });
      const asked = setup.asked();
      setup.change('none');
      expect(await ask('nothing', csr)).toMatchObject({ status: 502 });
      expect(setup.asked()).toBe(asked);
      expect(await gateway.store.enrollments.list(1)).toMatchObject([{ state: 'rejected' }]);

      const line = gateway.log.entries.findLast(({ fields }) => fields['approved'] !== undefined);
      const { serialNumber, approved, issued, revoked } = line?.fields ?? {};
      expect(approved).toBe(`O=Acme,CN=device-${count}; dNSName=device-${count}.example`);
      expect(issued === approved).toBe(allowedBy[change] === undefined);
      expect(line?.level).toBe('error');
      const revocations = setup.revoked();
      const mayBeRevoked = revocations !== undefined && change !== 'other key';
      expect(revoked).toBe(mayBeRevoked && !(change === 'attribute added' && setup.nature.length === 0));
      expect(revocations?.includes(String(serialNumber)) ?? false).toBe(revoked);
      const unrevoked = gateway.log.entries.filter(
        ({ level, message, fields }) =>
          level === 'error' &&
          message === 'A certificate could not be revoked; revoke it at the CA.' &&
          fields['serialNumber'] === serialNumber,
      );
      expect(unrevoked).toHaveLength(mayBeRevoked && revoked === false ? 1 : 0);
      // A request of its own is not held up by what the CA did to another one.
      expect(await ask('nothing', await newCsr())).toMatchObject({ status: 200 });
    },
  );

  it('is given as it was approved', async () => {
    setup.change('none');
    const certificate = new X509Certificate(await certificateOf(await ask('nothing', await newCsr())));
    expect(certificate.subjectAltName).toBe(`DNS:device-${count}.example`);
  });
});

describe('other ways to a certificate', () => {
  let setup: Setup;
  beforeAll(async () => {
    setup = await behindOwnDriver();
  });
  afterAll(async () => {
    await setup.stop();
  });

  async function ask(alias: string, csr: Buffer, operation = 'simpleenroll'): Promise<Answer> {
    return await send(`${setup.gateway.url}/${alias}/${operation}`, {
      ca: setup.gateway.trustAnchor,
      ...enrolment(csr, { Authorization: basic }),
    });
  }

  const csrOf = async (commonName: string): Promise<Buffer> =>
    await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: name([id.commonName, utf8String(commonName)]),
    });

  it('compare the certificate for a key that the gateway made', async () => {
    setup.change('subject changed');
    expect(await ask('silent', await csrOf('keygen'), 'serverkeygen')).toMatchObject({ status: 502 });
    setup.change('none');
    expect(await ask('silent', await csrOf('keygen-2'), 'serverkeygen')).toMatchObject({ status: 200 });
  });

  it('compare the certificate of a request that waited', async () => {
    const csr = await csrOf('waiting');
    expect(await ask('later', csr)).toMatchObject({ status: 202 });
    setup.change('SAN added');
    const asked = setup.asked();
    expect(await ask('later', csr)).toMatchObject({ status: 502 });
    setup.change('none');
    expect(await ask('later', csr)).toMatchObject({ status: 502 });
    expect(setup.asked()).toBe(asked + 1);
  });
});

/** The matrix of names, and what is never granted, at the wire: on each refusal neither journal nor CA has heard of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { send } from '../support/client.ts';
import { openSigner, signedByRequestedKey, type TestSigner } from '../support/cmc.ts';
import {
  certificationRequest,
  extension,
  generateKeyPair,
  id,
  objectIdentifier,
  sequence,
  tlv,
  type KeyPair,
} from '../support/csr.ts';
import { enrolment, issueByHand, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  certified,
  certifiedAltName,
  clients,
  isGranted,
  modes,
  scopeFor,
  subjects,
  triedTypes,
  type Client,
  type ClientName,
  type Mode,
  type SubjectName,
  type Tried,
} from '../policy/names-matrix.ts';

const code = 'open-sesame-7351-and-more';
const users = ['device-1', 'alice'];
const triedType = triedTypes.find(({ name }) => name === 'serialNumber');
if (triedType === undefined) throw new Error('serialNumber is not tried.');
const type: Tried = triedType;

let gateway: TestGateway;
let vendor: TestGateway;
let signer: TestSigner;
let held: Readonly<Record<'own' | 'vendor' | 'authority', Device>>;

beforeAll(async () => {
  vendor = await startTestGateway();
  signer = await openSigner();
  const common = {
    implicitTrustAnchors: [join(vendor.directory, 'root.pem'), join(vendor.directory, 'issuing.pem')],
    serverKeyGeneration: { keys: ['P-256'] },
    fullCmc: { signer: signer.files },
  };
  const aliasesOf = (names: Mode): Readonly<Record<string, object>> => {
    const policy = { names, subject: ['commonName', type.name, 'title'], subjectAltName: ['dNSName'] };
    const registrationAuthorities = { ra: { commonName: 'device-1', names: scopeFor(type) } };
    return {
      [names]: { ...common, policy },
      [`${names}-both`]: { ...common, policy, authentication: 'both' },
      [`${names}-authority`]: { ...common, policy, registrationAuthorities },
    };
  };
  gateway = await startTestGateway({
    aliases: Object.fromEntries(modes.flatMap((mode) => Object.entries(aliasesOf(mode)))),
  });
  for (const alias of modes.flatMap((mode) => [mode, `${mode}-both`])) {
    for (const name of users) await addUser(gateway.store, { alias, name, code, remainingUses: undefined });
  }
  const parts = { subject: certified(type), extensions: [certifiedAltName] };
  const authority = extension(
    id.extendedKeyUsage,
    sequence(objectIdentifier('1.3.6.1.5.5.7.3.2'), objectIdentifier('1.3.6.1.5.5.7.3.28')),
  );
  held = {
    own: await issueByHand(gateway, parts),
    vendor: await issueByHand(vendor, { ...parts, extensions: [certifiedAltName, issuedBy(vendor)] }),
    authority: await issueByHand(gateway, { ...parts, extensions: [certifiedAltName, authority] }),
  };
});

afterAll(async () => {
  await Promise.all([gateway.stop(), vendor.stop(), signer.remove()]);
});

/** The authorityKeyIdentifier, since both CAs have the same name. */
function issuedBy({ issuingCertificate }: TestGateway): Buffer {
  const [issuer] = certificatesFromPem(issuingCertificate);
  return extension('2.5.29.35', sequence(tlv(0x80, issuer?.subjectKeyIdentifier ?? Buffer.alloc(0))));
}

type Operation = 'simpleenroll' | 'serverkeygen' | 'fullcmc';

function aliasFor(mode: Mode, { user, certificate, isAuthority }: Client): string {
  if (isAuthority) return `${mode}-authority`;
  return user !== undefined && certificate !== undefined ? `${mode}-both` : mode;
}

async function bodyOf(
  operation: Operation,
  csr: Buffer,
  key: KeyPair,
): Promise<ReturnType<typeof enrolment>> {
  if (operation !== 'fullcmc') return enrolment(csr);
  const { method } = enrolment(csr);
  const body = (await signedByRequestedKey(csr, key)).toString('base64');
  return { method, body, headers: { 'Content-Type': 'application/pkcs7-mime; smime-type=CMC-request' } };
}

/** The status, and how many requests were recorded and certificates issued for it. */
async function outcomeOf(
  mode: Mode,
  client: Client,
  subject: Buffer,
  operation: Operation = 'simpleenroll',
  extensions: readonly Buffer[] = subject.equals(sequence()) ? [certifiedAltName] : [],
): Promise<readonly [status: number, recorded: number, issued: number]> {
  const key = await generateKeyPair('P-256');
  const csr = await certificationRequest({ key, subject, extensions });
  const shown = client.isAuthority ? held.authority : client.certificate && held[client.certificate];
  const { headers, ...body } = await bodyOf(operation, csr, key);
  const authorization =
    client.user === undefined
      ? {}
      : { Authorization: `Basic ${Buffer.from(`${client.user}:${code}`).toString('base64')}` };
  const before = await traces();
  const answer = await send(`${gateway.url}/${aliasFor(mode, client)}/${operation}`, {
    ca: gateway.trustAnchor,
    ...(shown && { key: shown.key, cert: shown.cert }),
    ...body,
    headers: { ...headers, ...authorization },
  });
  const after = await traces();
  return [answer.status, after[0] - before[0], after[1] - before[1]];
}

async function traces(): Promise<readonly [number, number]> {
  const issued = await gateway.store.certificates.list(gateway.ca);
  return [(await gateway.store.enrollments.list(10_000)).length, issued.length];
}

const granted = [200, 1, 1];
const refused = [403, 0, 0];
const everyClient = Object.keys(clients) as ClientName[];
const everySubject = Object.keys(subjects) as SubjectName[];

describe.each(modes)('names: %s', (mode) => {
  it.each(everyClient)(
    'S-20 Z-01 Z-06 grants %s its own names and leaves no trace of others',
    async (client) => {
      const wrong: string[] = [];
      for (const name of everySubject) {
        const outcome = await outcomeOf(mode, clients[client], subjects[name](type));
        const expected = isGranted(mode, client, name, type) ? granted : refused;
        if (outcome.join() !== expected.join()) wrong.push(`${name}: ${outcome.join()}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe.each(['serverkeygen', 'fullcmc'] as const)('%s', (operation) => {
  it.each(['a certificate of the CA', 'a user', 'a vendor certificate'] as const)(
    'S-20 Z-01 binds the names of %s as simpleenroll does',
    async (client) => {
      for (const name of [
        'its own',
        "another's attribute",
        'no commonName',
        'the commonName alone',
      ] as const) {
        const outcome = await outcomeOf('identity', clients[client], subjects[name](type), operation);
        expect([name, outcome]).toEqual([
          name,
          isGranted('identity', client, name, type) ? granted : refused,
        ]);
      }
    },
  );
});

describe('The log line of a refusal', () => {
  it.each([
    ["another's attribute", 'serialNumber=Other 2'],
    ["another's commonName", 'commonName=device-2'],
    ['an added attribute', 'title=x'],
    ['the commonName alone', 'serialNumber=Own 1 (missing)'],
  ] as const)('S-30 names what offends of %s', async (name, offending) => {
    await outcomeOf('identity', clients['a certificate of the CA'], subjects[name](type));
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
      outcome: 'refused_by_policy',
      rule: 'policy.names',
      offending,
    });
  });
});

describe('What is never granted', () => {
  const agent = extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.4.1.311.20.2.1')));
  const sid = extension('1.3.6.1.4.1.311.25.2', sequence());
  it.each(['simpleenroll', 'serverkeygen', 'fullcmc'] as const)(
    'S-18 Z-01 is refused by %s',
    async (operation) => {
      for (const wanted of [agent, sid]) {
        const subject = subjects['the commonName alone']();
        expect(await outcomeOf('any', clients['a user'], subject, operation, [wanted])).toEqual(refused);
        expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
          rule: 'fixed: no rights of a CA, registration authority or signer',
          offending:
            wanted === agent ? 'extendedKeyUsage=microsoftEnrollmentAgent' : 'microsoftSecurityIdentifier',
        });
      }
    },
  );
});

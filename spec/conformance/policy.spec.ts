import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
} from '../support/device.ts';
import type { Answer } from '../support/client.ts';
import { send } from '../support/client.ts';
import {
  certificationRequest,
  extensionRequest,
  generateKeyPair,
  generalName,
  id,
  keyPair,
  name,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';

/** A CSR with a commonName and dNSNames. */
async function csrFor(commonName: string, ...dNSNames: string[]): Promise<Buffer> {
  return await certificationRequest({
    key: await keyPair('P-256'),
    subject: name([id.commonName, utf8String(commonName)]),
    attributes:
      dNSNames.length === 0
        ? []
        : [extensionRequest(subjectAltName(...dNSNames.map((host) => generalName(2, host))))],
  });
}

let gateway: TestGateway;

const schema = {
  properties: {
    key: { properties: { type: { const: 'P-256' } } },
    alias: { pattern: '^[a-z]+$' },
    subject: { properties: { commonName: { items: { pattern: '^(a+)+$' } } }, required: ['commonName'] },
  },
};

beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: {
      bound: {
        policy: {
          rules: [
            'subject.commonName == identity.username',
            'subjectAltName.dNSName? in *.${identity.username}.example',
          ],
        },
      },
      schema: { policy: { schema } },
      file: { policy: { schema: 'policies/file.yaml' } },
    },
    files: { 'policies/file.yaml': stringify(schema) },
  });
});

afterAll(async () => {
  await gateway.stop();
});

/** What the log says of the last request. */
function logged(): unknown {
  return gateway.log.entries.findLast(({ message }) => message === 'request')?.fields;
}

describe('policy.rules', () => {
  it('certifies what is tied to the identity, and says in the log which rule refused the rest', async () => {
    const good = await enrolWithBasic(gateway, await csrFor(user.name, `a.${user.name}.example`), 'bound');
    expect(good.status).toBe(200);
    const text = await openssl('x509 -in device.pem -noout -subject -ext subjectAltName', {
      'device.pem': await certificateOf(good),
    });
    expect(text).toContain(`CN = ${user.name}`);
    expect(text).toContain(`DNS:a.${user.name}.example`);

    const bad = await enrolWithBasic(gateway, await csrFor(user.name, 'a.other.example'), 'bound');
    expect(bad.status).toBe(403);
    expect(bad.body).toMatch(
      /^This client may not have what the CSR asks for as a dNSName in the subjectAltName\./,
    );
    expect(bad.body).not.toContain('identity.');
    expect(logged()).toMatchObject({
      outcome: 'refused_by_policy',
      rule: 'policy.rules[1]: subjectAltName.dNSName? in *.${identity.username}.example',
      path: 'subjectAltName.dNSName',
    });
  });

  it('Z-01 leaves no trace of a refused request at the CA', async () => {
    const before = await gateway.store.enrollments.list(100);
    expect((await enrolWithBasic(gateway, await csrFor('other'), 'bound')).status).toBe(403);
    expect(await gateway.store.enrollments.list(100)).toEqual(before);
  });

  it('does not ask again when a certificate is renewed under its names', async () => {
    const device = await enrolDevice(gateway, user.name, 'bound');
    const csr = await plainCsr(user.name, device.keyPair);
    expect((await renew(gateway, device, csr, 'bound')).status).toBe(200);
  });

  it('asks a client that shows a certificate alone and wants new names', async () => {
    const device = await enrolDevice(gateway, user.name, 'bound');
    const answer = await send(`${gateway.url}/bound/simpleenroll`, {
      ca: gateway.trustAnchor,
      cert: device.cert,
      key: privatePem(device.keyPair.privateKey),
      ...enrolment(await csrFor(user.name)),
    });
    expect(answer.status).toBe(403);
    expect(logged()).toMatchObject({ path: 'identity.username' });
  });

  it('names the key of the configuration for every other refusal, too', async () => {
    const csr = await certificationRequest({
      key: await keyPair('P-256'),
      subject: name([id.commonName, utf8String('a')], ['2.5.4.12', utf8String('title')]),
    });
    expect((await enrolWithBasic(gateway, csr)).status).toBe(403);
    expect(logged()).toMatchObject({ outcome: 'refused_by_policy', rule: 'policy.subject' });
  });
});

describe.each(['schema', 'file'])('policy.schema (alias "%s")', (alias) => {
  async function enrol(commonName: string, kind: 'P-256' | 'P-384' = 'P-256'): Promise<Answer> {
    return await enrolWithBasic(gateway, await plainCsr(commonName, await generateKeyPair(kind)), alias);
  }

  it('certifies what fits', async () => {
    expect((await enrol('aaa')).status).toBe(200);
  });

  it('refuses what does not, and says where', async () => {
    const answer = await enrol('aaa', 'P-384');
    expect(answer.status).toBe(403);
    expect(answer.body).toMatch(
      /^The policy of this alias does not allow what this request has, or lacks, as key\.type\./,
    );
    expect(logged()).toMatchObject({
      rule: 'policy.schema#/properties/key/properties/type/const',
      path: 'key.type',
    });
  });

  it('S-10 answers at once where a backtracking expression would take for ever', async () => {
    expect((await enrol(`${'a'.repeat(60)}!`)).status).toBe(403);
    expect(logged()).toMatchObject({ path: 'subject.commonName.0' });
  });

  it('is asked for renewals as well', async () => {
    const device = await enrolDevice(gateway, 'aaa', alias);
    const rekey = await renew(gateway, device, await plainCsr('aaa', await keyPair('P-384')), alias);
    expect(rekey.status).toBe(403);
    const answer = await renew(gateway, device, await plainCsr('aaa', device.keyPair), alias);
    expect(answer.status).toBe(200);
  });
});

describe('clientAddress', () => {
  it('is that of IPv4 on a listener for both families, too', async () => {
    const policy = { schema: { properties: { clientAddress: { const: '127.0.0.1' } } } };
    const both = await startTestGateway({ est: { address: '::' }, aliases: { near: { policy } } });
    try {
      const csr = await plainCsr('near', await keyPair('P-256'));
      const answer = await send(`https://127.0.0.1:${both.port}/.well-known/est/near/simpleenroll`, {
        ...{ ca: both.trustAnchor, servername: 'localhost' },
        ...enrolment(csr, { Authorization: basic }),
      });
      expect(answer.status).toBe(200);
      expect(both.log.entries.at(-1)?.fields).toMatchObject({ address: '127.0.0.1' });
    } finally {
      await both.stop();
    }
  });
});

describe('a policy that makes no sense', () => {
  it.each([
    [{ rules: ['subject.commonName == identity.user'] }, 'policy.rules[0]'],
    [{ schema: { properties: { comonName: {} } } }, 'no part of a request is called "comonName"'],
    [{ schema: { propertys: {} } }, 'unknown keyword: "propertys"'],
    [{ schema: { properties: { alias: { format: 'email' } } } }, 'unknown format'],
    [{ schema: { properties: { alias: { pattern: '(a)\\1' } } } }, 'policy.schema'],
    [{ schema: { $ref: 'https://example/schema.json' } }, "can't resolve reference"],
    [{ schema: 'missing.yaml' }, 'missing.yaml'],
  ])('does not start: %j', async (policy, reason) => {
    await expect(startTestGateway({ aliases: { bad: { policy } } })).rejects.toThrow(reason);
  });

  it('believes no schema that answers later', async () => {
    const strange = await startTestGateway({
      aliases: { later: { policy: { schema: { $async: true, required: ['alias'] } } } },
    });
    try {
      const csr = await plainCsr('a', await keyPair('P-256'));
      const answer = await send(`${strange.url}/later/simpleenroll`, {
        ca: strange.trustAnchor,
        ...enrolment(csr, { Authorization: basic }),
      });
      expect(answer.status).toBe(403);
    } finally {
      await strange.stop();
    }
  });
});

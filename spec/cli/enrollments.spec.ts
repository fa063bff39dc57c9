import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { addUser } from '../../src/cli/user.ts';
import type { JournalEntry } from '../../src/store/store.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { output, run } from './command-line.ts';

describe('est-gateway enrollments, beside a running gateway', () => {
  let gateway: TestGateway;
  let config: readonly string[];
  beforeAll(async () => {
    const approving = {
      driver: 'local',
      certificate: 'issuing.pem',
      privateKey: 'file:issuing.key',
      passphrase: 'file:passphrase',
      chain: ['root.pem'],
      profiles: { guarded: { approval: 'all' } },
    };
    gateway = await startTestGateway({
      backends: { approving },
      aliases: { waiting: { backend: 'approving', profile: 'guarded' } },
    });
    config = ['--config', gateway.configurationFile];
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function newDevice(name: string, alias: string): Promise<() => Promise<Answer>> {
    const code = `code of ${name}, long`;
    await addUser(gateway.store, { alias, name, code, remainingUses: 2 });
    const authorization = `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}`;
    const csr = await plainCsr(name, await generateKeyPair('P-256'));
    return async () =>
      await send(`${gateway.url}/${alias}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(csr, { Authorization: authorization }),
      });
  }

  async function serialOf(answer: Answer): Promise<string> {
    return new X509Certificate(await certificateOf(answer)).serialNumber.toLowerCase();
  }

  async function newest(): Promise<JournalEntry> {
    const [entry] = JSON.parse(
      await output(['enrollments', 'list', '--limit', '1', '--json', ...config]),
    ) as readonly JournalEntry[];
    if (entry === undefined) throw new Error('The journal is empty.');
    return entry;
  }

  it('forgets an answer, so that the next request is a new one, which costs a use; the certificate stays known', async () => {
    const enrol = await newDevice('forgotten', 'est');
    const first = await serialOf(await enrol());
    const { id } = await newest();
    expect(await output(['enrollments', 'list', ...config])).toContain(id);
    expect(await output(['enrollments', 'forget', id, ...config])).toBe(`${id} is forgotten.\n`);
    const second = await serialOf(await enrol());
    expect(second).not.toBe(first);
    expect(await serialOf(await enrol())).toBe(second);
    expect(await gateway.store.users.find('est', 'forgotten')).toMatchObject({ remainingUses: 0 });
    const entries = await gateway.store.enrollments.list(10);
    expect(entries.find((entry) => entry.id === id)).toMatchObject({ state: 'issued', serialNumber: first });
  });

  it('forgets a request that waits, which gives its use back', async () => {
    const enrol = await newDevice('waits', 'waiting');
    expect((await enrol()).status).toBe(202);
    const { id } = await newest();
    await output(['enrollments', 'forget', id, ...config]);
    const [user] = (await gateway.store.users.list()).filter(({ name }) => name === 'waits');
    expect(user?.remainingUses).toBe(2);
    expect((await enrol()).status).toBe(202);
    expect((await newest()).id).not.toBe(id);
  });

  it('says what is wrong with an id', async () => {
    expect(await run(['enrollments', 'forget', 'none', ...config])).toMatchObject({
      code: 1,
      stderr: 'The journal has no record none; see "est-gateway enrollments list".\n',
    });
    expect(await run(['enrollments', 'list', '--limit', '0', ...config])).toMatchObject({ code: 2 });
  });
});

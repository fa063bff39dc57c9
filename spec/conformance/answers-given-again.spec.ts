import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { addUser } from '../../src/cli/user.ts';
import type { RevocationReason } from '../../src/store/store.ts';
import { send, type Answer } from '../support/client.ts';
import { setDateAlone } from '../support/clock.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolment, plainCsr, renew } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const day = 86_400_000;

/** The same CA, with certificates for a day. */
const short = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { device: { validityDays: 1 } },
};

describe('an answer that is given again', () => {
  let gateway: TestGateway;
  let users = 0;
  beforeAll(async () => {
    gateway = await startTestGateway({
      backends: { short },
      aliases: {
        counted: { policy: { quota: { certificates: 2, period: 3600 } } },
        short: { backend: 'short' },
      },
      limits: { repeatWindow: 31_536_000 },
    });
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** A user of its own with a CSR that it repeats. */
  async function newDevice({
    uses,
    alias = 'est',
  }: { readonly uses?: number; readonly alias?: string } = {}) {
    const name = `device-${(users += 1)}`;
    await addUser(gateway.store, { alias, name, code: `code of ${name}, long`, remainingUses: uses });
    const authorization = `Basic ${Buffer.from(`${name}:code of ${name}, long`).toString('base64')}`;
    const key = await generateKeyPair('P-256');
    return {
      /** Signed anew each time. */
      enrol: async (): Promise<Answer> =>
        await send(`${gateway.url}/${alias}/simpleenroll`, {
          ca: gateway.trustAnchor,
          ...enrolment(await plainCsr(name, key), { Authorization: authorization }),
        }),
    };
  }

  async function serialOf(answer: Answer): Promise<string> {
    expect(answer.status).toBe(200);
    return new X509Certificate(await certificateOf(answer)).serialNumber.toLowerCase();
  }

  async function revoke(serialNumber: string, reason: RevocationReason): Promise<void> {
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, reason, new Date());
  }

  it.each<RevocationReason>([
    ...(['unspecified', 'affiliationChanged', 'superseded', 'cessationOfOperation'] as const),
  ])(
    'E-22 is never a certificate that was revoked meanwhile (%s): the request is a new one',
    async (reason) => {
      const { enrol } = await newDevice();
      const first = await serialOf(await enrol());
      expect(await serialOf(await enrol())).toBe(first);
      await revoke(first, reason);
      const second = await serialOf(await enrol());
      expect(second).not.toBe(first);
      expect(await serialOf(await enrol())).toBe(second);
    },
  );

  it('E-22 is none where the privilege of the holder was withdrawn', async () => {
    const { enrol } = await newDevice();
    await revoke(await serialOf(await enrol()), 'privilegeWithdrawn');
    for (let n = 0; n < 2; n += 1) {
      const answer = await enrol();
      expect([answer.status, answer.body]).toEqual([
        403,
        expect.stringContaining('may not have another one'),
      ]);
    }
    expect(gateway.log.entries.at(-1)?.level).toBe('warn');
  });

  it('S-12 is none where the key was compromised', async () => {
    const { enrol } = await newDevice();
    await revoke(await serialOf(await enrol()), 'keyCompromise');
    expect((await enrol()).status).toBeGreaterThanOrEqual(400);
  });

  it('costs a use of the code where the certificate of the last one was revoked', async () => {
    const { enrol } = await newDevice({ uses: 2 });
    const first = await serialOf(await enrol());
    await revoke(first, 'superseded');
    const second = await serialOf(await enrol());
    expect(await serialOf(await enrol())).toBe(second);
    await revoke(second, 'superseded');
    const answer = await enrol();
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('used up')]);
  });

  it('costs quota where the certificate was revoked', async () => {
    const { enrol } = await newDevice({ alias: 'counted' });
    await revoke(await serialOf(await enrol()), 'superseded');
    await revoke(await serialOf(await enrol()), 'superseded');
    expect((await enrol()).status).toBe(429);
  });

  it('E-22 is one certificate for many who repeat a revoked one at once', async () => {
    const { enrol } = await newDevice();
    const first = await serialOf(await enrol());
    await revoke(first, 'superseded');
    const answers = await Promise.all(Array.from({ length: 6 }, enrol));
    const serials = await Promise.all(answers.filter(({ status }) => status === 200).map(serialOf));
    expect(new Set(serials).size).toBe(1);
    expect(serials).not.toContain(first);
    expect(answers.every(({ status }) => [200, 202].includes(status))).toBe(true);
  });

  it('E-22 is no certificate that has expired', async () => {
    const { enrol } = await newDevice({ alias: 'short' });
    const first = await serialOf(await enrol());
    expect(await serialOf(await enrol())).toBe(first);
    setDateAlone(Date.now() + 2 * day);
    const second = await serialOf(await enrol());
    expect(second).not.toBe(first);
    expect(await serialOf(await enrol())).toBe(second);
  });

  /** As after a crash between the record of the CA and that of the journal. */
  function loseAnswer(): void {
    const database = new DatabaseSync(join(gateway.directory, 'state.sqlite'));
    const latest = "id = (select max(id) from enrollments where state = 'issued')";
    database.exec(
      `update enrollments set state = 'open', opened_at = 0, under_way_until = 0, closed_at = null where ${latest}`,
    );
    database.close();
  }

  it('E-22 is what the CA had issued before a crash, unless that was revoked meanwhile', async () => {
    const { enrol } = await newDevice({ uses: 2 });
    const first = await serialOf(await enrol());
    loseAnswer();
    expect(await serialOf(await enrol())).toBe(first);
    loseAnswer();
    await revoke(first, 'superseded');
    const second = await serialOf(await enrol());
    expect(second).not.toBe(first);
    loseAnswer();
    await revoke(second, 'superseded');
    for (let n = 0; n < 2; n += 1) {
      const answer = await enrol();
      expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('used up')]);
    }
  });

  it('E-22 is none that the CA had issued before a crash where the privilege was withdrawn', async () => {
    const { enrol } = await newDevice();
    const first = await serialOf(await enrol());
    loseAnswer();
    await revoke(first, 'privilegeWithdrawn');
    expect((await enrol()).status).toBe(403);
  });

  it('E-22 is none that the CA had issued before a crash and that has expired', async () => {
    const { enrol } = await newDevice({ alias: 'short' });
    const first = await serialOf(await enrol());
    loseAnswer();
    setDateAlone(Date.now() + 2 * day);
    expect(await serialOf(await enrol())).not.toBe(first);
  });

  it('R-01 is no revoked certificate for a renewal either', async () => {
    const device = await enrolDevice(gateway, `renewing-${Date.now()}`);
    const csr = await plainCsr(device.commonName, await generateKeyPair('P-256'));
    const first = await serialOf(await renew(gateway, device, csr));
    expect(await serialOf(await renew(gateway, device, csr))).toBe(first);
    await revoke(first, 'superseded');
    expect(await serialOf(await renew(gateway, device, csr))).not.toBe(first);
  });
});

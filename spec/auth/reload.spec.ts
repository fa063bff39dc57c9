import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addUser } from '../../src/cli/user.ts';
import { digest } from '../conformance/bypass-matrix/site.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';
import { until } from '../support/upstream.ts';

const user = { name: 'meter', code: 'none but mine own' };

describe('A reload', () => {
  let gateway: TestGateway;
  let csr: Buffer;
  beforeAll(async () => {
    gateway = await startTestGateway({
      limits: { wrongCodes: 1 },
      aliases: { meters: { authentication: 'basic', httpAuthentication: ['digest-SHA-256', 'basic'] } },
    });
    await addUser(gateway.store, { alias: 'meters', ...user, remainingUses: undefined }, ['SHA-256']);
    csr = await plainCsr('meter', await generateKeyPair('P-256'));
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function post(fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const url = `${gateway.url}/meters/simpleenroll`;
    return await send(url, { ca: gateway.trustAnchor, ...enrolment(csr, fields) });
  }

  async function newCredentials(): Promise<string> {
    const nonce = /nonce="([^"]+)"/.exec((await post()).headers['www-authenticate'] ?? '')?.[1] ?? '';
    return digest(user, 'EST meters', '/.well-known/est/meters/simpleenroll', nonce);
  }

  it('A-11 makes no credentials of Digest good for a second time, and leaves good those that were not used', async () => {
    const [used, unused] = [await newCredentials(), await newCredentials()];
    expect((await post({ Authorization: used })).status).toBe(200);
    for (let time = 0; time < 2; time += 1) {
      await gateway.reload();
      const { status, headers } = await post({ Authorization: used });
      expect([status, headers['www-authenticate']]).toEqual([401, expect.stringContaining('stale=true')]);
    }
    expect((await post({ Authorization: unused })).status).toBe(200);
  });

  it('S-24 forgets nothing of who guesses codes', async () => {
    let count = 0;
    const guess = async (): Promise<number> => {
      const code = `guess ${(count += 1)}`;
      return (await enrolAs(gateway, { alias: 'meters', name: 'guessed', code, csr })).status;
    };
    expect([await guess(), await guess()]).toEqual([401, 401]);
    await gateway.reload();
    await until(async () => (await guess()) === 401, 'the first wait is over');
    expect(await guess()).toBe(429);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generatePrimeSync } from 'node:crypto';
import { generateKeyPair, rsaKeyPair, type KeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { output, run } from './command-line.ts';

describe('est-gateway audit-keys, beside a running gateway', () => {
  let gateway: TestGateway;
  const words = (): readonly string[] => ['audit-keys', '--config', gateway.configurationFile];

  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function enrol(commonName: string, key: KeyPair): Promise<void> {
    expect(await enrolWithBasic(gateway, await plainCsr(commonName, key))).toMatchObject({ status: 200 });
  }

  it('S-13 names the devices whose RSA keys share a prime, and no others', async () => {
    const sound = await generateKeyPair('RSA-2048');
    await enrol('sound', sound);
    await enrol('sound-again', sound);
    await enrol('elliptic', await generateKeyPair('P-256'));
    expect(await output(words())).toBe('OK: none of 1 RSA keys shares a prime with another one.\n');
    const [shared, first, second] = [1, 2, 3].map(() => generatePrimeSync(1024, { bigint: true })) as [
      bigint,
      bigint,
      bigint,
    ];
    await enrol('twin-1', rsaKeyPair(shared, first));
    await enrol('twin-2', rsaKeyPair(second, shared));
    const { code, stdout, stderr } = await run(words());
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: '2 of 3 RSA keys share a prime with another one.\n',
    });
    expect(stdout.match(/CN=\S+/g)?.filter((name) => name !== 'CN=Test')).toEqual(['CN=twin-1', 'CN=twin-2']);
  });
});

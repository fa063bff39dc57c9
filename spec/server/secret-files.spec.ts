import { expect, it } from '@jest/globals';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestGateway } from '../support/gateway.ts';

it('S-36 warns at the start of secret files that everybody can read, and of no others', async () => {
  const gateway = await startTestGateway();
  try {
    const warnings = () => gateway.log.entries.filter(({ level }) => level === 'warn');
    expect(warnings()).toEqual([]);
    const file = join(gateway.directory, 'server.key');
    await chmod(file, 0o644);
    await chmod(join(gateway.directory, 'server.pem'), 0o644);
    await chmod(join(gateway.directory, 'issuing.key'), 0o640);
    await gateway.restart();
    expect(warnings()).toEqual([
      {
        level: 'warn',
        message: 'Every user of this machine can read a secret file; "chmod o-r" ends that.',
        fields: { file },
      },
    ]);
  } finally {
    await gateway.stop();
  }
});

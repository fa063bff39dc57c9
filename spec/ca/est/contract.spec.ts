import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { estDriver } from '../../../src/ca/est/driver.ts';
import type { EstOptions } from '../../../src/ca/est/options.ts';
import { startEstServer, type TestEstServer } from '../../support/est-server.ts';
import { recordLog } from '../../support/log.ts';
import { certificationAuthorityContract } from '../contract.ts';
import { openRegistry, type OpenedCa } from '../setup.ts';

/** The backend in front of a server, with defaults as the schema has them. */
async function openEst(server: TestEstServer, changes: Partial<EstOptions> = {}): Promise<OpenedCa> {
  const folder = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const { close, ...registries } = await openRegistry();
  const log = recordLog();
  const ca = await estDriver.open(
    {
      url: server.url,
      trustAnchor: await write('root.pem', server.trustAnchor),
      clientCertificate: {
        certificate: await write('client.pem', server.client.cert),
        privateKey: `file:${await write('client.key', server.client.key)}`,
      },
      identity: 'registrationAuthority',
      renewals: 'simpleenroll',
      linked: 'refuse',
      relay: [],
      retryAfter: 300,
      timeouts: { connect: 5, answer: 15 },
      limits: { maxResponse: 1_048_576, concurrency: 200, queue: 2000 },
      circuitBreaker: { failures: 10, pause: 10 },
      ...changes,
    },
    { name: 'est', ...registries, pendingExpiry: 60, log },
  );
  return {
    ca,
    ...registries,
    log,
    close: async () => {
      await close();
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}

certificationAuthorityContract('est', async () => await openEst(await startEstServer()));

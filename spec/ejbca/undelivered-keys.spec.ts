import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'node:https';
import { certificationRequest } from '../support/csr.ts';
import { basic, enrolment } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

describe('a key of serverkeygen that its client never got', () => {
  let running: EjbcaGateway;

  beforeEach(async () => {
    running = await startEjbcaGateway({
      aliases: {
        keys: {
          requireClientCertificate: false,
          requireUsernameAndPassword: true,
          serverKeyGeneration: true,
        },
      },
      limits: { requestTimeout: 2, headersTimeout: 2 },
    });
  });
  afterEach(async () => {
    await running.stop();
  });

  /** Begins to ask for a key; `gone`: the client has hung up, or was answered with this status. */
  async function begin(): Promise<{ hangUp: () => void; gone: Promise<number | undefined> }> {
    const { method, headers, body } = enrolment(await certificationRequest(), { Authorization: basic });
    const asking = request(`${running.gateway.url}/keys/serverkeygen`, {
      ...{ method, headers, ca: running.gateway.trustAnchor, agent: false },
    });
    const gone = new Promise<number | undefined>((resolve) => {
      asking.on('response', (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode);
        });
      });
      asking.on('error', () => {
        resolve(undefined);
      });
    });
    asking.end(body);
    return {
      hangUp: () => {
        asking.destroy();
      },
      gone,
    };
  }

  /** When the log says that a certificate was revoked since nobody has its key. */
  async function revokedCertificate(): Promise<unknown> {
    const patience = Date.now() + 20_000;
    for (;;) {
      const said = running.gateway.log.entries.find(({ message }) =>
        message.includes('gone without the key'),
      );
      if (said !== undefined || Date.now() > patience) return said;
      await new Promise(setImmediate);
    }
  }

  it.each([
    ['hangs up', true, undefined],
    ['waits until the time of the request is over', false, 504],
  ])('K-22 is of no use when the client %s: its certificate is revoked', async (_what, hangsUp, status) => {
    const held = running.ejbca.hold('before the commit', { path: 'certificaterequest' });
    const { hangUp, gone } = await begin();
    await held.reached;
    if (hangsUp) hangUp();
    expect(await gone).toBe(status);
    held.release();
    expect(await revokedCertificate()).toMatchObject({ level: 'warn', fields: { revoked: true } });
    expect(running.ejbca.database.certificates).toEqual([
      expect.objectContaining({ revocation: expect.anything() }),
    ]);
    expect(await running.gateway.store.enrollments.list(10)).toMatchObject([{ state: 'issued' }]);
  });
});

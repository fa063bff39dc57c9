import {
  newAuthority,
  startOneGateway,
  type TestAuthority,
  type TestGateway,
  type TestGatewayOptions,
} from '../support/gateway.ts';
import { aliasForRelay, registrationAuthority } from './chain.ts';

/**
 * A gateway as specs want it, whose backend `local` is the EST of another gateway, which has the CA: both have the same
 * trust anchor, so that devices see no difference.
 */
export async function startThroughRelay(options: TestGatewayOptions, through: string): Promise<TestGateway> {
  const ca = await newAuthority();
  const upstream = await startOneGateway(
    { aliases: { est: aliasForRelay }, limits: { repeatWindow: 0 } },
    ca,
  );
  const gateway = await startRelay(options, through, upstream, ca).catch(async (error: unknown) => {
    await upstream.stop();
    throw error;
  });
  const { stop } = gateway;
  return Object.assign(gateway, {
    stop: async (): Promise<void> => {
      await stop();
      await upstream.stop();
    },
  });
}

async function startRelay(
  options: TestGatewayOptions,
  through: string,
  upstream: TestGateway,
  ca: TestAuthority,
): Promise<TestGateway> {
  const { files, backend } = await registrationAuthority(upstream);
  const relay = through === 'relay' ? ['cacerts', 'simpleenroll', 'simplereenroll'] : [];
  const changes = {
    backends: { local: { ...backend, relay, linked: 'send', renewals: 'simpleenroll' }, ...options.backends },
    files: { ...files, ...options.files },
  };
  return await startOneGateway({ ...options, ...changes }, ca);
}

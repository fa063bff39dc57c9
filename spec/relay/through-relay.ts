import {
  newAuthority,
  startOneGateway,
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
  const { files, backend } = await registrationAuthority(upstream);
  const relay = through === 'relay' ? ['cacerts', 'simpleenroll', 'simplereenroll'] : [];
  const gateway = await startOneGateway(
    {
      ...options,
      backends: { local: { ...backend, relay, linked: 'send' }, ...options.backends },
      files: { ...files, ...options.files },
    },
    ca,
  );
  const { stop } = gateway;
  return Object.assign(gateway, {
    stop: async (): Promise<void> => {
      await stop();
      await upstream.stop();
    },
  });
}

import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyPair } from './csr.ts';
import {
  newAuthority,
  newServerCertificate,
  startTestGateway,
  type TestAuthority,
  type TestGateway,
  type TestGatewayOptions,
} from './gateway.ts';

/** A gateway among others whose keys no client may have. */
export interface KeyHolders {
  readonly gateway: TestGateway;
  /** The CA behind the alias `sibling`; the file `sibling-root.pem` is its root. */
  readonly sibling: TestAuthority;
  /** Whose devices the alias `vendor` takes. */
  readonly vendor: TestAuthority;
}

/** `asking` is known to a webhook by `webhook.key`; `plant` takes the registration authority `RA 1`. */
export async function startAmongKeyHolders({
  aliases,
  files,
  ...options
}: TestGatewayOptions): Promise<KeyHolders> {
  const [sibling, vendor] = await Promise.all([newAuthority(), newAuthority()]);
  const service = await newServerCertificate(sibling);
  const backend = {
    driver: 'local',
    certificate: 'sibling.pem',
    privateKey: 'file:sibling.key',
    passphrase: 'file:passphrase',
    chain: ['sibling-root.pem'],
    profiles: { device: { validityDays: 90 } },
  };
  const clientCertificate = { certificate: 'webhook.pem', privateKey: 'file:webhook.key' };
  const webhook = { url: 'https://localhost:1/', trustAnchor: 'sibling-root.pem', clientCertificate };
  const plant = { commonName: 'RA 1', names: { commonName: ['*.plant.example'] } };
  const gateway = await startTestGateway({
    backends: { sibling: backend },
    aliases: {
      asking: { policy: { webhook } },
      sibling: { backend: 'sibling' },
      vendor: { implicitTrustAnchors: ['vendor-root.pem', 'vendor.pem'] },
      plant: { registrationAuthorities: { plant } },
      ...aliases,
    },
    files: {
      'webhook.pem': service.certificate,
      'webhook.key': service.key,
      'sibling.pem': sibling.issuingCertificate,
      'sibling.key': sibling.issuingKey,
      'sibling-root.pem': sibling.rootCertificate,
      'vendor.pem': vendor.issuingCertificate,
      'vendor-root.pem': vendor.rootCertificate,
      ...files,
    },
    ...options,
  });
  return { gateway, sibling, vendor };
}

/** The key pair of a PEM of a private key, encrypted as the gateway's CA keys are or in clear. */
export function keyPairOf({ passphrase }: Pick<TestGateway, 'passphrase'>, pem: string): KeyPair {
  const privateKey = createPrivateKey({ key: pem, passphrase });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

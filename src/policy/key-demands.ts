import { EstError } from '../errors.ts';
import type { KeyTemplate } from '../pkix/csr-attributes.ts';
import { isOfKind, type KeyKind, type KeyType } from '../pkix/keys.ts';
import { oids } from '../pkix/oids.ts';
import { signatureAlgorithms, type SignatureAlgorithm } from '../pkix/signature.ts';
import type { Demand } from './demand.ts';
import { offendingValue } from '../pkix/offending.ts';
import type { PolicyOptions } from './options.ts';

/**
 * Which keys are certified, and how a CSR is signed. Of several that are accepted csrattrs names the first one,
 * since it can name one only (RFC 9908, section 3.2). Throws an Error when no key can sign as demanded.
 */
export function keyDemands({ keys, signatureAlgorithms: names }: PolicyOptions): readonly Demand[] {
  const accepted = names?.map(algorithmNamed) ?? signatureAlgorithms;
  const usable = keys.filter((kind) => accepted.some(fits(kind)));
  const [preferred] = usable;
  if (preferred === undefined) {
    throw new Error('policy.signatureAlgorithms: none of them fits any of policy.keys; add one that does.');
  }
  const isNarrow = names !== undefined || !everyType.every((type) => usable.includes(type));
  const key: Demand = {
    rule: 'policy.keys',
    wanted: isNarrow ? { what: 'key', key: kinds[preferred].template } : undefined,
    check: ({ publicKey }) => {
      if (keys.some((kind) => isOfKind(publicKey, kind))) return;
      throw new EstError(
        'refused_by_policy',
        `This alias accepts only these kinds of keys: ${keys.join(', ')}.`,
        {
          cmcFailure: 'badAlg',
          refusedBy: { offending: offendingValue('key', `${publicKey.type} (${publicKey.bits} bits)`) },
        },
      );
    },
    onlyForFirst: false,
  };
  return names === undefined ? [key] : [key, signatureDemand(accepted, preferred)];
}

function signatureDemand(accepted: readonly SignatureAlgorithm[], preferred: KeyKind): Demand {
  const [first] = accepted.filter(fits(preferred));
  return {
    rule: 'policy.signatureAlgorithms',
    wanted: { what: 'identifiers', oids: first === undefined ? [] : [first.oid] },
    check: ({ signature }) => {
      if (accepted.some(({ name }) => name === signature.algorithm)) return;
      const names = accepted.map(({ name }) => name).join(', ');
      throw new EstError(
        'refused_by_policy',
        `This alias accepts only these signatures of a CSR: ${names}.`,
        {
          cmcFailure: 'badAlg',
          refusedBy: { offending: offendingValue('signatureAlgorithm', signature.algorithm) },
        },
      );
    },
    onlyForFirst: false,
  };
}

function algorithmNamed(wanted: string): SignatureAlgorithm {
  const algorithm = signatureAlgorithms.find(({ name }) => name === wanted);
  if (algorithm === undefined) throw new Error(`There is no signature algorithm ${wanted}.`);
  return algorithm;
}

function fits(kind: KeyKind): (algorithm: SignatureAlgorithm) => boolean {
  return ({ keyTypes }) => keyTypes.includes(kinds[kind].type);
}

interface Kind {
  readonly type: KeyType;
  readonly template: KeyTemplate;
}

const kinds: Readonly<Record<KeyKind, Kind>> = {
  RSA: rsa(undefined),
  'RSA-2048': rsa(2048),
  'RSA-3072': rsa(3072),
  'RSA-4096': rsa(4096),
  'RSA-6144': rsa(6144),
  'RSA-8192': rsa(8192),
  'P-256': ec('P-256', oids.secp256r1),
  'P-384': ec('P-384', oids.secp384r1),
  'P-521': ec('P-521', oids.secp521r1),
  Ed25519: pure('Ed25519', oids.Ed25519),
  'ML-DSA-44': pure('ML-DSA-44', oids.mlDsa44),
  'ML-DSA-65': pure('ML-DSA-65', oids.mlDsa65),
  'ML-DSA-87': pure('ML-DSA-87', oids.mlDsa87),
};
const everyType: readonly KeyType[] = [...new Set(Object.values(kinds).map(({ type }) => type))];

function rsa(modulusBits: number | undefined): Kind {
  return { type: 'RSA', template: { algorithm: oids.rsaEncryption, curve: undefined, modulusBits } };
}

function ec(type: KeyType, curve: string): Kind {
  return { type, template: { algorithm: oids.ecPublicKey, curve, modulusBits: undefined } };
}

function pure(type: KeyType, algorithm: string): Kind {
  return { type, template: { algorithm, curve: undefined, modulusBits: undefined } };
}

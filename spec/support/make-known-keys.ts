/**
 * Writes src/pkix/known-keys.ts: keys whose private halves anybody knows.
 *
 *     node spec/support/make-known-keys.ts > src/pkix/known-keys.ts
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  hash,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { pathToFileURL } from 'node:url';

/** A key, and why anybody knows it. */
interface KnownKey {
  readonly what: string;
  readonly key: KeyObject;
}

const curves = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' } as const;

/** The public key of a small private one, which is so many times the base point. */
function multipleOfBase(curve: keyof typeof curves, scalar: number): KeyObject {
  const ecdh = createECDH(curves[curve]);
  ecdh.setPrivateKey(Buffer.of(scalar));
  const point = ecdh.getPublicKey().subarray(1);
  const [x, y] = [point.subarray(0, point.length / 2), point.subarray(point.length / 2)];
  const jwk = { kty: 'EC', crv: curve, x: x.toString('base64url'), y: y.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

/** RFC 8410, section 7. */
function fromSeed(seed: Buffer): KeyObject {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
}

function fromJwk(jwk: JsonWebKey): KeyObject {
  return createPublicKey({ key: jwk, format: 'jwk' });
}

/** RFC 9500, sections 2.1 and 2.3; the RSA key of 1024 bits is too short anyway, as are those of RFC 5280, appendix C. */
const ofRfc9500: Readonly<Record<string, JsonWebKey>> = {
  testRSA2048: {
    kty: 'RSA',
    e: 'AQAB',
    n: 'sPnoGUOnrpiSqt4XynxA-HRP7S-BSObI6qJ7fQAVSPtRkqsotWxQYLEYzNEx5ZSHTGypibVsJylvCfuToDTfMul8b_CZjP2Ob0LdpYrNH6l5hvFE89FU1nZQF15oVLOpUgA7wGiHuEVawrGfey92UE68mOyUVXGweJIVDdxqdMoPvNNUl86BU02vlBiESxOuox-dWmuVV7vfYZ79Toh_LUK43YvJh-rhv4nKuF7iHjVjBd9sB6iDjj70HFldzOQ9r8SRI-9NirupPTkF5AKNe6kUhKJ1luB7S27ZkvB3tSTT3P593VVJvnzOjaA1z6Cz-4-eRvcysqhrRgFlwI9TEw',
  },
  testRSA4096: {
    kty: 'RSA',
    e: 'AQAB',
    n: 's4tJYOY75qjbqJqCl47x9jJE5Vd9jPWGFtXKV1nUnMjZNsM4qjy5sRHBSX5bUa9pLyYR5on3Z1SAwLD0w2VPQ6-F_oyK1zTgQqitoF_XZQjgC6D3VsNEO76DPqfRANT7Nn7r1gvbZIZ3_H3rlCRNrRr47tHGWBLAPnxz9_NY6UG8ZkWP97uXpJqYoRgH4CwaO5rTOlc64YDh_0Mq5VgMycq_q2AvMlvNoJfoe8em1040qH1gikP-suT_8fS452hqmEddtRpuvQgXKldBd0kkiyFVyLkG4NVA6Mso9MAK3J_kdYoaw2SrOeThVSiYVEQVP-7GrUxTSLLjj_VQ9fpYM5eTNzDICIG_Ee7o_jhtW1EoSamDmUOr89lyIHaXuOwkEaJhnVXKBCM8WiztxvKG2CnQ6Dcge3ZSmqJEhyEmjcAVC7ewfnMxOnE-WJW6rzrf-mA5WMVn-FzyWx2AondWow0aUKHkaY7amhIrsKp6YPfNImyxFlz8-cqDCmBswPsUh_JJ5eDHHIhibFcSgIHedsEjhLbUSLZ_DnEjru90qIWWA3R1VIPykKfeZkZeInsrFzGPikkFKwFF-6KDdyvCmltYEqzO46tigXAZ5UgH8oiXEre48wO6X-FH-cLzQ0q3A8HZRnNDgqCjU_Tgy76iaku_Ic6eteedR1fX3gJ_IOU',
  },
  testECCP256: {
    kty: 'EC',
    crv: 'P-256',
    x: 'QiVI-I-3gv-17KN0RFLHKh5Vj71vc75eSOkyMsxFxbE',
    y: 'bEzRDEy41bihcTnpSILImSVymTQl9BQZq36QpCpJQnI',
  },
  testECCP384: {
    kty: 'EC',
    crv: 'P-384',
    x: 'WwkBuIUjKW65GdUP-hqcs3S8TUCVhigr_soRsdla27VHNK9XC_grcijPImvPTCXd',
    y: 'vP47GjrTlDDv92Ph1o0uFR2Rcgt3lbWNprNGOWE6j7m1qNpIxnRxF_mRnoQk837I',
  },
  testECCP521: {
    kty: 'EC',
    crv: 'P-521',
    x: 'AdD9cleoTHR_ViV1wHOF2-vy9SvqWAg9uC_dFTHYquPMh1_wL_f6LaJg2Oti1tL11kknjjIXNqBijLuzAwi25hjb',
    y: 'APYq0gTGRgNZvIGKuJYb8PD8DsWq6KQoFzzlbwDemxV8HlyCxk9WL8re_EpMKPbTQs8-9hb8gtM7coXJIfK_Nv3Y',
  },
};

/** RFC 8410, section 10.3. */
const seedOfRfc8410 = 'd4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842';

const knownKeys: readonly KnownKey[] = [
  ...(['P-256', 'P-384', 'P-521'] as const).flatMap((curve) =>
    Array.from({ length: 16 }, (_, at) => ({
      what: `${curve}, private key ${at + 1}`,
      key: multipleOfBase(curve, at + 1),
    })),
  ),
  { what: 'Ed25519, a seed of zeros', key: fromSeed(Buffer.alloc(32)) },
  { what: 'Ed25519, a seed of octets 1', key: fromSeed(Buffer.alloc(32, 1)) },
  { what: 'Ed25519, a seed of bits 1', key: fromSeed(Buffer.alloc(32, 0xff)) },
  { what: 'Ed25519, RFC 8410, section 10.3', key: fromSeed(Buffer.from(seedOfRfc8410, 'hex')) },
  ...Object.entries(ofRfc9500).map(([name, jwk]) => ({ what: `RFC 9500, ${name}`, key: fromJwk(jwk) })),
];

/** The text of src/pkix/known-keys.ts. */
export function knownKeysText(): string {
  const lines = knownKeys.map(({ what, key }) => {
    const digest = hash('sha256', key.export({ type: 'spki', format: 'der' }), 'hex');
    return `  // ${what}\n  '${digest}',\n`;
  });
  return [
    '/**\n',
    ' * Keys whose private halves anybody knows, by the SHA-256 of their SubjectPublicKeyInfo. Made by\n',
    ' * spec/support/make-known-keys.ts.\n',
    ' */\n',
    'export const knownKeys: ReadonlySet<string> = new Set([\n',
    ...lines,
    ']);\n',
  ].join('');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(knownKeysText());

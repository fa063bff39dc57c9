import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateToPem, readCertificate } from '../../src/pkix/certificate.ts';
import { PathError, validatePath } from '../../src/pkix/path.ts';
import type { Workplace } from '../support/programs.ts';
import { judgedAt, type Chain } from './chains.ts';
import type { CrlJudgement, CrlSituation } from './crls.ts';
import type { OcspJudgement, OcspSituation } from './ocsp.ts';

/** `valid`, or why not. */
export type Judgement = string;

/** By the gateway's own modules. */
export async function judgeByGateway(chain: Chain): Promise<Judgement> {
  const read = (ders: readonly Buffer[]) => ders.map((der) => readCertificate(der));
  try {
    await validatePath(readCertificate(chain.leaf), {
      intermediates: read(chain.intermediates),
      trustAnchors: read(chain.roots),
      at: judgedAt,
      policies: chain.policies,
    });
    return 'valid';
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
}

/** By the command `openssl verify`, for chains that differ in the clients' certificates alone. */
export async function judgeByOpenssl(
  chains: readonly Chain[],
  { directory }: Workplace,
): Promise<readonly Judgement[]> {
  const [{ intermediates, roots, policies } = noChain] = chains;
  const files = { between: intermediates, roots };
  const words = [
    ...['-attime', `${judgedAt.getTime() / 1000}`, '-purpose', 'sslclient', '-policy_check'],
    ...(policies.length > 0 ? ['-explicit_policy'] : []),
    ...(policies.length > 0 ? policies : [anyPolicy]).flatMap((oid) => ['-policy', oid]),
    ...['-trusted', 'roots', '-untrusted', 'between'],
  ];
  return await verify(
    words,
    files,
    chains.map(({ leaf }) => leaf),
    directory,
  );
}

/** By `openssl verify`, of situations with the same CA and CRLs. */
export async function judgeCrlsByOpenssl(
  situations: readonly CrlSituation[],
  { directory }: Workplace,
): Promise<readonly CrlJudgement[]> {
  const [{ ca, crls } = { ca: Buffer.alloc(0), crls: [] }] = situations;
  const pem = crls.map(
    (der) => `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`,
  );
  await writeFile(join(directory, 'crls'), pem.join(''));
  const words = ['-trusted', 'ca', '-CRLfile', 'crls', '-crl_check', '-extended_crl'];
  const leaves = situations.map(({ certificate }) => certificate);
  const judged = await verify(words, { ca: [ca] }, leaves, directory);
  return judged.map((said) =>
    said === 'valid' ? 'good' : said.startsWith('error 23 ') ? 'revoked' : 'undetermined',
  );
}

/** By `openssl ocsp`, of situations with the same CA and answer. */
export async function judgeOcspByOpenssl(
  situations: readonly OcspSituation[],
  { directory }: Workplace,
): Promise<readonly OcspJudgement[]> {
  const [{ ca, answer } = { ca: Buffer.alloc(0), answer: Buffer.alloc(0) }] = situations;
  await writeFile(join(directory, 'answer'), answer);
  const leaves = situations.map(({ certificate }) => certificate);
  await writeCertificates({ ca: [ca] }, leaves, directory);
  const asked = leaves.flatMap((_, at) => ['-cert', `leaf-${at}`]);
  const words = ['ocsp', '-respin', 'answer', '-no_nonce', '-CAfile', 'ca', '-issuer', 'ca', ...asked];
  const { stdout, stderr } = await openssl(words, directory);
  if (!stderr.includes('Response verify OK')) return leaves.map(() => 'undetermined');
  // Where the dates are wrong, a warning stands before the status.
  const said = new Map(
    Array.from(stdout.matchAll(/^(leaf-\d+): (good|revoked|unknown)$/gm), ([, leaf, status]) => [
      leaf,
      status,
    ]),
  ) as ReadonlyMap<string, OcspJudgement>;
  return leaves.map((_, at) => said.get(`leaf-${at}`) ?? 'undetermined');
}

/** Runs `openssl verify` over certificates that have everything else in common. */
async function verify(
  options: readonly string[],
  certificates: Readonly<Record<string, readonly Buffer[]>>,
  leaves: readonly Buffer[],
  directory: string,
): Promise<readonly Judgement[]> {
  await writeCertificates(certificates, leaves, directory);
  const words = ['verify', ...options, ...leaves.map((_, at) => `leaf-${at}`)];
  const { stdout, stderr } = await openssl(words, directory);
  const refused = new Map(
    Array.from(
      stderr.matchAll(/^(error \d+ at [^]*?)^error (leaf-\d+): verification failed/gm),
      ([, why = '', leaf = '']) => [leaf, why.trim().replaceAll('\n', '; ')],
    ),
  );
  return leaves.map((_, at) => {
    if (stdout.includes(`leaf-${at}: OK`)) return 'valid';
    return refused.get(`leaf-${at}`) ?? `neither valid nor refused: ${stderr}`;
  });
}

/** Writes files of PEM, those of the leaves as `leaf-0` and so on. */
async function writeCertificates(
  certificates: Readonly<Record<string, readonly Buffer[]>>,
  leaves: readonly Buffer[],
  directory: string,
): Promise<void> {
  const ofLeaves = leaves.map((leaf, at) => [`leaf-${at}`, [leaf]] as const);
  await Promise.all(
    [...Object.entries(certificates), ...ofLeaves].map(async ([file, ders]) => {
      await writeFile(join(directory, file), ders.map(certificateToPem).join(''));
    }),
  );
}

/** What the command prints; its exit code, which only says that one of the certificates is not good, does not matter. */
async function openssl(
  words: readonly string[],
  cwd: string,
): Promise<Readonly<Record<'stdout' | 'stderr', string>>> {
  return await new Promise((resolve) => {
    execFile('openssl', words, { cwd }, (_error, stdout, stderr) => {
      resolve({ stdout, stderr });
    });
  });
}

/** By its own default OpenSSL accepts no policy at all where a CA demands explicit ones. */
const anyPolicy = '2.5.29.32.0';

const noChain = { intermediates: [], roots: [], policies: [] };

/** By Go's crypto/x509. */
export async function judgeByGo(chains: readonly Chain[]): Promise<readonly Judgement[]> {
  const base64 = (ders: readonly Buffer[]): readonly string[] => ders.map((der) => der.toString('base64'));
  const lines = chains.map(({ leaf, intermediates, roots, policies }) =>
    JSON.stringify({
      Leaf: leaf.toString('base64'),
      Intermediates: base64(intermediates),
      Roots: base64(roots),
      Policies: policies,
      At: judgedAt.toISOString(),
    }),
  );
  const printed = await new Promise<string>((resolve, reject) => {
    const program = join(import.meta.dirname, 'verify.go');
    const child = execFile('go', ['run', program], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`go run verify.go: ${stderr}`));
    });
    child.stdin?.end(`${lines.join('\n')}\n`);
  });
  return printed.trimEnd().split('\n');
}

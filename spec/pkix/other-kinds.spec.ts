import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { integer, objectIdentifier, sequence, tlv } from '../support/csr.ts';
import { sentenceAgainst } from '../support/refused-csr.ts';

const run = promisify(execFile);

describe('guessOtherKind (vector V-34)', () => {
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'other-kinds-'));
    const out = ['-keyout', 'key.pem', '-out', 'certificate.pem'];
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=secret-name', ...out);
  });

  afterAll(() => rm(folder, { recursive: true }));

  async function openssl(...args: readonly string[]): Promise<void> {
    await run('openssl', args, { cwd: folder });
  }

  it.each([
    ['a certificate', ['x509', '-in', 'certificate.pem', '-outform', 'DER']],
    ['a PKCS#7', ['crl2pkcs7', '-nocrl', '-certfile', 'certificate.pem', '-outform', 'DER']],
    ['a private key', ['rsa', '-traditional', '-in', 'key.pem', '-outform', 'DER']],
    ['a private key', ['pkcs8', '-topk8', '-nocrypt', '-in', 'key.pem', '-outform', 'DER']],
    ['a private key', ['pkcs8', '-topk8', '-passout', 'pass:x', '-in', 'key.pem', '-outform', 'DER']],
    ['a private key', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-outform', 'DER']],
    ['a public key', ['rsa', '-in', 'key.pem', '-pubout', '-outform', 'DER']],
    ['a PKCS#12', ['pkcs12', '-export', '-passout', 'pass:x', '-in', 'certificate.pem', '-inkey', 'key.pem']],
  ])('V-34 says that the body seems to be %s (%j)', async (kind, args) => {
    await openssl(...args, '-out', 'out.der');
    const sentence = await sentenceAgainst(await readFile(join(folder, 'out.der')));
    expect(sentence).toContain(`seems to be ${kind}`);
    expect(sentence).not.toContain('secret-name');
  });

  it('V-34 knows a certificate of version 1 and a CRL', async () => {
    const [algorithm, issuer] = [sequence(objectIdentifier('1.2.3')), sequence()];
    const time = tlv(0x17, Buffer.from('300101000000Z'));
    const list = sequence(sequence(integer(1n), algorithm, issuer, time), algorithm, tlv(0x03, Buffer.of(0)));
    const version1 = sequence(
      sequence(integer(0n), algorithm, issuer, sequence(time, time), issuer, sequence(algorithm)),
      algorithm,
      tlv(0x03, Buffer.of(0)),
    );
    expect(await sentenceAgainst(list)).toContain('seems to be a certificate revocation list');
    expect(await sentenceAgainst(version1)).toContain('seems to be a certificate;');
  });

  it.each(['', 'hello', '-----BEGIN CERTIFICATE REQUEST-----'])('refuses "%s"', async (text) => {
    expect(await sentenceAgainst(Buffer.from(text))).toContain('not a valid PKCS#10 CSR in DER');
  });
});

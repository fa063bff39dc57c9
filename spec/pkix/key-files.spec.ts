import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { readPkcs12, readPrivateKey, readOwnKey } from '../../src/pkix/key-files.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';

/** What people have in the files of their keys and certificates, made by OpenSSL. */
const commands = `
legacy="-provider legacy -provider default"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out certificate -subj /CN=own -days 30
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other
openssl req -new -key key -subj /CN=own -out csr
openssl x509 -in certificate -trustout -addtrust clientAuth -out trusted
openssl x509 -in certificate -outform DER -out certificate.der
openssl crl2pkcs7 -nocrl -certfile certificate -out pkcs7
openssl pkey -in key -outform DER -out key.der
openssl pkcs8 -topk8 -in key -passout pass:sesame -out encrypted
openssl ec -in key -aes128 -passout pass:sesame -out traditional
openssl pkcs8 -topk8 -in key -passout pass:sesame -v1 PBE-SHA1-RC2-40 $legacy -out rc2
openssl pkcs8 -topk8 -in key -passout pass:sesame -v1 PBE-MD5-DES $legacy -out des
openssl ecparam -name prime256v1 -out parameters
openssl ec -in key -out sec1
cat parameters sec1 > with-parameters
cat certificate key > both
sed 's/$/\\r/' key > crlf
head -2 key > cut
head -3 certificate > cut-certificate
: > empty
echo hello > words
openssl pkcs12 -export -in certificate -inkey key -passout pass:sesame -out p12
openssl pkcs12 -export -in certificate -inkey key -passout pass: -out open.p12
openssl pkcs12 -export -in certificate -inkey key -passout pass:sesame -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -out 3des.p12
openssl pkcs12 -export -in certificate -inkey key -passout pass:sesame -legacy -out rc2.p12
openssl pkcs12 -export -in certificate -nokeys -passout pass:sesame -out without-key.p12
head -c 200 p12 > cut.p12
`;

describe('the files of keys and certificates', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
    await place.bash(`(${commands.trim().replaceAll('\n', ' ;\n')}) 2>/dev/null`);
  });
  afterAll(async () => {
    await place.remove();
  });

  const octets = (file: string): Buffer => readFileSync(join(place.directory, file));
  const text = (file: string): string => octets(file).toString('utf8');

  function failure(read: () => unknown): string {
    try {
      read();
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  }

  it.each([
    ['key', undefined],
    ['crlf', undefined],
    ['sec1', undefined],
    ['with-parameters', undefined],
    ['both', undefined],
    ['encrypted', 'sesame'],
    ['traditional', 'sesame'],
  ])('give the private key of %s with the passphrase %s', (file, passphrase) => {
    const certificates = certificatesFromPem(text('certificate'));
    const { privateKey } = readOwnKey(certificates, text(file), { passphrase });
    expect(privateKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  });

  it.each<[string, string | undefined, RegExp]>([
    ['key', 'not needed', /^passphrase: the private key is not encrypted; leave it out\.$/],
    ['encrypted', undefined, /^passphrase: the private key is encrypted, so its passphrase is needed\.$/],
    ['traditional', undefined, /^passphrase: the private key is encrypted, so its passphrase is needed\.$/],
    ['encrypted', 'guess', /^passphrase: it does not open the private key\.$/],
    ['encrypted', '', /^passphrase: it does not open the private key\.$/],
    ['traditional', 'guess', /^passphrase: it does not open the private key\.$/],
    ['rc2', 'sesame', /^privateKey: it is encrypted with an algorithm that OpenSSL 3 does not have/],
    ['des', 'sesame', /^privateKey: it is encrypted with an algorithm that OpenSSL 3 does not have/],
    ['key.der', undefined, /^privateKey: expected PEM of a private key; the file is binary, such as DER/],
    ['p12', undefined, /^privateKey: expected PEM of a private key; the file is binary, such as DER/],
    ['certificate', undefined, /; the file holds CERTIFICATE\.$/],
    ['csr', undefined, /; the file holds CERTIFICATE REQUEST\.$/],
    ['empty', undefined, /; the file is empty\.$/],
    ['words', undefined, /; the file has no line "-----BEGIN \.\.\.-----"\.$/],
    ['cut', undefined, /^privateKey: the private key is damaged, or of a kind that OpenSSL does not have\.$/],
  ])('say what is wrong with the private key of %s and the passphrase %s', (file, passphrase, reason) => {
    expect(failure(() => readPrivateKey(text(file), { passphrase }))).toMatch(reason);
  });

  it.each(['encrypted', 'traditional', 'rc2'])(
    'name no passphrase for %s where there is no setting for one',
    (file) => {
      expect(failure(() => readPrivateKey(text(file)))).toMatch(
        /^privateKey: expected PEM of a private key that is not encrypted; "openssl pkey .*" decrypts it\.$/,
      );
    },
  );

  it('say that a key in the form of OpenSSH must be converted', async () => {
    await place.bash(
      'printf "%s\\n" "-----BEGIN OPENSSH PRIVATE KEY-----" b3BlbnNzaA== "-----END OPENSSH PRIVATE KEY-----" > ssh',
    );
    expect(failure(() => readPrivateKey(text('ssh')))).toMatch(/OpenSSH's own form; "ssh-keygen/);
  });

  it('say that key and certificate do not belong together', () => {
    const certificates = certificatesFromPem(text('certificate'));
    expect(failure(() => readOwnKey(certificates, text('other')))).toBe(
      'the private key does not belong to the first certificate of the file.',
    );
  });

  it.each<[string, RegExp]>([
    [
      'trusted',
      /: the file holds TRUSTED CERTIFICATE, .* which "openssl x509 -in FILE -out NEW" converts\.$/,
    ],
    ['certificate.der', /: the file is binary, such as DER, which "openssl x509"/],
    ['pkcs7', /: the file holds PKCS7\.$/],
    ['csr', /: the file holds CERTIFICATE REQUEST\.$/],
    ['key', /: the file holds PRIVATE KEY\.$/],
    ['cut-certificate', /: it is cut off or damaged\.$/],
    ['empty', /: the file is empty\.$/],
  ])('say what is wrong with the certificate of %s', (file, reason) => {
    const message = failure(() => certificatesFromPem(text(file)));
    expect(message).toMatch(/^There is no certificate in PEM form: /);
    expect(message).toMatch(reason);
  });

  it.each<[string, string | undefined]>([
    ['p12', 'sesame'],
    ['3des.p12', 'sesame'],
    ['open.p12', undefined],
    ['open.p12', ''],
  ])('give the certificate of %s with the passphrase %s', (file, passphrase) => {
    const [own] = certificatesFromPem(text('certificate'));
    expect(readPkcs12(octets(file), { passphrase }).der).toEqual(own?.der);
  });

  it.each<[string, string | undefined, RegExp]>([
    ['p12', undefined, /^passphrase: the PKCS#12 file is encrypted, so its passphrase is needed\.$/],
    ['p12', 'guess', /^passphrase: it does not open the PKCS#12 file\.$/],
    ['rc2.p12', 'guess', /^passphrase: it does not open the PKCS#12 file\.$/],
    ['rc2.p12', 'sesame', /^pkcs12: it is encrypted with an algorithm that OpenSSL 3 does not have/],
    ['without-key.p12', 'sesame', /^pkcs12: there is no private key in the file\.$/],
    ['certificate', 'sesame', /^pkcs12: expected a PKCS#12 file; the file holds CERTIFICATE\.$/],
    ['certificate.der', 'sesame', /^pkcs12: .*; the file holds something else, or is damaged\.$/],
    ['cut.p12', 'sesame', /^pkcs12: .*; the file holds something else, or is damaged\.$/],
    ['words', 'sesame', /^pkcs12: .*; the file holds something else, or is damaged\.$/],
    ['empty', undefined, /^pkcs12: .*; the file is empty\.$/],
  ])('say what is wrong with the PKCS#12 file %s and the passphrase %s', (file, passphrase, reason) => {
    expect(failure(() => readPkcs12(octets(file), { passphrase }))).toMatch(reason);
  });
});

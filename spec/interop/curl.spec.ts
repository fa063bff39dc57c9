import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

describeWith('curl', 'curl with openssl', () => {
  let gateway: TestGateway;
  let place: Workplace;
  let curl: string;

  beforeAll(async () => {
    place = await openWorkplace();
    gateway = await startTestGateway({
      aliases: {
        digest: { authentication: 'basic', httpAuthentication: ['digest-SHA-256'] },
        md5: { authentication: 'basic', httpAuthentication: ['digest-MD5'] },
      },
      backends: {
        local: {
          driver: 'local',
          certificate: 'issuing.pem',
          privateKey: 'file:issuing.key',
          passphrase: 'file:passphrase',
          chain: ['root.pem'],
          crl: { urls: ['http://localhost/crl/local.crl'] },
          profiles: { device: { validityDays: 90 } },
        },
      },
    });
    for (const alias of ['digest', 'md5']) {
      const added = { alias, name: 'täglich', code: 'p:q"r', remainingUses: undefined };
      await addUser(gateway.store, added, ['SHA-256', 'MD5']);
    }
    await writeFile(join(place.directory, 'root.pem'), gateway.trustAnchor);
    curl = `curl --silent --show-error --fail --cacert root.pem`;
    await place.bash(`${curl} ${gateway.url}/cacerts | ${decode} -out cacerts.pem`);
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), place.remove()]);
  });

  const decode = 'openssl base64 -d | openssl pkcs7 -inform DER -print_certs';
  const type = `--header 'Content-Type: application/pkcs10'`;
  const login = `--user ${user.name}:${user.code}`;
  const verify = (file: string): Promise<string> =>
    place.bash(`openssl verify -x509_strict -CAfile root.pem -untrusted cacerts.pem ${file}`);

  it.each([
    ['rsa-2048', 'rsa:2048'],
    ['rsa-3072', 'rsa:3072'],
    ['p-256', 'ec -pkeyopt ec_paramgen_curve:P-256'],
    ['p-384', 'ec -pkeyopt ec_paramgen_curve:P-384'],
    ['p-521', 'ec -pkeyopt ec_paramgen_curve:P-521'],
    ['ed25519', 'ed25519'],
  ])('C-05 E-15 enrols with %s, and openssl verifies it by the bag of cacerts alone', async (name, key) => {
    await place.bash(
      `openssl req -new -newkey ${key} -nodes -keyout ${name}.key -subj /CN=${name} -out ${name}.csr 2>/dev/null`,
    );
    await place.bash(
      `${curl} ${login} ${type} --data-binary @${name}.csr ${gateway.url}/simpleenroll | ${decode} -out ${name}.pem`,
    );
    expect(await verify(`${name}.pem`)).toBe(`${name}.pem: OK\n`);
  });

  it.each(['digest', 'md5'])('A-08 A-09 enrols by Digest at the alias %s', async (alias) => {
    await place.bash(
      `openssl req -new -newkey rsa:2048 -nodes -keyout ${alias}.key -subj /CN=${alias} -out ${alias}.csr 2>/dev/null`,
    );
    await place.bash(
      `${curl} --digest --user 'täglich:p:q"r' ${type} --data-binary @${alias}.csr ` +
        `${gateway.url}/${alias}/simpleenroll | ${decode} -out ${alias}.pem`,
    );
    expect(await verify(`${alias}.pem`)).toBe(`${alias}.pem: OK\n`);
  });

  it.each([
    ['pem', 'openssl req -in p-256.csr'],
    ['der', 'openssl req -in p-256.csr -outform DER'],
    ['base64', 'openssl req -in p-256.csr -outform DER | openssl base64'],
    ['one-line', 'openssl req -in p-256.csr -outform DER | openssl base64 -A'],
  ])('B-03 B-08 B-09 takes a CSR as %s', async (form, make) => {
    const upload = `${curl} ${login} ${type} --data-binary @- ${gateway.url}/simpleenroll`;
    await place.bash(`${make} | ${upload} | ${decode} -out form-${form}.pem`);
    expect(await verify(`form-${form}.pem`)).toBe(`form-${form}.pem: OK\n`);
  });

  it.each(['1.2', '1.3'])(
    'T-03 E-15 R-04 enrols and renews over TLS %s and no other version',
    async (version) => {
      const over = `${curl} --tlsv${version} --tls-max ${version} ${type}`;
      const name = `tls-${version}`;
      await place.bash(
        `openssl req -new -newkey rsa:2048 -nodes -keyout ${name}.key -subj /CN=${name} -out ${name}.csr 2>/dev/null`,
      );
      const post = `${over} --data-binary @${name}.csr`;
      await place.bash(`${post} ${login} ${gateway.url}/simpleenroll | ${decode} -out ${name}.pem`);
      await place.bash(
        `${post} --cert ${name}.pem --key ${name}.key ${gateway.url}/simplereenroll | ${decode} -out ${name}-new.pem`,
      );
      expect(await verify(`${name}.pem ${name}-new.pem`)).toBe(`${name}.pem: OK\n${name}-new.pem: OK\n`);
    },
  );

  it('publishes a CRL that openssl verifies, with a revocation at once', async () => {
    const fetch = `curl --silent --fail ${gateway.httpUrl}/crl/local.crl | openssl crl -inform DER -out crl.pem`;
    const check = `openssl verify -crl_check -CAfile root.pem -untrusted cacerts.pem -CRLfile crl.pem p-384.pem`;
    await place.bash(fetch);
    expect(await place.bash('openssl crl -in crl.pem -noout -verify -CAfile cacerts.pem 2>&1')).toContain(
      'verify OK',
    );
    expect(await place.bash(check)).toBe('p-384.pem: OK\n');
    const serialNumber =
      (await place.bash('openssl x509 -in p-384.pem -noout -serial')).trim().split('=')[1] ?? '';
    await gateway.store.certificates.revoke(
      gateway.ca,
      serialNumber.toLowerCase(),
      'keyCompromise',
      new Date(),
    );
    await place.bash(fetch);
    await expect(place.bash(check)).rejects.toThrow('certificate revoked');
  });

  it('publishes the issuing certificate, and nothing of EST, over plain HTTP', async () => {
    const printed = await place.bash(
      `curl --silent --fail ${gateway.httpUrl}/ca/local.cer | openssl x509 -inform DER -noout -subject`,
    );
    expect(printed).toContain('Test Issuing CA');
    const status = await place.bash(
      `curl --silent --output /dev/null --write-out '%{http_code}' ${gateway.httpUrl}/.well-known/est/cacerts`,
    );
    expect(status).toBe('404');
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

/**
 * strongSwan 5.9.8 fails on base64 in lines, reads a reply in two reads of 1024 octets and a TLS record, and sends
 * no User-Agent.
 */
describeWith('pki', "strongSwan's pki", () => {
  let gateway: TestGateway;
  let pending: TestGateway;
  let place: Workplace;

  beforeAll(async () => {
    place = await openWorkplace();
    gateway = await startTestGateway();
    // pki knows the default alias alone.
    const backends = { mock: { driver: 'mock', pendingAnswers: 1, retryAfter: 1 } };
    pending = await startTestGateway({ backends, aliases: { est: { backend: 'mock', profile: 'pending' } } });
    await writeFile(join(place.directory, 'root.pem'), gateway.trustAnchor);
    await writeFile(join(place.directory, 'issuing.pem'), gateway.issuingCertificate);
    await writeFile(join(place.directory, 'pending.pem'), pending.trustAnchor);
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), pending.stop(), place.remove()]);
  });

  const est = (server: TestGateway, anchor: string): string =>
    `pki --est --url https://localhost:${server.port} --cacert ${anchor} --outform pem`;
  const login = `--userpass ${user.name}:${user.code}`;
  const newRequest = (name: string, type: string, dn: string): string =>
    `pki --gen --type ${type} --outform pem > ${name}.key && ` +
    `pki --req --in ${name}.key --type ${type.split(' ')[0]} --dn 'CN=${dn}' --san ${dn}.example > ${name}.p10`;

  it('C-03 C-05 W2 fetches the chain with --estca', async () => {
    await place.bash(
      `pki --estca --url https://localhost:${gateway.port} --cacert root.pem --caout ca --outform pem`,
    );
    await place.bash('openssl verify -x509_strict -CAfile ca.pem ca-1.pem');
    expect(await place.bash('openssl x509 -in ca.pem -noout -fingerprint')).toBe(
      await place.bash('openssl x509 -in root.pem -noout -fingerprint'),
    );
  });

  it.each([
    ['ecdsa', 'ecdsa --size 256'],
    ['ecdsa-384', 'ecdsa --size 384'],
    ['rsa', 'rsa --size 2048'],
  ])('B-06 E-15 R-04 enrols and renews with %s keys', async (name, type) => {
    await place.bash(newRequest(name, type, name));
    await place.bash(`${est(gateway, 'root.pem')} --in ${name}.p10 ${login} > ${name}.pem`);
    await place.bash(newRequest(`${name}-new`, type, name));
    await place.bash(
      `${est(gateway, 'root.pem')} --in ${name}-new.p10 --cert ${name}.pem --key ${name}.key > ${name}-new.pem`,
    );
    for (const file of [name, `${name}-new`]) {
      const verified = await place.bash(
        `openssl verify -x509_strict -CAfile root.pem -untrusted issuing.pem ${file}.pem`,
      );
      expect(verified).toBe(`${file}.pem: OK\n`);
      expect(await place.bash(`openssl x509 -in ${file}.pem -noout -ext subjectAltName`)).toContain(
        `${name}.example`,
      );
    }
  });

  it.each([
    ['waiting-ecdsa', 'ecdsa --size 256'],
    ['waiting-rsa', 'rsa --size 2048'],
  ])('P-01 P-03 asks again after 202 until it has its certificate: %s', async (name, type) => {
    await place.bash(newRequest(name, type, name));
    await place.bash(
      `${est(pending, 'pending.pem')} --in ${name}.p10 ${login} --interval 1 --maxpolltime 20 > ${name}.pem`,
    );
    expect(await place.bash(`openssl x509 -in ${name}.pem -noout -subject`)).toContain(`CN = ${name}`);
    const entries = (await pending.store.enrollments.list(10)).filter(
      ({ subject }) => subject === `CN=${name}`,
    );
    expect(entries).toEqual([expect.objectContaining({ state: 'issued' })]);
  });
});

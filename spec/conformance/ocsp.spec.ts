import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { describeWith } from '../support/programs.ts';
import {
  openVendor,
  startCountingServer,
  type CountingServer,
  type Responder,
  type Vendor,
  type VendorDevice,
} from '../support/vendor.ts';

const mayAnswer = 'extendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature';

/** Certificates of a vendor at aliases that ask different responders, all of them `openssl ocsp`. */
describeWith('openssl', 'revocation by OCSP', () => {
  let vendor: Vendor;
  let stranger: Vendor;
  let web: CountingServer;
  let gateway: TestGateway;
  let good: VendorDevice;
  let revoked: VendorDevice;
  let unknown: VendorDevice;
  let stopped: Responder;

  beforeAll(async () => {
    [vendor, stranger] = await Promise.all([openVendor(), openVendor()]);
    good = await vendor.issue('good');
    revoked = await vendor.issue('revoked');
    await vendor.revoke('revoked');
    await vendor.issue('responder', mayAnswer);
    await vendor.issue('no-responder', 'extendedKeyUsage=clientAuth');
    await vendor.issue('old-responder', mayAnswer, '-startdate 200101000000Z -enddate 200201000000Z');
    await vendor.issue('revoked-responder', mayAnswer);
    await vendor.revoke('revoked-responder');
    await stranger.issue('stranger', mayAnswer);
    web = await startCountingServer((request, response) => {
      if (request.url === '/garbage') response.end('<html>');
      else if (request.url === '/trylater') response.end(Buffer.from('30030a0103', 'hex'));
      else if (request.url !== '/slow') response.writeHead(302, { Location: responders['plain']?.url }).end();
    });
    const signedBy = (name: string, more = '-nmin 5'): string =>
      `-rsigner ${name}.pem -rkey ${name}.key ${more}`;
    const outside = `-rsigner ${stranger.file('stranger.pem')} -rkey ${stranger.file('stranger.key')} -nmin 5`;
    const responders: Readonly<Record<string, Responder>> = {
      plain: await vendor.startOcsp(),
      delegated: await vendor.startOcsp(signedBy('responder')),
      'key-id': await vendor.startOcsp(signedBy('responder', '-nmin 5 -resp_key_id')),
      fresh: await vendor.startOcsp(signedBy('issuing', '')),
      undelegated: await vendor.startOcsp(signedBy('no-responder')),
      'out-of-date': await vendor.startOcsp(signedBy('old-responder')),
      'revoked-responder': await vendor.startOcsp(signedBy('revoked-responder')),
      stranger: await vendor.startOcsp(outside),
      silent: await vendor.startOcsp(signedBy('responder', '-nmin 5 -resp_no_certs')),
      sha1: await vendor.startOcsp(signedBy('issuing', '-nmin 5 -rmd sha1')),
    };
    stopped = await vendor.startOcsp();
    const urls = {
      ...Object.fromEntries(Object.entries(responders).map(([name, { url }]) => [name, url])),
      down: stopped.url,
      garbage: `${web.url}/garbage`,
      trylater: `${web.url}/trylater`,
      slow: `${web.url}/slow`,
      redirect: `${web.url}/redirect`,
    };
    await stopped.stop();
    // The responders know what stands in the index of the CA.
    unknown = await vendor.issue('unknown');
    await vendor.bash('sed --in-place /CN=unknown/d issuing.index');
    const both = Object.entries(urls).flatMap(([name, url]) => [
      [
        name,
        aliasWith({ sources: ['ocsp'], ocspResponders: { [url]: vendor.file('issuing.pem') } }),
      ] as const,
      [
        `${name}-soft`,
        aliasWith({
          sources: ['ocsp'],
          onFailure: 'soft',
          ocspResponders: { [url]: vendor.file('issuing.pem') },
        }),
      ] as const,
    ]);
    await vendor.crl('issuing.crl');
    const crlFiles = [vendor.file('issuing.crl')];
    const down = { ocspResponders: { [stopped.url]: vendor.file('issuing.pem') } };
    gateway = await startTestGateway({
      revocation: { allowedNetworks: ['127.0.0.0/8', '::1/128'], timeout: 1 },
      aliases: {
        ...Object.fromEntries(both),
        follow: aliasWith({ sources: ['ocsp'], followCertificates: true }),
        'crl-then-ocsp': aliasWith({ sources: ['crl', 'ocsp'], crlFiles, ...down }),
        'ocsp-then-crl': aliasWith({ sources: ['ocsp', 'crl'], crlFiles, ...down }),
      },
    });
  });

  afterAll(async () => {
    await Promise.all([gateway.stop(), web.stop(), vendor.remove(), stranger.remove()]);
  });

  function aliasWith(revocation: object): object {
    return {
      authentication: 'clientCertificate',
      implicitTrustAnchors: [vendor.file('both.pem')],
      revocation,
    };
  }

  async function enrol(alias: string, { key, cert, name }: VendorDevice): Promise<Answer> {
    return await send(`${gateway.url}/${alias}/simpleenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(await plainCsr(name, await generateKeyPair('P-256'))),
    });
  }

  it.each([
    ['signed by the CA itself', 'plain'],
    ['signed by a responder that the CA certified', 'delegated'],
    ['signed by one that is named by its key', 'key-id'],
    ['without nextUpdate', 'fresh'],
  ])('S-07 V-53 believes an answer %s', async (_what, alias) => {
    expect(await enrol(alias, good)).toMatchObject({ status: 200 });
    expect(await enrol(alias, revoked)).toMatchObject({
      status: 403,
      body: expect.stringContaining('it is revoked'),
    });
  });

  it('S-07 refuses what the responder does not know, and lets it pass where the alias is soft', async () => {
    expect(await enrol('plain', unknown)).toMatchObject({
      status: 403,
      body: expect.stringContaining('it is not known to the OCSP responder'),
    });
    expect(await enrol('plain-soft', unknown)).toMatchObject({ status: 200 });
  });

  it.each([
    ['of a certificate that is not for that', 'undelegated', /id-kp-OCSPSigning/],
    ['of a responder whose certificate has expired', 'out-of-date', /has expired/],
    ['of a responder that is revoked', 'revoked-responder', /certificate of the OCSP responder is revoked/],
    ['of another CA with the same name', 'stranger', /whom the CA has not certified/],
    ['of somebody whose certificate is not there', 'silent', /whose certificate is not in it/],
    ['with SHA-1', 'sha1', /signature algorithm is not accepted/],
    ['that is none', 'garbage', /garbage: /],
    ['tryLater', 'trylater', /answers tryLater/],
    ['that does not come in time', 'slow', /did not come in time/],
    ['from nobody', 'down', /cannot be reached/],
    ['from somewhere else', 'redirect', /status 302/],
  ])(
    'S-07 S-08 learns nothing from an answer %s: hard refuses, soft accepts and logs',
    async (_what, alias, reason) => {
      expect(await enrol(alias, good)).toMatchObject({ status: 503, headers: { 'retry-after': '30' } });
      expect(gateway.log.entries.at(-1)?.fields['reason']).toMatch(reason);
      expect(await enrol(`${alias}-soft`, good)).toMatchObject({ status: 200 });
      expect(await enrol(`${alias}-soft`, revoked)).toMatchObject({ status: 200 });
      expect(
        gateway.log.entries.filter(({ message }) => message.includes('nobody knows')).at(-1),
      ).toMatchObject({
        level: 'warn',
        fields: { reason: expect.stringMatching(reason) },
      });
    },
  );

  it('S-08 asks whom a certificate of a configured CA names, if the alias says so', async () => {
    const named = await vendor.issue('named', `authorityInfoAccess=OCSP;URI:${web.url}/slow`);
    const before = web.visits.length;
    expect(await enrol('follow', named)).toMatchObject({ status: 503 });
    expect(await enrol('follow', good)).toMatchObject({ status: 200 });
    expect(web.visits.slice(before)).toEqual(['/slow']);
  });

  it('S-07 asks the sources in their order, until one knows', async () => {
    for (const alias of ['crl-then-ocsp', 'ocsp-then-crl']) {
      expect(await enrol(alias, good)).toMatchObject({ status: 200 });
      expect(await enrol(alias, revoked)).toMatchObject({ status: 403 });
    }
  });
});

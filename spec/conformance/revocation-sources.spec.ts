import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { recordLog } from '../support/log.ts';
import { describeWith } from '../support/programs.ts';
import {
  openVendor,
  startCountingServer,
  type CountingServer,
  type Vendor,
  type VendorDevice,
} from '../support/vendor.ts';

const someReasons = 'keyCompromise,CACompromise,affiliationChanged';
const otherReasons = 'superseded,cessationOfOperation,certificateHold,privilegeWithdrawn,AACompromise';

/** Sources of revocations that do not say of a certificate what they should. */
describeWith('openssl', 'revocation by sources that say nothing of the certificate', () => {
  let vendor: Vendor;
  let stranger: Vendor;
  /** Of the same name as the vendor, with other keys. */
  let twin: Vendor;
  let web: CountingServer;
  let gateway: TestGateway;
  const documents = new Map<string, Buffer>();
  const devices = new Map<string, VendorDevice>();

  const device = (name: string): VendorDevice => {
    const found = devices.get(name);
    if (found === undefined) throw new Error(`no device ${name}`);
    return found;
  };
  const point = (words: string): string => `issuingDistributionPoint=critical,@idp\n[idp]\n${words}`;

  /** Two devices with the same extensions, of which one is revoked. */
  async function issuePair(name: string, extensions?: string): Promise<void> {
    for (const one of [name, `${name}-revoked`]) devices.set(one, await vendor.issue(one, extensions));
    await vendor.bash(
      `openssl ca -config openssl.cnf -name issuing -revoke ${name}-revoked.pem -crl_reason keyCompromise 2> revoke.log`,
    );
  }

  const namedPoints = (...points: readonly string[]): string =>
    [
      `crlDistributionPoints=${points.map((_, at) => `point${at}`).join(',')}`,
      ...points.map((words, at) => `[point${at}]\n${words}`),
      '[elsewhere]\nCN=Somebody else\n[relative]\nCN=CRL 1',
    ].join('\n');

  beforeAll(async () => {
    [vendor, stranger, twin] = await Promise.all([openVendor(), openVendor('Stranger'), openVendor()]);
    web = await startCountingServer((request, response) => {
      const document = documents.get(request.url ?? '');
      if (document === undefined) response.writeHead(404).end();
      else response.end(document);
    });
    const at = (path: string): string => `fullname=URI:${web.url}/${path}`;
    await issuePair('plain');
    await issuePair('partition', namedPoints(at('partition-1.crl')));
    await issuePair('two-urls', namedPoints(at('junk.crl'), at('full.crl')));
    await issuePair('two-names', namedPoints(`${at('junk.crl')},URI:${web.url}/full.crl`));
    await issuePair('indirect', namedPoints(`${at('missing.crl')}\nCRLissuer=dirName:elsewhere`));
    await issuePair('relative', namedPoints('relativename=relative'));
    await issuePair('directory', namedPoints('fullname=URI:ldap://localhost/CN=x'));
    await issuePair('one-reason', namedPoints(`${at('some.crl')}\nreasons=${someReasons}`));
    await issuePair(
      'reasons',
      namedPoints(`${at('other.crl')}\nreasons=${otherReasons}`, `${at('some.crl')}\nreasons=${someReasons}`),
    );
    await issuePair('full-for-some', namedPoints(`${at('full.crl')}\nreasons=${someReasons}`));
    await issuePair('many', namedPoints(...Array.from({ length: 12 }, (_, n) => at(`missing-${n}.crl`))));
    const crl = async (name: string, ...rest: [string?, ('root' | 'issuing')?]): Promise<void> => {
      documents.set(`/${name}.crl`, await vendor.crl(`${name}.crl`, '', rest[0], rest[1]));
    };
    await crl('full');
    documents.set('/instead-of-root.crl', documents.get('/full.crl') ?? Buffer.alloc(0));
    await crl('root', undefined, 'root');
    await crl('cas-only', point('onlyCA=TRUE'));
    await crl('users-only', point('onlyuser=TRUE'));
    await crl('partition-1', point(at('partition-1.crl')));
    await crl('partition-2', point(at('partition-2.crl')));
    await crl('some', point(`onlysomereasons=${someReasons}`));
    await crl('other', point(`onlysomereasons=${otherReasons}`));
    documents.set('/stranger.crl', await stranger.crl('stranger.crl'));
    documents.set('/junk.crl', Buffer.from('<html>'));
    documents.set('/forged.crl', await twin.crl('forged.crl', '', 'issuerAltName=DNS:example'));
    await reKey();
    gateway = await startTestGateway({
      revocation: { allowedNetworks: ['127.0.0.0/8'], timeout: 2 },
      aliases: Object.fromEntries(
        Object.entries(revocations()).map(([name, revocation]) => [
          name,
          {
            authentication: 'clientCertificate',
            implicitTrustAnchors: [vendor, twin].map((one) => one.file('both.pem')),
            revocation: { sources: ['crl'], ...revocation },
          },
        ]),
      ),
    });
  });

  afterAll(async () => {
    await Promise.all([gateway.stop(), web.stop(), vendor.remove(), stranger.remove(), twin.remove()]);
  });

  /** The issuing CA gets another key, by which it signs a CRL. */
  async function reKey(): Promise<void> {
    const extensions =
      'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash';
    await vendor.issue('issuing2', extensions, "-subj '/CN=Vendor Issuing' -preserveDN", 'root');
    await vendor.crl('rekeyed.crl', '-cert issuing2.pem -keyfile issuing2.key');
  }

  function revocations(): Readonly<Record<string, object>> {
    const names = [...documents.keys()].map((path) => path.slice(1, -'.crl'.length));
    const issuing = vendor.file('issuing.pem');
    const url = (name: string): string => `${web.url}/${name}.crl`;
    return {
      ...Object.fromEntries(names.map((name) => [`map-${name}`, { crlUrls: { [url(name)]: issuing } }])),
      ...Object.fromEntries(names.map((name) => [`list-${name}`, { crlUrls: [url(name)] }])),
      both: { crlUrls: { [url('full')]: issuing, [url('root')]: vendor.file('root.pem') } },
      'both-in-list': { crlUrls: [url('root'), url('full')] },
      'replaced-in-list': { crlUrls: [url('instead-of-root'), url('full')] },
      'by-reasons': { crlUrls: [url('some'), url('other'), url('root')] },
      'reason-files': { crlFiles: [vendor.file('some.crl')] },
      'all-reason-files': { crlFiles: [vendor.file('some.crl'), vendor.file('other.crl')] },
      'partition-file': { crlFiles: [vendor.file('partition-2.crl')] },
      elsewhere: { crlUrls: { [url('stranger')]: stranger.file('issuing.pem') }, withoutSource: 'refuse' },
      namesake: { crlFiles: [vendor.file('full.crl'), twin.file('forged.crl')] },
      rekeyed: { crlFiles: [vendor.file('rekeyed.crl')] },
      follow: { followCertificates: true },
    };
  }

  async function ask(alias: string, name: string): Promise<Answer> {
    const { key, cert } = device(name);
    return await send(`${gateway.url}/${alias}/simpleenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(await plainCsr(name, await generateKeyPair('P-256'))),
    });
  }

  /** The statuses of a good device and of a revoked one. */
  async function statuses(alias: string, name: string): Promise<readonly number[]> {
    const answers = [await ask(alias, name), await ask(alias, `${name}-revoked`)];
    return answers.map(({ status }) => status);
  }

  const lastReason = (): string => String(gateway.log.entries.at(-1)?.fields['reason']);

  it.each([
    ['stranger', /expected a CRL of CN=Vendor Issuing, found one of CN=Stranger Issuing/],
    ['root', /expected a CRL of CN=Vendor Issuing, found one of CN=Vendor Root/],
    ['cas-only', /for certificates of CAs alone/],
    ['partition-2', /another distribution point/],
    ['forged', /not signed by the CA/],
    ['junk', /junk\.crl/],
    ['some', /do not cover these reasons of revocation: superseded/],
  ])('S-07 takes %s.crl at a configured URL for no word about the certificate', async (name, reason) => {
    for (const alias of [`map-${name}`, `list-${name}`]) {
      expect((await ask(alias, 'partition')).status).toBe(503);
      expect(lastReason()).toMatch(reason);
      expect((await ask(alias, 'partition-revoked')).status).toBe(name === 'some' ? 403 : 503);
    }
  });

  it('S-07 asks a URL about the certificates of the CA for which it is meant', async () => {
    for (const alias of ['map-full', 'list-full', 'both', 'both-in-list', 'map-users-only', 'by-reasons']) {
      expect([alias, ...(await statuses(alias, 'plain'))]).toEqual([alias, 200, 403]);
    }
    expect(await statuses('map-partition-1', 'partition')).toEqual([200, 403]);
    expect(await ask('elsewhere', 'plain')).toMatchObject({
      status: 403,
      body: expect.stringContaining('it cannot be checked for revocation here'),
    });
  });

  it('S-07 does not take the CRL of a CA for uncovered where another one was put in its place in a list', async () => {
    expect(await statuses('replaced-in-list', 'plain')).toEqual([503, 403]);
    await ask('replaced-in-list', 'plain');
    expect(lastReason()).toMatch(/the same CRL as at .*full\.crl/);
  });

  it('S-07 takes no CRL of another CA of the same name, however new, and one of the same CA by its other key', async () => {
    expect(await statuses('namesake', 'plain')).toEqual([200, 403]);
    expect(await statuses('rekeyed', 'plain')).toEqual([503, 503]);
    await gateway.reload((written) => ({
      ...written,
      aliases: {
        ...written.aliases,
        rekeyed: {
          ...written.aliases['rekeyed'],
          implicitTrustAnchors: [vendor.file('both.pem'), vendor.file('issuing2.pem')],
        },
      },
    }));
    expect(await statuses('rekeyed', 'plain')).toEqual([200, 403]);
  });

  it('S-07 says in the log why a certificate was revoked, and since when', async () => {
    const before = gateway.log.entries.length;
    await ask('map-full', 'plain-revoked');
    expect(gateway.log.entries.slice(before)).toContainEqual(
      expect.objectContaining({
        message: 'A certificate is revoked.',
        fields: expect.objectContaining({
          reason: 'keyCompromise',
          since: expect.stringMatching(/^\d{4}-/),
        }),
      }),
    );
  });

  it('S-07 S-08 tries all URLs of a certificate, eight at most', async () => {
    expect(await statuses('follow', 'two-urls')).toEqual([200, 403]);
    expect(await statuses('follow', 'two-names')).toEqual([200, 403]);
    expect(await statuses('follow', 'many')).toEqual([503, 503]);
    expect(new Set(web.visits.filter((path) => path.startsWith('/missing-'))).size).toBe(8);
    expect(lastReason()).toMatch(/names 12 URLs.*missing-0\.crl.*missing-7\.crl/);
  });

  it.each([
    ['indirect', /names another CRL issuer/],
    ['relative', /no http or https URL/],
    ['directory', /no http or https URL/],
  ])('S-07 does not take a distribution point that is %s for none', async (name, reason) => {
    expect(await statuses('follow', name)).toEqual([503, 503]);
    expect(lastReason()).toMatch(reason);
  });

  it('S-07 lets check say what is wrong with configured CRLs', async () => {
    const log = recordLog();
    expect(await checkGateway(await loadConfiguration(gateway.configurationFile), log)).toEqual([]);
    const warnings = log.entries.map(({ message }) => message);
    const of = (name: string): string => `aliases.${name}.revocation: `;
    const fetched = (name: string): string => `${of(name)}${web.url}/${name.replace('map-', '')}.crl: `;
    const notSigned = 'the CRL was not signed by a CA that the configuration names for it.';
    expect(warnings).toEqual(
      expect.arrayContaining([
        `${fetched('map-junk')}expected a CRL, DER or PEM.`,
        `${fetched('map-forged')}${notSigned}`,
        `${fetched('map-root')}${notSigned}`,
      ]),
    );
    expect(warnings.filter((text) => text.startsWith(of('both')))).toEqual([]);
  });

  it('S-07 gathers the reasons of revocation from all CRLs', async () => {
    expect(await statuses('follow', 'reasons')).toEqual([200, 403]);
    expect(await statuses('follow', 'one-reason')).toEqual([503, 403]);
    expect(await statuses('follow', 'full-for-some')).toEqual([503, 403]);
    expect(await statuses('reason-files', 'plain')).toEqual([503, 403]);
    expect(await statuses('all-reason-files', 'plain')).toEqual([200, 403]);
    expect(await statuses('partition-file', 'partition')).toEqual([503, 503]);
  });
});

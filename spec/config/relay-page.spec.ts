import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, enrolWithBasic, plainCsr, renew, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { examplesIn } from '../support/page.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';
import { openVendor, type Responder, type Vendor, type VendorDevice } from '../support/vendor.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/relay.md'), 'utf8');

/** The examples below a heading. */
function examplesOf(heading: string): readonly string[] {
  return examplesIn(page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '');
}

type Section = Readonly<Record<string, Readonly<Record<string, object>>>>;

/** Blocks of YAML as one configuration. */
function configurationIn(blocks: readonly string[]): Section {
  return parse(blocks.join('\n')) as Section;
}

const commandsWith = (text: string, examples: readonly string[]): string =>
  examples.find((example) => example.startsWith(text)) ?? '';

describe('docs/relay.md on a relay', () => {
  const examples = examplesOf('Relay:');
  let place: Workplace;
  let upstream: TestGateway;
  beforeAll(async () => {
    place = await openWorkplace();
    const { aliases = {} } = configurationIn(
      examples.filter((text) => text.includes('registrationAuthorities')),
    );
    upstream = await startTestGateway({ aliases: { devices: { ...aliases['devices'], profile: 'device' } } });
  });
  afterAll(async () => {
    await upstream.stop();
    await place.remove();
  });

  it('issues to a device by its commands and settings', async () => {
    const program = `${process.execPath} ${join(import.meta.dirname, '../../src/main.ts')}`;
    await place.bash(
      commandsWith('openssl', examples)
        .replace('est-gateway', program)
        .replace(' --csr', ` --config ${upstream.configurationFile} --csr`),
    );
    const relay = await startRelay(
      configurationIn(
        examples.filter((text) => text.includes('driver: est') || text.includes('backend: headquarters')),
      ),
    );
    const answer = await enrolWithBasic(relay, await plainCsr('device', await generateKeyPair('P-256')));
    await relay.stop();
    expect(answer.status).toBe(200);
  });

  it('refuses who was revoked at the upstream, as the settings of both say', async () => {
    const [settings = ''] = examplesOf('Both:').filter((text) => text.includes('revocation:'));
    const [backend = ''] = examplesOf('Both:').filter((text) => text.startsWith('backends:'));
    const crl = `${upstream.httpUrl}/crl/local.crl`;
    const relay = await startRelay(
      configurationIn([backend, settings.replaceAll('http://pki.example/crl/issuing.crl', crl)]),
    );
    const [kept, revoked] = [await enrolDevice(relay, 'kept'), await enrolDevice(relay, 'revoked')];
    const serialNumber = new X509Certificate(revoked.cert).serialNumber.toLowerCase();
    await upstream.store.certificates.revoke(upstream.ca, serialNumber, 'keyCompromise', new Date());
    const statusOf = async (device: Device): Promise<number> =>
      (await renew(relay, device, await plainCsr(device.commonName, await generateKeyPair('P-256')))).status;
    const statuses = [await statusOf(kept), await statusOf(revoked)];
    await relay.stop();
    expect(statuses).toEqual([200, 403]);
  });

  /** A gateway with these settings in front of the upstream. */
  async function startRelay({ backends = {}, aliases = {} }: Section): Promise<TestGateway> {
    const file = async (name: string): Promise<string> => await readFile(join(place.directory, name), 'utf8');
    return await startTestGateway({
      backends: { headquarters: { ...backends['headquarters'], url: `${upstream.url}/devices` } },
      aliases,
      revocation: { allowedNetworks: ['127.0.0.0/8'] },
      files: {
        'headquarters/trust-anchor.pem': upstream.trustAnchor,
        'headquarters/gateway.pem': await file('gateway.pem'),
        'headquarters/gateway.key': await file('gateway.key'),
      },
    });
  }
});

describe('docs/relay.md on pass-through', () => {
  const examples = examplesOf('Pass-through:');
  let vendor: Vendor;
  let responder: Responder;
  let web: TestUpstream;
  let gateway: TestGateway;
  let devices: Readonly<Record<'good' | 'revoked', VendorDevice>>;
  beforeAll(async () => {
    vendor = await openVendor();
    devices = { good: await vendor.issue('good'), revoked: await vendor.issue('revoked') };
    await vendor.revoke('revoked');
    const crl = await vendor.crl('issuing.crl.pem');
    await vendor.bash('openssl x509 -in issuing.pem -outform DER -out issuing.cer');
    const certificate = await readFile(vendor.file('issuing.cer'));
    responder = await vendor.startOcsp();
    web = await startUpstream();
    web.answer((request, response) => {
      const [type, body] = request.url?.endsWith('.cer')
        ? ['application/pkix-cert', certificate]
        : ['application/pkix-crl', crl];
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length }).end(body);
    });
    const settings = examples.find((text) => text.startsWith('passThrough:')) ?? '';
    const { passThrough = {} } = parse(
      settings
        .replaceAll('http://pki.example', web.url)
        .replaceAll('http://ocsp.example/', responder.url.replace('localhost', '127.0.0.1')),
    ) as Section;
    gateway = await startTestGateway({ passThrough });
  });
  afterAll(async () => {
    await gateway.stop();
    await web.down();
    await responder.stop();
    await vendor.remove();
  });

  /** What the commands of the page say of a device that knows the root, its own certificate and the gateway. */
  async function statusOf(device: VendorDevice, url: string, options = ''): Promise<string> {
    const place = await openWorkplace();
    try {
      await place.bash(
        `cp ${vendor.file('root.pem')} root.pem; cp ${vendor.file(`${device.name}.pem`)} device.pem`,
      );
      const commands = commandsWith('curl', examples)
        .replaceAll('http://est.example', url)
        .replaceAll('curl -sf', `curl -sf ${options}`)
        .replace(/^(openssl verify.*)$/m, '{ $1 || true; } 2>&1');
      return await place.bash(commands);
    } finally {
      await place.remove();
    }
  }

  it('lets openssl ask for the status of a certificate, by CRL and OCSP, through the gateway alone', async () => {
    expect(await statusOf(devices.good, gateway.httpUrl)).toMatch(/device.pem: OK\n[^]*device.pem: good\n/);
    expect(await statusOf(devices.revoked, gateway.httpUrl)).toMatch(
      /certificate revoked[^]*device.pem: revoked\n/,
    );
  });

  it('serves the same documents by TLS', async () => {
    const base = gateway.url.replace('/.well-known/est', '');
    const { status, body } = await send(`${base}/crl/issuing.crl`, { ca: gateway.trustAnchor });
    const plain = await fetch(`${gateway.httpUrl}/crl/issuing.crl`);
    expect(status).toBe(200);
    expect(Buffer.from(body, 'latin1').equals(Buffer.from(await plain.arrayBuffer()))).toBe(true);
  });
});

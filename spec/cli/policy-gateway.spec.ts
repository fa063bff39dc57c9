import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send } from '../support/client.ts';
import { issueByCa, type Signatory } from '../support/cmc.ts';
import {
  certificationRequest,
  generateKeyPair,
  id,
  keyPair,
  name,
  primeModulus,
  utf8String,
} from '../support/csr.ts';
import { basic, enrolDevice, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { user, type TestAuthority, type TestGateway } from '../support/gateway.ts';
import { keyPairOf, startAmongKeyHolders } from '../support/key-holders.ts';
import { debianFingerprint } from '../support/known-keys.ts';
import { output, run } from './command-line.ts';

const purposes = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';

/** Status and rule of a refusal; 0 stands for none. */
type Verdict = readonly [number, string?];

/** Who asks for what. */
interface Asking {
  readonly alias?: string;
  readonly operation?: string;
  /** Left out: the user, with its code. */
  readonly certificate?: Pick<Signatory, 'key' | 'cert'>;
}

describe('est-gateway policy test and the gateway that runs beside it', () => {
  let gateway: TestGateway;
  let sibling: TestAuthority;
  let vendor: TestAuthority;

  beforeAll(async () => {
    ({ gateway, sibling, vendor } = await startAmongKeyHolders({
      aliases: {
        known: { knownKeys: ['known-keys'] },
        narrow: { policy: { quota: { certificates: 1, period: 3600 } } },
        making: { serverKeyGeneration: {} },
      },
      files: { 'known-keys': `${debianFingerprint((await keyPair('RSA-2048')).publicKey)}\n` },
    }));
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** Of the gateway, by its answer and the log line of the request. */
  async function byGateway(csr: Buffer, asking: Asking): Promise<Verdict> {
    const { alias = 'est', operation = 'simpleenroll', certificate } = asking;
    const { status } = await send(`${gateway.url}/${alias}/${operation}`, {
      ca: gateway.trustAnchor,
      ...certificate,
      ...enrolment(csr, certificate ? {} : { Authorization: basic }),
    });
    const { rule } = gateway.log.entries.findLast(({ message }) => message === 'request')?.fields ?? {};
    return status === 200 ? [0] : [status, String(rule)];
  }

  /** Of the command, by the first rule that refuses. */
  async function byCommand(csr: Buffer, asking: Asking): Promise<Verdict> {
    const { alias = 'est', operation = 'simpleenroll', certificate } = asking;
    const file = join(gateway.directory, 'asked.csr');
    await writeFile(file, csr);
    await writeFile(join(gateway.directory, 'asking.pem'), certificate?.cert ?? '');
    const identity = certificate
      ? `certificate:${join(gateway.directory, 'asking.pem')}`
      : `user:${user.name}`;
    const { code, stdout, stderr } = await run([
      ...['policy', 'test', '--config', gateway.configurationFile, '--csr', file, '--alias', alias],
      ...['--operation', operation, '--identity', identity],
    ]);
    const [, rule, status] = /^refused {2}(.*)\n {9}(\d+): /m.exec(stdout) ?? [];
    if (code === 0 && rule === undefined) return [0];
    if (rule === undefined) throw new Error(stderr);
    return [Number(status), rule];
  }

  /** The command first, since the gateway records what it grants. */
  async function byBoth(csr: Buffer, asking: Asking = {}): Promise<readonly Verdict[]> {
    return [await byCommand(csr, asking), await byGateway(csr, asking)];
  }

  const twice = (...verdict: Verdict): readonly Verdict[] => [verdict, verdict];
  const granted = twice(0);

  it('grant a new key', async () => {
    expect(await byBoth(await plainCsr('new', await generateKeyPair('P-256')))).toEqual(granted);
  });

  it.each<[string, () => { readonly issuingKey: string }]>([
    ['of the CA', () => gateway],
    ["of another alias's CA", () => sibling],
    ["of another alias's vendor", () => vendor],
  ])('S-17 refuse the key %s', async (_whose, ca) => {
    const csr = await plainCsr('device', keyPairOf(gateway, ca().issuingKey));
    expect(await byBoth(csr)).toEqual(twice(403, 'fixed: no key of a CA'));
  });

  const ofTheGateway = 'fixed: no key of the gateway or of who works for it';

  it.each([
    ["of the gateway's TLS certificate", 'server.key'],
    ['by which a webhook knows it', 'webhook.key'],
  ])('S-17 refuse the key %s', async (_what, file) => {
    const key = keyPairOf(gateway, await readFile(join(gateway.directory, file), 'utf8'));
    expect(await byBoth(await plainCsr('localhost', key))).toEqual(twice(403, ofTheGateway));
  });

  it('S-17 refuse the key of a registration authority that the CA has certified', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr('RA 2', key);
    await writeFile(join(gateway.directory, 'ra.csr'), csr);
    await output([
      ...['ca', 'issue', '--role', 'registration-authority', '--csr', join(gateway.directory, 'ra.csr')],
      ...['--backend', 'local', '--config', gateway.configurationFile],
    ]);
    expect(await byBoth(csr)).toEqual(twice(403, ofTheGateway));
  });

  it('S-17 let a registration authority renew itself with its key, and ask for nobody else with it', async () => {
    const certificate = await issueByCa(gateway, 'RA 1', purposes);
    const own = await plainCsr('RA 1', certificate.keyPair);
    const others = await plainCsr('sensor.plant.example', certificate.keyPair);
    const asking = { alias: 'plant', certificate: { key: certificate.key, cert: certificate.cert } };
    expect(await byBoth(others, asking)).toEqual(twice(403, ofTheGateway));
    expect(await byBoth(own, { ...asking, operation: 'simplereenroll' })).toEqual(granted);
  });

  it('S-17 refuse a key that was compromised, also to its holder', async () => {
    const device = await enrolDevice(gateway, 'compromised');
    const again = await plainCsr(device.commonName, device.keyPair);
    const serialNumber = new X509Certificate(device.cert).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect(await byBoth(again)).toEqual(twice(403, 'fixed: no compromised key'));
  });

  it('S-13 refuse a key that anybody knows', async () => {
    const csr = await plainCsr('known', await keyPair('RSA-2048'));
    expect(await byBoth(csr, { alias: 'known' })).toEqual(twice(403, 'knownKeys'));
  });

  it('S-13 refuse a modulus that is a prime', async () => {
    const subject = name([id.commonName, utf8String('prime')]);
    const csr = await certificationRequest({ subject, ...(await primeModulus()) });
    expect(await byBoth(csr)).toEqual(twice(400, 'fixed: no prime as RSA modulus'));
  });

  it('S-17 refuse the key of another identity, not to its holder and not to who shows it in a certificate', async () => {
    const device = await enrolDevice(gateway, 'holder');
    const { cert } = await issueByCa(gateway, 'thief', 'extendedKeyUsage=clientAuth', device.keyPair);
    const other = await issueByCa(gateway, 'other', 'extendedKeyUsage=clientAuth');
    const asOther = { certificate: { key: other.key, cert: other.cert } };
    expect(await byBoth(await plainCsr('other', device.keyPair), asOther)).toEqual(
      twice(403, 'fixed: no key of another identity'),
    );
    expect(await byBoth(await plainCsr('holder', device.keyPair))).toEqual(granted);
    const shown = { certificate: { key: privatePem(device.keyPair.privateKey), cert } };
    expect(await byBoth(await plainCsr('thief', device.keyPair), shown)).toEqual(granted);
  });

  it('S-29 refuse what goes beyond a quota, and count no repeat', async () => {
    const [first, second] = await Promise.all(
      ['a', 'b'].map(async (commonName) => await plainCsr(commonName, await generateKeyPair('P-256'))),
    );
    if (first === undefined || second === undefined) throw new Error('expected two');
    const asking = { alias: 'narrow' };
    expect(await byBoth(first, asking)).toEqual(granted);
    expect(await byBoth(second, asking)).toEqual(twice(429, 'policy.quota'));
    expect(await byBoth(first, asking)).toEqual(granted);
  });

  it('ask of a key that is not certified nothing', async () => {
    const csr = await plainCsr('made', keyPairOf(gateway, gateway.issuingKey));
    expect(await byBoth(csr, { alias: 'making', operation: 'serverkeygen' })).toEqual(granted);
  });

  it('record nothing by the command', async () => {
    const before = await gateway.store.enrollments.list(1000);
    const csr = await plainCsr('unrecorded', await generateKeyPair('P-256'));
    expect(await byCommand(csr, { alias: 'narrow' })).toEqual([429, 'policy.quota']);
    expect(await byCommand(csr, {})).toEqual([0]);
    expect(await gateway.store.enrollments.list(1000)).toEqual(before);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { certificateDer } from '../support/certificate.ts';
import { send } from '../support/client.ts';
import {
  failInfo,
  issueByCa,
  openSigner,
  pkiData,
  postFullCmc,
  readFullPkiResponse,
  requestFor,
  selfSigned,
  senderNonce,
  signedByRequestedKey,
  signMessage,
  tci,
  tcr,
  type PostOptions,
  type Signatory,
  type TestSigner,
} from '../support/cmc.ts';
import { extension, generateKeyPair, id, objectIdentifier, sequence } from '../support/csr.ts';
import { enrolDevice, plainCsr, privatePem, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

const registrationAuthority = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';

let signer: TestSigner;
let vendor: Signatory;
let gateway: TestGateway;
let device: Device;

beforeAll(async () => {
  signer = await openSigner();
  vendor = await selfSigned(
    await generateKeyPair('P-256'),
    '-subj /CN=Vendor -addext keyUsage=critical,keyCertSign -addext basicConstraints=critical,CA:TRUE',
  );
  const vendorFile = join(signer.directory, 'vendor.pem');
  await writeFile(vendorFile, vendor.cert);
  const fullCmc = { signer: signer.files };
  const registrationAuthorities = {
    all: { commonName: 'registration authority', names: { commonName: ['*'] } },
  };
  gateway = await startTestGateway({
    aliases: {
      cmc: { fullCmc, implicitTrustAnchors: [vendorFile], registrationAuthorities },
      identity: { fullCmc, policy: { names: 'identity' } },
      through: { backend: 'mock', profile: 'issue', fullCmc: { ...fullCmc, passThrough: true } },
      waiting: { backend: 'mock', profile: 'pending', fullCmc: { ...fullCmc, passThrough: true } },
      rejected: { backend: 'mock', profile: 'rejected', fullCmc: { ...fullCmc, passThrough: true } },
    },
  });
  device = await enrolDevice(gateway, 'device');
});

afterAll(async () => {
  await gateway.stop();
  await signer.remove();
});

async function content(commonName = 'device'): Promise<Buffer> {
  return pkiData({ requests: [tcr(await plainCsr(commonName, await generateKeyPair('P-256')))] });
}

/** What a request came to, and how many enrolments it left in the journal. */
interface Outcome {
  readonly status: number;
  readonly failInfo: bigint | undefined;
  readonly recorded: number;
}

const issued: Outcome = { status: 200, failInfo: undefined, recorded: 1 };

function refused(status: number, reason: keyof typeof failInfo): Outcome {
  return { status, failInfo: failInfo[reason], recorded: 0 };
}

async function outcomeOf(message: Buffer, options: PostOptions = {}): Promise<Outcome> {
  const before = await gateway.store.enrollments.list(1000);
  const answer = await postFullCmc(gateway, message, options);
  const response = await readFullPkiResponse(answer, signer.cert);
  const after = await gateway.store.enrollments.list(1000);
  return { status: answer.status, failInfo: response.failInfo, recorded: after.length - before.length };
}

describe('fullcmc signed by an existing certificate (RFC 5272, section 3.2)', () => {
  it.each([
    ['with the certificate in the message', ''],
    ['with the certificate known from TLS alone', '-nocerts'],
    ['named by its key identifier', '-keyid -nocerts'],
  ])('F-06 issues when it is the TLS client certificate, %s', async (_how, words) => {
    expect(await outcomeOf(await signMessage(await content(), device, words), device)).toEqual(issued);
  });

  it('R-05 issues when it is another certificate of the same names', async () => {
    const other = await enrolDevice(gateway, 'device');
    expect(await outcomeOf(await signMessage(await content(), other), device)).toEqual(issued);
  });

  it('Z-06 refuses the certificate of another device', async () => {
    const other = await enrolDevice(gateway, 'other');
    expect(await outcomeOf(await signMessage(await content(), other), device)).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('wants the name of the user in it where HTTP Basic says who asks', async () => {
    expect(await outcomeOf(await signMessage(await content(), device))).toEqual(issued);
    const other = await enrolDevice(gateway, 'other');
    expect(await outcomeOf(await signMessage(await content(), other), {})).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('refuses one of the same names that another CA issued', async () => {
    const stranger = await selfSigned(await generateKeyPair('P-256'), '-subj /CN=device');
    expect(await outcomeOf(await signMessage(await content(), stranger), device)).toEqual(
      refused(403, 'badIdentity'),
    );
    expect(await outcomeOf(await signMessage(await content(), stranger), {})).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('R-14 refuses one that is revoked', async () => {
    const revoked = await enrolDevice(gateway, 'device');
    const serialNumber = new X509Certificate(revoked.cert).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect(await outcomeOf(await signMessage(await content(), revoked), device)).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('refuses one that is for servers alone', async () => {
    const server = await issueByCa(gateway, 'device', 'extendedKeyUsage=serverAuth');
    expect(await outcomeOf(await signMessage(await content(), server), device)).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('E-23 names the signer in the log', async () => {
    await postFullCmc(gateway, await signMessage(await content(), device), device);
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
      operation: 'fullcmc',
      identity: 'CN=device',
      signedBy: 'CN=device',
      outcome: 'ok',
    });
  });
});

describe('fullcmc by a registration authority, with the request of a device inside (RFC 6402)', () => {
  let authority: Signatory;

  beforeAll(async () => {
    authority = await issueByCa(gateway, 'registration authority', registrationAuthority);
  });

  async function requestOfDevice(): Promise<Buffer> {
    const key = await generateKeyPair('P-256');
    return await signedByRequestedKey(await plainCsr('device-1', key), key);
  }

  async function nested(message: Buffer, by: Signatory): Promise<Buffer> {
    return await signMessage(pkiData({ messages: [tci(message)] }), by);
  }

  it('F-11 Z-02 issues for other subjects', async () => {
    const message = await nested(await requestOfDevice(), authority);
    expect(await outcomeOf(message, authority)).toEqual(issued);
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
      signedBy: 'CN=registration authority',
      subject: 'CN=device-1',
    });
  });

  it('F-11 issues when an existing certificate of the device signed inside', async () => {
    const inside = await signMessage(await content(), device);
    expect(await outcomeOf(await nested(inside, authority), authority)).toEqual(issued);
  });

  it('F-11 issues when its certificate for signing is another one of the same names than that for TLS', async () => {
    const forSigning = await issueByCa(
      gateway,
      'registration authority',
      'extendedKeyUsage=1.3.6.1.5.5.7.3.28',
    );
    expect(await outcomeOf(await nested(await requestOfDevice(), forSigning), authority)).toEqual(issued);
  });

  it('F-08 answers the one who asks: its nonce comes back, not that of the device', async () => {
    const key = await generateKeyPair('P-256');
    const inside = await signedByRequestedKey(await plainCsr('device-1', key), key, [
      senderNonce(Buffer.from('device')),
    ]);
    const outside = pkiData({ controls: [senderNonce(Buffer.from('authority'))], messages: [tci(inside)] });
    const answer = await postFullCmc(gateway, await signMessage(outside, authority), authority);
    const response = await readFullPkiResponse(answer, signer.cert);
    expect(response.bodyPartId).toBe(9n);
    expect(response.controls.get(7)?.toString()).toBe('authority');
  });

  it.each([
    ['no extended key usage', ''],
    ['clientAuth alone', 'extendedKeyUsage=clientAuth'],
    ['Z-05 anyExtendedKeyUsage', 'extendedKeyUsage=clientAuth,anyExtendedKeyUsage'],
  ])('F-11 refuses a certificate of the CA with %s', async (_what, extensions) => {
    const plain = await issueByCa(gateway, 'plain', extensions);
    const message = await nested(await requestOfDevice(), plain);
    expect(await outcomeOf(message, plain)).toEqual(refused(403, 'badIdentity'));
  });

  it('F-11 Z-03 refuses the purpose id-kp-cmcRA in the certificate of a vendor', async () => {
    const foreign = await issueByVendor('vendor', registrationAuthority);
    const message = await nested(await requestOfDevice(), foreign);
    expect(await outcomeOf(message, foreign)).toEqual(refused(403, 'badIdentity'));
  });

  it('F-11 refuses the message of an authority that somebody else sends', async () => {
    expect(await outcomeOf(await nested(await requestOfDevice(), authority), device)).toEqual(
      refused(403, 'badIdentity'),
    );
    const namesake = await issueByVendor('registration authority', registrationAuthority);
    expect(await outcomeOf(await nested(await requestOfDevice(), authority), namesake)).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('F-11 refuses a wrong signature inside, and one of a certificate that is none of this CA', async () => {
    const inside = await requestOfDevice();
    inside.writeUInt8(inside.readUInt8(inside.length - 1) ^ 1, inside.length - 1);
    expect(await outcomeOf(await nested(inside, authority), authority)).toEqual(
      refused(400, 'badMessageCheck'),
    );
    const byVendor = await signMessage(await content(), await issueByVendor('device', ''));
    expect(await outcomeOf(await nested(byVendor, authority), authority)).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  it('F-11 refuses a request inside a request inside a request', async () => {
    const twice = await nested(await nested(await requestOfDevice(), authority), authority);
    expect(await outcomeOf(twice, authority)).toEqual(refused(400, 'badRequest'));
  });

  it('F-11 holds the authority to its own names where the alias binds names to the client', async () => {
    const message = await nested(await requestOfDevice(), authority);
    expect(await outcomeOf(message, { ...authority, alias: 'identity' })).toEqual(
      refused(403, 'badIdentity'),
    );
  });

  async function issueByVendor(commonName: string, extensions: string): Promise<Signatory> {
    const key = await generateKeyPair('P-256');
    const cert = await openssl(
      'x509 -req -in csr.der -inform DER -CA ca.pem -CAkey ca.key -days 2 -extfile ext',
      {
        'csr.der': await plainCsr(commonName, key),
        'ca.pem': vendor.cert,
        'ca.key': vendor.key,
        ext: extensions,
      },
    );
    return { cert: cert.slice(cert.indexOf('-----BEGIN')), key: privatePem(key.privateKey) };
  }
});

describe('fullcmc passed through to a CA that speaks CMC itself', () => {
  async function caOf(alias: string): Promise<string> {
    const { body } = await send(`${gateway.url}/${alias}/cacerts`, { ca: gateway.trustAnchor });
    return await openssl('pkcs7 -inform DER -in bag.p7 -print_certs', {
      'bag.p7': Buffer.from(body, 'base64'),
    });
  }

  it("F-07 gives the client the CA's own response, and the gateway's when the same request comes again", async () => {
    const message = await requestFor();
    const first = await postFullCmc(gateway, message, { alias: 'through' });
    const response = await readFullPkiResponse(first, await caOf('through'));
    expect(response).toMatchObject({ status: 0n, bodyPartId: 7n });
    await expect(readFullPkiResponse(first, signer.cert)).rejects.toThrow('');
    const again = await postFullCmc(gateway, message, { alias: 'through' });
    const repeated = await readFullPkiResponse(again, signer.cert);
    expect(response.certificates).toEqual(
      expect.arrayContaining(repeated.certificates.filter((pem) => pem !== signer.cert)),
    );
    const calls = gateway.log.entries.filter(({ fields }) => fields['method'] === 'fullCmc');
    expect(calls).toHaveLength(1);
  });

  it('calls the CA for nothing that the gateway refuses', async () => {
    const message = await requestFor();
    message.writeUInt8(message.readUInt8(message.length - 1) ^ 1, message.length - 1);
    expect(await outcomeOf(message, { alias: 'through' })).toEqual(refused(400, 'badMessageCheck'));
  });

  it('F-12 P-01 puts off and refuses in the words of the gateway', async () => {
    const waiting = await postFullCmc(gateway, await requestFor(), { alias: 'waiting' });
    expect(waiting.status).toBe(202);
    expect(await readFullPkiResponse(waiting, signer.cert)).toMatchObject({ status: 3n });
    const rejected = await postFullCmc(gateway, await requestFor(), { alias: 'rejected' });
    expect(rejected.status).toBe(403);
    expect(await readFullPkiResponse(rejected, signer.cert)).toMatchObject({ failInfo: failInfo.badRequest });
  });
});

describe('an alias with fullCmc', () => {
  it.each([
    ['passThrough to a CA that does not speak CMC', { passThrough: true }, /does not speak CMC/],
    ['a certificate without the purpose', { purpose: 'clientAuth' }, /id-kp-cmcRA or id-kp-cmcCA/],
    ['a key that belongs to another certificate', { otherKey: true }, /does not belong/],
    ['no signer', { signer: undefined }, /signer/],
  ])('F-07 is refused at the start: %s', async (_what, fault, message) => {
    const own = await openSigner('purpose' in fault ? fault.purpose : undefined);
    const files = 'otherKey' in fault ? { ...own.files, privateKey: signer.files.privateKey } : own.files;
    const fullCmc = { signer: files, ...('passThrough' in fault || 'signer' in fault ? fault : {}) };
    await expect(startTestGateway({ aliases: { cmc: { fullCmc } } })).rejects.toThrow(message);
    await own.remove();
  });

  it('F-07 is refused at the start: a certificate that has expired', async () => {
    const own = await openSigner();
    const purpose = extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.28')));
    const der = await certificateDer({ notAfter: '20210101000000Z', extensions: [purpose] });
    await writeFile(own.files.certificate, certificateToPem(der));
    await expect(startTestGateway({ aliases: { cmc: { fullCmc: { signer: own.files } } } })).rejects.toThrow(
      'aliases.cmc: fullCmc.signer: The certificate has expired.',
    );
    await own.remove();
  });
});

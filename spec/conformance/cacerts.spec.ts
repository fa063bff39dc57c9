import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { itWithOwnCa } from '../support/own-ca.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: {
      none: { wrap: 'none' },
      lines: { wrap: '64' },
      rejected: { backend: 'mock', profile: 'rejected' },
      down: { backend: 'mock', profile: 'down' },
      slow: { backend: 'mock', profile: 'slow' },
      wrong: { backend: 'mock', profile: 'wrong-key' },
      garbage: { backend: 'mock', profile: 'garbage' },
      pending: { backend: 'mock', profile: 'pending' },
      denied: { backend: 'mock', profile: 'denied' },
    },
    limits: { requestTimeout: 2, headersTimeout: 2 },
  });
});
afterAll(async () => {
  await gateway.stop();
});

const get = (alias: string, headers: Record<string, string> = {}) =>
  send(`${gateway.url}/${alias}/cacerts`, { ca: gateway.trustAnchor, headers });
const parse = async (body: string, command: string): Promise<string> =>
  await openssl(`${command} -inform DER -in body.der`, { 'body.der': Buffer.from(body, 'base64') });

describe('cacerts (RFC 7030, section 4.1)', () => {
  it('C-03 C-04 C-05 C-12 gives the chain with the root, each certificate once', async () => {
    const answer = await get('est');
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime');
    const printed = await parse(answer.body, 'pkcs7 -print_certs -noout');
    expect(printed.match(/^subject=/gm)).toHaveLength(2);
    expect(printed).toContain('subject=CN = Test Root CA\n\nissuer=CN = Test Root CA'.replace('\n\n', '\n'));
  });

  it('M-08 M-09 M-10 M-11 M-12 M-13 M-14 C-11 has the exact shape of a certs-only message', async () => {
    const outline = await parse((await get('est')).body, 'asn1parse');
    const values = outline
      .split('\n')
      .map((line) => line.replace(/^ *\d+:d=(\d+) +hl=\d +l= *(\d+) (.*)$/, '$1 $2 $3'));
    const top = values.filter((line) => /^[0-3] /.test(line)).map((line) => line.replace(/\s+/g, ' ').trim());
    expect(top[0]).toMatch(/^0 \d+ cons: SEQUENCE/);
    expect(top[1]).toContain(':pkcs7-signedData');
    expect(top[2]).toMatch(/cons: cont \[ 0 \]/);
    expect(top[4]).toMatch(/^3 1 prim: INTEGER :01/);
    expect(top[5]).toMatch(/^3 0 cons: SET/);
    expect(top[6]).toMatch(/^3 11 cons: SEQUENCE/);
    expect(top[7]).toMatch(/cons: cont \[ 0 \]/);
    expect(top[8]).toMatch(/^3 0 cons: SET/);
    expect(top).toHaveLength(9);
  });

  it('C-02 answers 200 whatever the request says of caches and ranges', async () => {
    expect(await get('est', { 'If-None-Match': '*', Range: 'bytes=0-10' })).toMatchObject({ status: 200 });
  });

  it('C-13 answers while the CA is down', async () => {
    expect(await get('down')).toMatchObject({ status: 200 });
  });

  it.each([
    ['auto', 'est', { 'User-Agent': 'libest 1.0', Accept: '*/*' }, true],
    ['auto without User-Agent and Accept', 'est', {}, false],
    ['auto without User-Agent', 'est', { Accept: '*/*' }, false],
    ['none', 'none', { 'User-Agent': 'libest 1.0' }, false],
    ['64', 'lines', {}, true],
  ])('B-01 B-06 B-07 wraps %s', async (_wrap, alias, headers, wrapped) => {
    const { body, headers: fields } = await get(alias, headers);
    expect(body).toMatch(wrapped ? /^([A-Za-z0-9+/]{64}\n)+[A-Za-z0-9+/=]{1,64}\n$/ : /^[A-Za-z0-9+/]+=*$/);
    expect(fields['content-transfer-encoding']).toBe('base64');
    expect(Number(fields['content-length'])).toBe(body.length);
  });
});

describe('simpleenroll (RFC 7030, section 4.2)', () => {
  it('E-15 E-20 answers with the issued certificate alone, which the chain of cacerts verifies', async () => {
    const answer = await enrolWithBasic(gateway, await plainCsr('e-20', await generateKeyPair('P-256')));
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' },
    });
    const chain = await parse((await get('est')).body, 'pkcs7 -print_certs');
    const files = {
      'leaf.pem': await certificateOf(answer),
      'root.pem': gateway.trustAnchor,
      'chain.pem': chain,
    };
    expect(
      await openssl('verify -x509_strict -CAfile root.pem -untrusted chain.pem leaf.pem', files),
    ).toContain('OK');
  });

  it.each([
    ['rejected', 403, 'rejected_by_ca', 'refused'],
    ['down', 503, 'ca_unavailable', 'failed'],
    ['slow', 504, 'ca_timeout', 'failed'],
    ['wrong', 502, 'ca_bad_answer', 'rejected'],
    ['garbage', 502, 'ca_bad_answer', 'failed'],
  ])('E-16 E-17 E-18 E-21: a CA that is %s gives %d in plain text', async (alias, status, outcome, state) => {
    const answer = await enrolWithBasic(
      gateway,
      await plainCsr(`e-${alias}`, await generateKeyPair('P-256')),
      alias,
    );
    expect(answer).toMatchObject({ status, headers: { 'content-type': 'text/plain' } });
    expect(answer.body).toMatch(/^[\x20-\x7e]+ \(request [0-9a-f-]{36}\)\n$/);
    const requestId = /request ([0-9a-f-]+)/.exec(answer.body)?.[1];
    const line = gateway.log.entries.find(
      ({ fields }) => fields['requestId'] === requestId && fields['outcome'],
    );
    expect(line?.fields).toMatchObject({
      outcome,
      alias,
      status,
      identity: 'device',
      subject: `CN=e-${alias}`,
    });
    const [entry] = await gateway.store.enrollments.list(1);
    expect(entry).toMatchObject({ requestId, state });
  });

  it('H-30 P-01 P-02 P-05 E-14 E-22 puts a request off, and knows the repeat though its signature differs', async () => {
    const key = await generateKeyPair('P-256');
    const put = await enrolWithBasic(gateway, await plainCsr('p-05', key), 'pending');
    expect(put).toMatchObject({
      status: 202,
      headers: { 'content-length': '0', 'retry-after': expect.stringMatching(/^\d+$/) },
    });
    const answers = [];
    for (let n = 0; n < 4; n += 1)
      answers.push(await enrolWithBasic(gateway, await plainCsr('p-05', key), 'pending'));
    expect(answers.map(({ status }) => status)).toContain(200);
    const entries = (await gateway.store.enrollments.list(1000)).filter(
      ({ subject }) => subject === 'CN=p-05',
    );
    expect(entries).toMatchObject([{ state: 'issued' }]);
  });

  it('P-08 refuses a request that was denied while it waited', async () => {
    const key = await generateKeyPair('P-256');
    const statuses = [];
    for (let n = 0; n < 4; n += 1) {
      statuses.push((await enrolWithBasic(gateway, await plainCsr('p-08', key), 'denied')).status);
    }
    expect(statuses).toContain(403);
    expect(statuses).not.toContain(200);
  });

  itWithOwnCa('S-28 issues once to many equal requests at once', async () => {
    const key = await generateKeyPair('P-256');
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => await enrolWithBasic(gateway, await plainCsr('at-once', key))),
    );
    expect(answers.every(({ status }) => status === 200 || status === 202)).toBe(true);
    const issued = (await gateway.store.certificates.list(gateway.ca)).filter(
      ({ subject }) => subject === 'CN=at-once',
    );
    expect(issued).toHaveLength(1);
  });

  it('O-11 serves cacerts, enrolment and renewal to one device in a row', async () => {
    const device = await enrolDevice(gateway, 'o-11');
    const csr = await plainCsr('o-11', await generateKeyPair('P-256'));
    const renewed = await send(`${gateway.url}/simplereenroll`, {
      ca: gateway.trustAnchor,
      key: device.key,
      cert: device.cert,
      ...enrolment(csr),
    });
    expect(renewed).toMatchObject({ status: 200 });
  });
});

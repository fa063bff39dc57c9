import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCredentials } from '../../src/ca/ejbca/credentials.ts';
import type { EjbcaOptions } from '../../src/ca/ejbca/options.ts';
import { createRestClient, type RestClient } from '../../src/ca/ejbca/rest-client.ts';
import { createTransport, type EjbcaTransport } from '../../src/ca/ejbca/transport.ts';
import { createWebService, type WebService } from '../../src/ca/ejbca/web-service.ts';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { recordLog, type RecordedLog } from '../support/log.ts';

/** As EJBCA writes an end entity of which it knows a lot: empty texts are there, as empty elements. */
const registered = `<username>meter</username><clearPwd>false</clearPwd><subjectDN>CN=meter,O=A &amp; B</subjectDN>
<caName>Device CA</caName><subjectAltName></subjectAltName><email></email><status>10</status>
<tokenType>USERGENERATED</tokenType><sendNotification>true</sendNotification><keyRecoverable>false</keyRecoverable>
<endEntityProfileName>Device</endEntityProfileName><certificateProfileName>Device</certificateProfileName>
<endTime>2030-01-01 00:00</endTime><certificateSerialNumber>123456789012345678901234567890</certificateSerialNumber>
<extendedInformation><name>customdata_ONE</name><value>a &amp; b &lt;c&gt;</value></extendedInformation>
<extendedInformation><name>customdata_TWO</name><value>007</value></extendedInformation>
<extendedInformation><name>subjectdirattributes</name><value></value></extendedInformation>
<cardNumber></cardNumber><novelty>of tomorrow</novelty>`;

const ejbcaNamespace = 'http://ws.protocol.core.ejbca.org/';
const envelope = (content: string): string =>
  `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>${content}</soap:Body></soap:Envelope>`;
const response = (operation: string, content: string): string =>
  envelope(`<ns2:${operation}Response xmlns:ns2="${ejbcaNamespace}">${content}</ns2:${operation}Response>`);
const fault = (exception: string, message: string): string =>
  envelope(
    `<soap:Fault><faultcode>soap:Server</faultcode><faultstring>${message}</faultstring><detail><ns1:${exception} xmlns:ns1="${ejbcaNamespace}"/></detail></soap:Fault>`,
  );

const endEntity = {
  username: 'meter',
  caName: 'Device CA',
  certificateProfileName: 'Device',
  endEntityProfileName: 'Device',
  subjectDN: 'CN=meter',
  status: 10,
  tokenType: 'USERGENERATED',
};

const unhurried = new AbortController().signal;

describe("EJBCA's web service", () => {
  let ejbca: StandIn;
  let transport: EjbcaTransport | undefined;
  let webService: WebService;
  let rest: RestClient;
  let log: RecordedLog;

  beforeAll(async () => {
    ejbca = await startEjbca();
  });
  beforeEach(async () => {
    ejbca.clearFaults();
    ejbca.requests.length = 0;
    await open({});
  });
  afterAll(async () => {
    transport?.close();
    await ejbca.stop();
  });

  /** A web service of its own, with other options than usual. */
  async function open(changes: Partial<EjbcaOptions>): Promise<void> {
    transport?.close();
    const { certificateFile: certificate, keyFile } = ejbca.clientCertificate;
    const options: EjbcaOptions = {
      baseUrl: ejbca.url,
      trustAnchor: ejbca.trustAnchorFile,
      ...(changes.oauth === undefined && {
        clientCertificate: { certificate, privateKey: `file:${keyFile}` },
      }),
      retryAfter: 1,
      transactionTimeout: 300,
      record: 'complete',
      timeouts: { connect: 5, answer: 5 },
      limits: { maxResponse: 65_536, concurrency: 2, queue: 2 },
      circuitBreaker: { failures: 5, pause: 1 },
      ...changes,
    };
    log = recordLog();
    transport = createTransport({
      options,
      trustAnchor: ejbca.trustAnchor,
      credentials: await openCredentials(options),
      name: 'ejbca',
      log,
    });
    webService = createWebService(transport, 'ejbca', log);
    rest = createRestClient(transport, 'ejbca', log);
  }

  function answerOnce(body: string, status = 200): void {
    const contentType = 'text/xml;charset=UTF-8';
    ejbca.setFault({ kind: 'answer', when: 'before', times: 1, status, contentType, body });
  }

  async function find(username = 'meter', signal = unhurried): ReturnType<WebService['findEndEntity']> {
    return await webService.findEndEntity(username, 'r-1', signal);
  }

  it('gives back all that EJBCA says of an end entity when it sets the enrolment code', async () => {
    answerOnce(response('findUser', `<return>${registered}</return>`));
    const found = await find();
    if (found === undefined) throw new Error('not found');
    expect(found).toMatchObject({ status: 10, subjectDN: 'CN=meter,O=A & B', subjectAltName: '' });
    answerOnce(response('editUser', ''));
    await webService.setEnrollmentCode(found, 'c&de', 'r-1', unhurried);
    const sent = (ejbca.requests.at(-1)?.body ?? '').replaceAll(/<(\w+)\/>/g, '<$1></$1>');
    const elements = registered.replaceAll('\n', '').match(/<(\w+)>[^<]*<\/\1>/g) ?? [];
    expect(elements).toHaveLength(22);
    for (const element of elements) expect(sent).toContain(element);
    expect(sent).toContain('<password>c&amp;de</password>');
  });

  it('registers an end entity, changes it, and finds it again', async () => {
    const username = "a & 'b' ü";
    const fields = { ...endEntity, username, password: '<&>' };
    await webService.editEndEntity(fields, 'r-1', unhurried);
    expect(await find(username)).toMatchObject({ username, subjectDN: 'CN=meter', status: 10 });
    expect(ejbca.database.endEntities.get(username)?.password).toBe('<&>');
    await webService.editEndEntity({ ...fields, status: 40 }, 'r-2', unhurried);
    expect(await find(username)).toMatchObject({ status: 40 });
  });

  it('finds no end entity of another name, whatever EJBCA answers', async () => {
    expect(await find('not there')).toBeUndefined();
    const other = registered.replace('>meter<', '>Meter<');
    answerOnce(response('findUser', `<return>${other}</return>`));
    expect(await find()).toBeUndefined();
    answerOnce(response('findUser', `<return>${other}</return><return>${registered}</return>`));
    expect(await find()).toMatchObject({ username: 'meter' });
  });

  it.each(['a\0b', 'a\u000bb', 'a\ud800b', 'a\uffffb'])(
    'does not ask for a name that XML cannot hold: %j',
    async (username) => {
      await expect(find(username)).rejects.toMatchObject({ code: 'bad_certification_request' });
      expect(ejbca.requests).toHaveLength(0);
    },
  );

  it.each([
    ['no SOAP', 200, 'text/html', '<html><body>Welcome</body></html>'],
    ['no XML', 200, 'text/xml', 'x'],
    ['the answer to another call', 200, 'text/xml', response('isAuthorized', '<return>true</return>')],
    [
      'an end entity without status',
      200,
      'text/xml',
      response('findUser', '<return><username>m</username></return>'),
    ],
    [
      'a status that is no number',
      200,
      'text/xml',
      response('findUser', `<return>${registered.replace('>10<', '>ten<')}</return>`),
    ],
  ])('says so when EJBCA answers with %s', async (_name, status, contentType, body) => {
    ejbca.setFault({ kind: 'answer', when: 'before', times: 1, status, contentType, body });
    await expect(find()).rejects.toMatchObject({ code: 'ca_bad_answer' });
  });

  it('never logs an enrolment code that EJBCA quotes', async () => {
    answerOnce(fault('EjbcaException', 'Password sesame is too short.'), 500);
    const edit = webService.editEndEntity({ ...endEntity, password: 'sesame' }, 'r-9', unhurried);
    await expect(edit).rejects.toMatchObject({ code: 'ca_unavailable' });
    expect(JSON.stringify(log.entries)).toMatch(/Password \.\.\. is too short/);
    expect(JSON.stringify(log.entries)).not.toMatch(/sesame/);
  });

  it('asks once more when EJBCA breaks off, but never registers twice by itself', async () => {
    ejbca.setFault({ kind: 'reset', when: 'before', times: 1 });
    expect(await find()).toBeUndefined();
    expect(ejbca.requests).toHaveLength(2);
    ejbca.setFault({ kind: 'reset', when: 'before', times: 1 });
    const edit = webService.editEndEntity({ ...endEntity, password: 'x' }, 'r-1', unhurried);
    await expect(edit).rejects.toMatchObject({ code: 'ca_unavailable' });
    expect(ejbca.requests).toHaveLength(3);
  });

  it('shares one circuit breaker with the REST API', async () => {
    const page = { status: 502, contentType: 'text/html', body: '<html>Bad Gateway</html>' };
    ejbca.setFault({ kind: 'answer', when: 'before', ...page });
    for (let n = 0; n < 5; n += 1) await expect(find()).rejects.toMatchObject({ code: 'ca_unavailable' });
    const asked = ejbca.requests.length;
    ejbca.clearFaults();
    const status = rest.call({ method: 'GET', path: '/v1/certificate/status' }, unhurried);
    await expect(status).rejects.toMatchObject({ code: 'ca_unavailable' });
    expect(ejbca.requests).toHaveLength(asked);
  });

  it('shares one bound on calls at once with the REST API', async () => {
    ejbca.setFault({ kind: 'latency', milliseconds: 300 });
    const status = async (): Promise<unknown> =>
      await rest.call({ method: 'GET', path: '/v1/certificate/status' }, unhurried);
    const outcomes = await Promise.allSettled([find(), status(), find(), status(), find(), status()]);
    expect(outcomes.filter(({ status: outcome }) => outcome === 'fulfilled')).toHaveLength(4);
    const reasons = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'overloaded' });
  });

  it('gives up with the request', async () => {
    ejbca.setFault({ kind: 'silence', when: 'before' });
    const controller = new AbortController();
    const found = find('meter', controller.signal);
    controller.abort();
    await expect(found).rejects.toMatchObject({ code: 'ca_timeout' });
    await expect(find('meter', controller.signal)).rejects.toMatchObject({ code: 'ca_timeout' });
  });

  it('keeps its connection for the next calls', async () => {
    const before = ejbca.traffic.connections;
    for (let n = 0; n < 3; n += 1) await find();
    expect(ejbca.traffic.connections).toBe(before + 1);
  });

  it('gets a new token when EJBCA refuses the one it has', async () => {
    const client = ejbca.addOAuthClient(['/']);
    const { tokenUrl, clientId, clientSecret } = client;
    const secretFile = join(ejbca.directory, 'client-secret');
    await writeFile(secretFile, clientSecret);
    await open({
      oauth: {
        clientCredentials: {
          tokenUrl,
          clientId,
          clientSecret: `file:${secretFile}`,
          trustAnchor: ejbca.trustAnchorFile,
        },
      },
    });
    expect(await find()).toBeUndefined();
    const token = String(ejbca.requests.at(-1)?.headers.authorization).replace('Bearer ', '');
    ejbca.revokeBearerToken(token);
    expect(await find()).toBeUndefined();
    expect(ejbca.requests.at(-1)?.headers.authorization).not.toContain(token);
  });
});

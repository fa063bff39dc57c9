import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EjbcaOptions } from '../../src/ca/ejbca/options.ts';
import { openCredentials } from '../../src/ca/ejbca/credentials.ts';
import { createWebService, type WebService } from '../../src/ca/ejbca/web-service.ts';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { recordLog } from '../support/log.ts';

/** As EJBCA writes an end entity of which it knows a lot: empty texts are there, as empty elements. */
const registered = `<caName>Device CA</caName><certificateProfileName>Device</certificateProfileName>
<certificateSerialNumber>123456789012345678901234567890</certificateSerialNumber><clearPwd>false</clearPwd>
<email></email><endEntityProfileName>Device</endEntityProfileName><endTime>2030-01-01 00:00</endTime>
<extendedInformation><name>customdata_ONE</name><value>a &amp; b &lt;c&gt;</value></extendedInformation>
<extendedInformation><name>customdata_TWO</name><value>007</value></extendedInformation>
<keyRecoverable>false</keyRecoverable><sendNotification>true</sendNotification><status>10</status>
<subjectAltName></subjectAltName><subjectDN>CN=meter,O=A &amp; B</subjectDN><tokenType>USERGENERATED</tokenType>
<username>meter</username>`;

const envelope = (content: string): string =>
  `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>${content}</soap:Body></soap:Envelope>`;

describe("EJBCA's web service", () => {
  let ejbca: StandIn;
  let webService: WebService;
  beforeAll(async () => {
    ejbca = await startEjbca();
    const { certificateFile: certificate, keyFile } = ejbca.clientCertificate;
    const options: EjbcaOptions = {
      baseUrl: ejbca.url,
      trustAnchor: ejbca.trustAnchorFile,
      clientCertificate: { certificate, privateKey: `file:${keyFile}` },
      retryAfter: 1,
      record: 'complete',
      timeouts: { connect: 5, answer: 5 },
      limits: { maxResponse: 65_536, concurrency: 2, queue: 2 },
      circuitBreaker: { failures: 5, pause: 1 },
    };
    const credentials = await openCredentials(options);
    const { trustAnchor } = ejbca;
    webService = await createWebService({
      options,
      trustAnchor,
      credentials,
      name: 'ejbca',
      log: recordLog(),
    });
  });
  beforeEach(() => {
    ejbca.clearFaults();
    ejbca.requests.length = 0;
  });
  afterAll(async () => {
    webService.close();
    await ejbca.stop();
  });

  function answerOnce(content: string): void {
    ejbca.setFault({
      kind: 'answer',
      when: 'before',
      times: 1,
      status: 200,
      contentType: 'text/xml;charset=UTF-8',
      body: envelope(content),
    });
  }

  it('gives back all that EJBCA says of an end entity when it sets the enrolment code', async () => {
    answerOnce(
      `<ns2:findUserResponse xmlns:ns2="http://ws.protocol.core.ejbca.org/"><return>${registered}</return></ns2:findUserResponse>`,
    );
    const found = await webService.findEndEntity('meter', 'r-1');
    if (found === undefined) throw new Error('not found');
    answerOnce('<ns2:editUserResponse xmlns:ns2="http://ws.protocol.core.ejbca.org/"/>');
    await webService.setEnrollmentCode(found, 'c&de', 'r-1');
    const sent = ejbca.requests.at(-1)?.body ?? '';
    for (const element of registered.replaceAll('\n', '').match(/<(\w+)>[^<]*<\/\1>/g) ?? []) {
      expect(sent).toContain(element);
    }
    expect(sent).toContain('<password>c&amp;de</password>');
  });
});

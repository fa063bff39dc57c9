import { beforeAll, describe, expect, it } from '@jest/globals';
import { checkFullPkiResponse } from '../../src/est/issued-certificate.ts';
import type { Certificate } from '../../src/pkix/certificate.ts';
import { certificate } from '../support/certificate.ts';
import { selfSigned, signMessage } from '../support/cmc.ts';
import { keyPair, sequence } from '../support/csr.ts';

const pkiResponse = '-econtent_type 1.3.6.1.5.5.7.12.3';
const content = sequence(sequence(), sequence(), sequence());

describe("E-21 a CA's own Full PKI Response", () => {
  let issued: Certificate;
  let bag: string;

  beforeAll(async () => {
    issued = await certificate();
    bag = `-----BEGIN CERTIFICATE-----\n${issued.der.toString('base64')}\n-----END CERTIFICATE-----\n`;
  });

  async function response(words: string): Promise<Buffer> {
    return await signMessage(content, await selfSigned(await keyPair('P-256')), words, { 'bag.pem': bag });
  }

  it('is given to the client when it holds the certificate', async () => {
    const der = await response(`${pkiResponse} -certfile bag.pem`);
    expect(() => {
      checkFullPkiResponse(der, issued);
    }).not.toThrow();
  });

  it.each([
    ['does not hold the certificate', async () => await response(pkiResponse)],
    ['is a request', async () => await response('-certfile bag.pem')],
    ['is no CMS message', async () => await Promise.resolve(Buffer.from('sorry'))],
  ])('is believed by nobody when it %s', async (_fault, make) => {
    const der = await make();
    expect(() => {
      checkFullPkiResponse(der, issued);
    }).toThrow(expect.objectContaining({ code: 'ca_bad_answer' }));
  });
});

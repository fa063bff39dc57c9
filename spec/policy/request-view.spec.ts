import { describe, expect, it } from '@jest/globals';
import { clientIdentity } from '../../src/auth/index.ts';
import { readCertificationRequest } from '../../src/pkix/pkcs10.ts';
import { namesToCertify } from '../../src/policy/policy.ts';
import { createView, type RequestView } from '../../src/policy/request-view.ts';
import { certificate, named } from '../support/certificate.ts';
import {
  extension,
  id,
  keyPair,
  objectIdentifier,
  octetString,
  opensslCsr,
  sequence,
  signedRequest,
  subjectAltName,
  tlv,
  utf8String,
} from '../support/csr.ts';

/** How the operator's rules see a CSR. */
async function viewOf(der: Buffer): Promise<RequestView> {
  const csr = readCertificationRequest(der);
  const shown = await certificate({ subject: named('client') });
  const identity = clientIdentity({ certificate: shown, trustAnchor: 'explicit', issuer: shown }, undefined);
  const request = { alias: 'est', operation: 'simpleenroll', clientAddress: undefined, identity, csr };
  return createView({ ...request, names: namesToCertify(csr) });
}

const otherName = (type: string, value: Buffer): Buffer =>
  tlv(0xa0, objectIdentifier(type), tlv(0xa0, value));
const withName = async (type: string, value: Buffer): Promise<Buffer> =>
  signedRequest(await keyPair('P-256'), { extensions: [subjectAltName(otherName(type, value))] });

const moduleName = { type: '1.3.6.1.5.5.7.8.4', serial: octetString(Buffer.from('0badcafe', 'hex')) };
const permanent = '1.3.6.1.5.5.7.8.3';

describe('The view of a request', () => {
  it('S-29 has the values of otherNames as openssl writes them', async () => {
    const names = [
      ...['otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp.example', 'DNS:a.example'],
      ...['otherName:1.3.6.1.5.5.7.8.7;IA5:_est.example', 'otherName:1.2.3.4;UTF8:x'],
    ];
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    const view = await viewOf(await opensslCsr(...newKey, '-addext', `subjectAltName=${names.join(',')}`));
    expect(view.subjectAltName).toEqual({
      otherName: ['1.3.6.1.4.1.311.20.2.3', '1.3.6.1.5.5.7.8.7', '1.2.3.4'],
      userPrincipalName: ['alice@corp.example'],
      dNSName: ['a.example'],
      dnsSRV: ['_est.example'],
      '1.2.3.4': [utf8String('x').toString('base64')],
    });
  });

  it.each([
    [
      'hardwareModuleName',
      moduleName.type,
      sequence(objectIdentifier('1.3.6.1.4.1.9.1'), moduleName.serial),
      '1.3.6.1.4.1.9.1:0badcafe',
    ],
    [
      'permanentIdentifier',
      permanent,
      sequence(utf8String('pump-7'), objectIdentifier('1.2.3')),
      '1.2.3:pump-7',
    ],
    ['permanentIdentifier', permanent, sequence(utf8String('pump-7')), ':pump-7'],
    ['permanentIdentifier', permanent, sequence(objectIdentifier('1.2.3')), '1.2.3:'],
    ['permanentIdentifier', permanent, sequence(), ':'],
    [
      'acpNodeName',
      '1.3.6.1.5.5.7.8.10',
      tlv(0x16, Buffer.from('rfcSELF@acp.example')),
      'rfcSELF@acp.example',
    ],
  ])('S-29 has a %s (%#)', async (name, type, value, text) => {
    expect((await viewOf(await withName(type, value))).subjectAltName).toEqual({
      otherName: [type],
      [name]: [text],
    });
  });

  it.each([
    ['a userPrincipalName that is no text', '1.3.6.1.4.1.311.20.2.3', octetString(Buffer.from('a@b'))],
    ['a hardwareModuleName without serial number', moduleName.type, sequence(objectIdentifier('1.2.3'))],
    [
      'a hardwareModuleName with more',
      moduleName.type,
      sequence(objectIdentifier('1.2.3'), moduleName.serial, moduleName.serial),
    ],
    ['a permanentIdentifier with two texts', permanent, sequence(utf8String('a'), utf8String('b'))],
    [
      'a permanentIdentifier in another order',
      permanent,
      sequence(objectIdentifier('1.2.3'), utf8String('a')),
    ],
    ['a permanentIdentifier that is no text', permanent, sequence(octetString(Buffer.from('a')))],
  ])('S-29 is asked about no %s: it is refused', async (_what, type, value) => {
    await expect(withName(type, value).then(viewOf)).rejects.toThrow('does not have the form of its type');
  });

  it('S-29 has base64 of what does not have the form of its type in a client certificate', async () => {
    const strange = octetString(Buffer.from('a@b'));
    const names = sequence(otherName('1.3.6.1.4.1.311.20.2.3', strange));
    const shown = await certificate({
      subject: named('x'),
      extensions: [extension(id.subjectAltName, names)],
    });
    const csr = readCertificationRequest(signedRequest(await keyPair('P-256'), {}));
    const identity = clientIdentity(
      { certificate: shown, trustAnchor: 'explicit', issuer: shown },
      undefined,
    );
    const request = { alias: 'est', operation: 'simpleenroll', clientAddress: undefined, identity, csr };
    expect(createView({ ...request, names: namesToCertify(csr) }).identity.subjectAltName).toEqual({
      otherName: ['1.3.6.1.4.1.311.20.2.3'],
      '1.3.6.1.4.1.311.20.2.3': [strange.toString('base64')],
    });
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import fc from 'fast-check';
import {
  readForwardedCertificate,
  type CertificateHeaderForm,
} from '../../src/http/forwarded-certificate.ts';
import { EstError } from '../../src/errors.ts';
import { newKey, opensslCertificate } from '../ca/local/openssl-ca.ts';

const forms: readonly CertificateHeaderForm[] = ['rfc9440', 'nginx', 'haproxy', 'envoy'];

describe('readForwardedCertificate', () => {
  let pem: string;
  let other: string;
  const base64 = (text: string): string => text.replace(/-----[^-]+-----|\n/g, '');
  const escaped = (text: string): string => encodeURIComponent(text);
  const der = (text: string): Buffer => Buffer.from(base64(text), 'base64');
  const hashOf = (text: string): string => hash('sha256', der(text), 'hex');

  beforeAll(async () => {
    ({ certificate: pem } = await opensslCertificate({ key: newKey.p256(), name: 'Device' }));
    ({ certificate: other } = await opensslCertificate({ key: newKey.p256(), name: 'Issuing' }));
  });

  /** The fields of a proxy that has got `pem`. */
  function headersOf(form: CertificateHeaderForm): readonly [string, string] {
    switch (form) {
      case 'rfc9440':
        return ['Client-Cert', `:${base64(pem)}:`];
      case 'nginx':
        return ['X-SSL-Client-Cert', escaped(pem)];
      case 'haproxy':
        return ['X-SSL-Client-Cert', base64(pem)];
      case 'envoy':
        return [
          'X-Forwarded-Client-Cert',
          `Hash=${hashOf(pem)};Cert="${escaped(pem)}";Subject="CN=Device,O=Acme"`,
        ];
    }
  }
  const codeOf = (form: CertificateHeaderForm, ...headers: readonly string[]): unknown => {
    try {
      return readForwardedCertificate(form, headers);
    } catch (error) {
      return error instanceof EstError ? error.code : error;
    }
  };

  it.each(forms)('X-01 X-07 reads the certificate of %s', (form) => {
    const read = readForwardedCertificate(form, ['Host', 'a', ...headersOf(form), 'Accept', '*/*']);
    expect(read).toEqual({ certificate: der(pem), chain: [] });
  });

  it('X-01 reads Client-Cert-Chain, and the chain of envoy', () => {
    const fields = [...headersOf('rfc9440'), 'Client-Cert-Chain', `:${base64(other)}:, :${base64(pem)}:`];
    expect(readForwardedCertificate('rfc9440', fields)?.chain).toEqual([der(other), der(pem)]);
    const lines = [...headersOf('rfc9440'), 'Client-Cert-Chain', `:${base64(other)}:`];
    const inLines = [...lines, 'Accept', '*/*', 'client-cert-chain', `:${base64(pem)}:;source=proxy;ok`];
    expect(readForwardedCertificate('rfc9440', inLines)?.chain).toEqual([der(other), der(pem)]);
    const withParameters = ['Client-Cert', `:${base64(pem)}:;sni="a, b";n=1`];
    expect(readForwardedCertificate('rfc9440', withParameters)?.certificate).toEqual(der(pem));
    for (const wrong of ['(:AA==:)', 'token', '"text"', `:${base64(other)}:,`, `:${base64(other)}:;A`]) {
      expect(codeOf('rfc9440', ...headersOf('rfc9440'), 'Client-Cert-Chain', wrong)).toBe(
        'malformed_request',
      );
    }
    const chain = `Chain="${escaped(pem + other)}"`;
    for (const value of [chain, `By=https://est.example;Hash=${hashOf(pem)};${chain}`]) {
      expect(readForwardedCertificate('envoy', ['X-Forwarded-Client-Cert', value])).toEqual({
        certificate: der(pem),
        chain: [der(other)],
      });
    }
  });

  it('X-04 refuses what a client has written into a name of its certificate, which envoy does not quote', () => {
    for (const keys of [`Cert="${escaped(other)}";URI=x;Chain`, 'URI=x;Cert', 'DNS=x;Chain']) {
      const value = `Hash=${hashOf(other)};${keys}="${escaped(pem)}"`;
      expect(codeOf('envoy', 'X-Forwarded-Client-Cert', value)).toBe('malformed_request');
    }
  });

  it.each(forms)('X-09 takes a missing and an empty field of %s for no certificate', (form) => {
    expect(codeOf(form, 'Host', 'a')).toBeUndefined();
    expect(codeOf(form, headersOf(form)[0], '')).toBeUndefined();
  });

  it.each(forms)('X-04 refuses a field of %s that is there twice, in any case', (form) => {
    const [name, value] = headersOf(form);
    for (const again of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(codeOf(form, name, value, again, value)).toBe('malformed_request');
      expect(codeOf(form, name, value, again, '')).toBe('malformed_request');
    }
  });

  it.each(forms)('X-02 X-04 refuses fields of other forms, and spelled with _, beside %s', (form) => {
    const own = headersOf(form);
    const names = [
      'Client-Cert',
      'X-SSL-Client-Cert',
      'X-Forwarded-Client-Cert',
      'X-Client-Cert',
      'SSL-Client-Cert',
    ];
    for (const name of names.filter((other) => other !== own[0])) {
      expect(codeOf(form, ...own, name, own[1])).toBe('malformed_request');
    }
    expect(codeOf(form, ...own, own[0].replaceAll('-', '_'), own[1])).toBe('malformed_request');
    expect(codeOf(form, own[0].replace('-', '_'), own[1])).toBe('malformed_request');
  });

  it.each(forms)('refuses what is no certificate in the form of %s', (form) => {
    const [name, value] = headersOf(form);
    const others = forms.filter((one) => one !== form).map((one) => headersOf(one)[1]);
    const cut = value.slice(0, -20);
    for (const wrong of [...others, cut, `${value},${value}`, '%', ':', ' ', `${value} x`]) {
      expect(codeOf(form, name, wrong)).toBe('malformed_request');
    }
  });

  it.each(forms)('answers anything at all in the field of %s with a certificate or a refusal', (form) => {
    const [name] = headersOf(form);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const result = codeOf(form, name, value);
        expect(value === '' ? undefined : 'malformed_request').toBe(result);
      }),
    );
  });
});

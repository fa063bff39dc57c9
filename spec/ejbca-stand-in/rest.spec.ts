import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { send, type Answer } from '../support/client.ts';
import { startEjbca, type EjbcaOptions, type StandIn } from '../support/ejbca/start.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { openssl } from '../support/openssl.ts';
import { enrolAt, refusal, rest, type Enrolled, type RestAnswer } from './rest-client.ts';

let ejbca: StandIn;

beforeAll(async () => {
  ejbca = await startEjbca();
});

afterAll(async () => {
  await ejbca.stop();
});

/** Enrols by pkcs10enroll. */
async function enrol(username: string): Promise<Enrolled> {
  return await enrolAt(ejbca, username);
}

/** Runs a call on an installation of its own. */
async function on<Result>(options: EjbcaOptions, call: (other: StandIn) => Promise<Result>): Promise<Result> {
  const other = await startEjbca(options);
  try {
    return await call(other);
  } finally {
    await other.stop();
  }
}

const issuer = encodeURIComponent('CN=Device CA,O=Example,C=SE');

describe('Who may call (1.3)', () => {
  it('refuses a caller without certificate and token', async () => {
    const answer = await rest(ejbca, 'GET', '/v1/ca', { client: undefined });
    expect(answer).toMatchObject(
      refusal(403, 'Error no client certificate or OAuth token received for authentication.'),
    );
  });

  it('refuses a certificate that it does not know, though its CA is trusted', async () => {
    const client = await ejbca.addClientCertificate('unknown', undefined);
    expect(await rest(ejbca, 'GET', '/v1/ca', { client })).toMatchObject(
      refusal(
        403,
        /No admin authenticated for certificate with serialNumber \d+ and issuerDN 'CN=Management CA/,
      ),
    );
  });

  it('ends the connection of a certificate from another CA', async () => {
    const client = await on({}, async (other) => await Promise.resolve(other.clientCertificate));
    await expect(rest(ejbca, 'GET', '/v1/certificate/status', { client })).rejects.toThrow();
  });

  it('takes a bearer token, a certificate first', async () => {
    const headers = { Authorization: `Bearer ${ejbca.addBearerToken(['/'])}` };
    expect(await rest(ejbca, 'GET', '/v1/ca', { client: undefined, headers })).toMatchObject({ status: 200 });
    const client = await ejbca.addClientCertificate('powerless', []);
    expect(await rest(ejbca, 'GET', '/v1/ca', { client, headers })).toMatchObject(
      refusal(403, 'Administrator is not authorized to resource /administrator. Msg: .'),
    );
  });

  it('refuses an expired token', async () => {
    const headers = { Authorization: `Bearer ${ejbca.addBearerToken(['/'], true)}` };
    expect(await rest(ejbca, 'GET', '/v1/ca', { client: undefined, headers })).toMatchObject(
      refusal(403, 'Authentication failed using OAuth Bearer Token. JWT token has expired.'),
    );
  });
});

describe('The identity provider that EJBCA trusts (RFC 6749, section 4.4)', () => {
  async function askForToken(tokenUrl: string, form: object): Promise<Answer> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...form }).toString();
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return await send(tokenUrl, { method: 'POST', ca: ejbca.trustAnchor, headers, body });
  }

  it.each([
    [300, 200],
    [0, 403],
  ])('gives a token that is good for %d seconds', async (seconds, status) => {
    const { tokenUrl, clientId, clientSecret } = ejbca.addOAuthClient(['/'], seconds);
    const answer = await askForToken(tokenUrl, { client_id: clientId, client_secret: clientSecret });
    const token = JSON.parse(answer.body) as Readonly<Record<string, unknown>>;
    expect(token).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: seconds });
    const headers = { Authorization: `Bearer ${String(token['access_token'])}` };
    expect((await rest(ejbca, 'GET', '/v1/ca', { client: undefined, headers })).status).toBe(status);
  });

  it('refuses a wrong secret', async () => {
    const { tokenUrl, clientId } = ejbca.addOAuthClient(['/']);
    const answer = await askForToken(tokenUrl, { client_id: clientId, client_secret: 'guess' });
    expect(answer).toMatchObject({ status: 401, body: '{"error":"invalid_client"}' });
  });
});

describe('What is switched on, and in which edition (1.2b)', () => {
  it.each(['/v1/certificate/status', '/v1/ca/status', '/v2/certificate/status'])(
    'tells version and edition to anybody at %s',
    async (path) => {
      expect(await rest(ejbca, 'GET', path, { client: undefined })).toMatchObject({
        status: 200,
        json: { status: 'OK', version: '1.0', revision: 'EJBCA 8.3.2 Enterprise (working copy)' },
      });
    },
  );

  it('answers 403 with a page, no JSON, where the protocol is off', async () => {
    const answer = await on(
      { enabledProtocols: [] },
      async (other) => await rest(other, 'GET', '/v1/certificate/status'),
    );
    expect(answer).toMatchObject({ status: 403, json: undefined });
    expect(answer.contentType).toMatch(/^text\/html/);
    expect(answer.body).toContain('This service has been disabled.');
  });

  it.each(['Sec-Fetch-Mode', 'Sec-Fetch-Dest'])(
    'refuses a script that sends %s without X-Keyfactor-Requested-With, where that is required',
    async (name) => {
      const path = '/v1/certificate/status';
      const headers = { [name]: 'cors' };
      expect(await rest(ejbca, 'GET', path, { headers })).toMatchObject({ status: 200 });
      const answers = await on({ isBrowserHeaderRequired: true }, async (other) => [
        await rest(other, 'GET', path, { headers }),
        await rest(other, 'GET', path, { headers: { ...headers, 'X-Keyfactor-Requested-With': '1' } }),
      ]);
      expect(answers).toMatchObject([{ status: 403 }, { status: 200 }]);
    },
  );

  it('has no /v1/ca in 8.0', async () => {
    const answer = await on({ version: '8.0.0' }, async (other) => await rest(other, 'GET', '/v1/ca'));
    expect(answer).toMatchObject(
      refusal(404, /^RESTEASY003210: Could not find resource for full path: https:\/\/localhost/),
    );
  });

  it('has no end entities in Community', async () => {
    expect(await rest(ejbca, 'POST', '/v1/endentity/search', { json: {} })).toMatchObject(
      refusal(404, /^RESTEASY003210/),
    );
  });

  it('answers ALLOK to a health check', async () => {
    const { stdout } = await promisify(execFile)('curl', [
      ...['-sS', '--cacert', ejbca.trustAnchorFile],
      `${ejbca.url}/publicweb/healthcheck/ejbcahealth`,
    ]);
    expect(stdout).toBe('ALLOK');
  });
});

describe('/v1/ca (1.2)', () => {
  it('lists the CAs that the caller may use', async () => {
    const client = await ejbca.addClientCertificate('one CA', ['/administrator/', '/ca/Device CA/']);
    const { json } = await rest(ejbca, 'GET', '/v1/ca', { client });
    expect(json).toEqual({
      certificate_authorities: [
        {
          id: expect.any(Number),
          name: 'Device CA',
          subject_dn: 'CN=Device CA,O=Example,C=SE',
          issuer_dn: 'CN=Root CA,O=Example,C=SE',
          expiration_date: expect.stringMatching(/^20/),
        },
      ],
    });
  });

  it('gives the chain in PEM by the DN in any order, which openssl verifies', async () => {
    const dn = encodeURIComponent('C=SE, O=Example, CN=Device CA');
    const answer = await rest(ejbca, 'GET', `/v1/ca/${dn}/certificate/download`);
    expect(answer).toMatchObject({ status: 200, contentType: 'application/json' });
    expect(answer.body).toMatch(/^Subject: .*CN=Device CA/);
    const text = await openssl('crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7', {
      'chain.pem': answer.body,
    });
    expect(text).toBe('');
    const verified = await openssl('verify -x509_strict -CAfile chain.pem chain.pem', {
      'chain.pem': answer.body,
    });
    expect(verified).toBe('chain.pem: OK\n');
    expect(answer.body.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('does not know a CA by its name', async () => {
    expect(await rest(ejbca, 'GET', '/v1/ca/Device%20CA/certificate/download')).toMatchObject(
      refusal(500, 'General failure.'),
    );
  });

  it('gives the latest CRL as DER in base64', async () => {
    const { json } = await rest(ejbca, 'GET', `/v1/ca/${issuer}/getLatestCrl?deltaCrl=false`);
    expect(json).toMatchObject({ response_format: 'DER' });
    const crl = Buffer.from(String(json?.['crl']), 'base64');
    expect(await openssl('crl -inform DER -in crl.der -noout -issuer', { 'crl.der': crl })).toContain(
      'CN = Device CA',
    );
  });
});

describe('Revocation (1.2)', () => {
  async function status(serialNumber: string, dn = issuer): Promise<RestAnswer> {
    return await rest(ejbca, 'GET', `/v1/certificate/${dn}/${serialNumber}/revocationstatus`);
  }

  it('revokes, says so in the status and in the next CRL, and only once', async () => {
    const { serialNumber } = await enrol('victim');
    expect(await status(serialNumber.toLowerCase())).toMatchObject({
      status: 200,
      json: {
        revoked: false,
        issuer_dn: 'CN=Device CA,O=Example,C=SE',
        serial_number: serialNumber.toLowerCase(),
      },
    });
    const revoke = async (): Promise<RestAnswer> =>
      await rest(ejbca, 'PUT', `/v1/certificate/${issuer}/0x${serialNumber}/revoke?reason=SUPERSEDED`);
    expect(await revoke()).toMatchObject({
      status: 200,
      json: { revoked: true, message: 'Successfully revoked' },
    });
    expect(await status(serialNumber)).toMatchObject({
      json: {
        revoked: true,
        revocation_reason: 'SUPERSEDED',
        revocation_date: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    });
    expect(await revoke()).toMatchObject(refusal(409, /previously been revoked/));
    await rest(ejbca, 'POST', `/v1/ca/${issuer}/createcrl`);
    const { json } = await rest(ejbca, 'GET', `/v1/ca/${issuer}/getLatestCrl`);
    const crl = Buffer.from(String(json?.['crl']), 'base64');
    expect(await openssl('crl -inform DER -in crl.der -noout -text', { 'crl.der': crl })).toContain(
      serialNumber,
    );
  });

  it('refuses what it does not know, with the status that says what', async () => {
    expect(await status('0BAD')).toMatchObject(
      refusal(
        404,
        "Certificate with serial number '0BAD' and issuer DN 'CN=Device CA,O=Example,C=SE' was not found",
      ),
    );
    expect(await status('xyz')).toMatchObject(refusal(400, /^Invalid serial number format/));
    expect(await status('0BAD', encodeURIComponent('CN=Nobody'))).toMatchObject(
      refusal(404, "CA 'CN=Nobody' does not exist."),
    );
    expect(await status('0BAD', 'Device%20CA')).toMatchObject(refusal(500, 'General failure.'));
  });
});

describe('Searches (1.2)', () => {
  /** Base64 in lines of 64, as base64 again. */
  const inLines = (der: Buffer): string =>
    Buffer.from(
      certificateToPem(der)
        .replaceAll(/-----[A-Z ]+-----\n/g, '')
        .trimEnd(),
    ).toString('base64');

  const criterion = (value: string, operation = 'EQUAL', property = 'QUERY'): object => ({
    property,
    value,
    operation,
  });

  it('finds by user name, and by the serial number in hex and in decimal; all pages of it', async () => {
    const { serialNumber, der } = await enrol('wanted');
    const decimal = BigInt(`0x${serialNumber}`).toString();
    for (const value of ['wanted', serialNumber, serialNumber.toLowerCase(), decimal]) {
      const { json } = await rest(ejbca, 'POST', '/v1/certificate/search', {
        json: { max_number_of_results: 10, criteria: [criterion(value)] },
      });
      expect(json).toEqual({
        certificates: [
          {
            certificate: inLines(der),
            serial_number: serialNumber,
            response_format: 'DER',
            certificate_profile: 'Device',
            end_entity_profile: 'Device',
          },
        ],
        more_results: false,
      });
    }
  });

  it('gives rows of its table in version 2: user name, issuer, base64 of base64', async () => {
    const { serialNumber, der } = await enrol('row');
    const { json } = await rest(ejbca, 'POST', '/v2/certificate/search', {
      json: { pagination: { page_size: 10, current_page: 1 }, criteria: [criterion(serialNumber)] },
    });
    expect(json).toMatchObject({
      certificates: [
        {
          username: 'row',
          issuerDN: 'CN=Device CA,O=Example,C=SE',
          subjectDN: 'CN=row',
          serialNumber,
          revocationReason: -1,
          udpateTime: expect.any(Number),
          base64Cert: inLines(der),
        },
      ],
    });
  });

  it('finds parts with LIKE, and only what the role may see', async () => {
    await enrol('needle-1');
    await enrol('needle-2');
    const json = { max_number_of_results: 1, criteria: [criterion('needle-', 'LIKE')] };
    expect((await rest(ejbca, 'POST', '/v1/certificate/search', { json })).json).toMatchObject({
      more_results: true,
    });
    const client = await ejbca.addClientCertificate('other CA', [
      ...['/administrator/', '/ca_functionality/view_certificate/', '/ca/Root CA/'],
      '/endentityprofilesrules/Device/',
    ]);
    expect((await rest(ejbca, 'POST', '/v1/certificate/search', { json, client })).json).toEqual({
      certificates: [],
      more_results: false,
    });
  });

  it('tells what a certificate profile allows, misspelt as EJBCA does', async () => {
    ejbca.addCertificateProfile('Narrow', {
      keyAlgorithms: ['ECDSA'],
      bitLengths: [],
      curves: ['P-256'],
      certificationAuthorities: ['Device CA'],
    });
    expect((await rest(ejbca, 'GET', '/v2/certificate/profile/Narrow')).json).toEqual({
      available_key_algs: ['ECDSA'],
      available_bit_lenghts: [],
      available_ecdsa_curves: ['P-256'],
      available_cas: ['Device CA'],
    });
  });
});

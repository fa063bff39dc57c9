import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { opensslCsr } from '../support/csr.ts';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { openssl } from '../support/openssl.ts';
import { refusal, rest, type RestAnswer } from './rest-client.ts';

let ejbca: StandIn;

beforeAll(async () => {
  ejbca = await startEjbca({ version: '9.1.1', edition: 'Enterprise' });
  const ca = await ejbca.addCertificationAuthority('Careful CA');
  ca.requiresApproval = true;
});

afterAll(async () => {
  await ejbca.stop();
});

async function addEndEntity(username: string, changes: object = {}, on = ejbca): Promise<RestAnswer> {
  return await rest(on, 'POST', '/v1/endentity', {
    json: {
      username,
      password: 'foo123',
      subject_dn: `C=SE, CN=${username}`,
      ca_name: 'Careful CA',
      certificate_profile_name: 'Device',
      end_entity_profile_name: 'Device',
      token: 'P12',
      ...changes,
    },
  });
}

async function finalize(id: unknown, responseFormat = 'P12'): Promise<RestAnswer> {
  return await rest(ejbca, 'POST', `/v1/certificate/${String(id)}/finalize`, {
    json: { response_format: responseFormat, password: 'secret', key_alg: 'ECDSA', key_spec: 'P-256' },
  });
}

describe('What needs approval (1.5)', () => {
  it('answers 202 with a request id and a link that leads nowhere; 8.x without the id', async () => {
    const answer = await addEndEntity('patient');
    const id = answer.json?.['request_id'];
    expect(answer).toMatchObject({
      status: 202,
      json: {
        status_code: 202,
        info_message: expect.any(String),
        request_id: expect.any(Number),
        link: `https://localhost:${ejbca.port}/ejbca/ejbca-rest-api/${String(id)}/finalize`,
      },
    });
    const older = await startEjbca({ version: '8.2.0.1', edition: 'Enterprise' });
    const ca = older.database.certificationAuthorities.get('Device CA');
    if (ca !== undefined) ca.requiresApproval = true;
    const { json } = await addEndEntity('patient', { ca_name: 'Device CA' }, older);
    await older.stop();
    expect(Object.keys(json ?? {})).toEqual(['status_code', 'info_message', 'link']);
  });

  it('gives the key store once the request is approved, and only once', async () => {
    const id = Number((await addEndEntity('approved')).json?.['request_id']);
    expect(await finalize(id)).toMatchObject({ status: 202, json: { request_id: id } });
    await ejbca.decide(id, 'approved');
    const answer = await finalize(id);
    expect(answer).toMatchObject({ status: 201, json: { response_format: 'PKCS12' } });
    const p12 = Buffer.from(String(answer.json?.['certificate']), 'base64');
    const text = await openssl('pkcs12 -in store.p12 -passin pass:secret -nodes', { 'store.p12': p12 });
    expect(text).toContain('subject=CN = approved, C = SE');
    expect(text).toContain('BEGIN PRIVATE KEY');
    expect(await finalize(id)).toMatchObject(
      refusal(400, `Enrollment with Id '${id}' has already been finalized`),
    );
  });

  it('gives the certificate for the CSR that was enrolled in the RA web', async () => {
    const csr = await opensslCsr('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
    const id = Number((await addEndEntity('with-csr', { token: 'USERGENERATED' })).json?.['request_id']);
    await ejbca.decide(id, 'approved');
    ejbca.addEndEntity({ username: 'with-csr', certificateRequest: csr.toString('base64') });
    expect(await finalize(id, 'P12')).toMatchObject(refusal(400, /^Invalid response format/));
    expect(await finalize(id, 'DER')).toMatchObject({ status: 201, json: { response_format: 'DER' } });
  });

  it.each([
    ['rejected', 'has been rejected'],
    ['expired', 'has expired'],
    ['failed', 'could not be executed'],
  ] as const)('refuses with 400 what was %s', async (decision, text) => {
    const id = Number((await addEndEntity(`is-${decision}`)).json?.['request_id']);
    await ejbca.decide(id, decision);
    expect(await finalize(id)).toMatchObject(refusal(400, `Request with Id '${id}' ${text}`));
    expect(ejbca.database.endEntities.has(`is-${decision}`)).toBe(false);
  });

  it('refuses an unknown request and an unknown format with 400', async () => {
    expect(await finalize(7)).toMatchObject(refusal(400, "Could not find request with Id '7'"));
    const id = (await addEndEntity('format')).json?.['request_id'];
    expect(await finalize(id, 'XYZ')).toMatchObject(refusal(400, 'Invalid parameter: response_format'));
  });
});

describe('POST /v1/certificate/enrollkeystore (1.2)', () => {
  async function enrollkeystore(username: string, changes: object = {}): Promise<RestAnswer> {
    return await rest(ejbca, 'POST', '/v1/certificate/enrollkeystore', {
      json: { username, password: 'foo123', key_alg: 'RSA', key_spec: '2048', ...changes },
    });
  }

  it('gives a PKCS#12 under the password for a registered end entity', async () => {
    ejbca.addEndEntity({ username: 'keyless', token: 'P12' });
    const { status, json } = await enrollkeystore('keyless');
    expect({ status, format: json?.['response_format'] }).toEqual({ status: 201, format: 'PKCS12' });
    const p12 = Buffer.from(String(json?.['certificate']), 'base64');
    expect(
      await openssl('pkcs12 -in store.p12 -passin pass:foo123 -nokeys -clcerts', { 'store.p12': p12 }),
    ).toContain('subject=CN = keyless');
  });

  it('refuses each mistake with its own status', async () => {
    ejbca.addEndEntity({ username: 'own-key' });
    expect(await enrollkeystore('nobody')).toMatchObject(
      refusal(404, "The end entity 'nobody' does not exist"),
    );
    expect(await enrollkeystore('own-key')).toMatchObject(refusal(400, /^Unsupported token type\. Must be/));
    expect(await enrollkeystore('own-key', { key_alg: 'DSA9' })).toMatchObject(
      refusal(422, "Unsupported key algorithm 'DSA9'"),
    );
    expect((await enrollkeystore('own-key', { key_spec: '17' })).status).toBe(422);
  });
});

describe('/v1/endentity of Enterprise (1.2)', () => {
  it('tells by 404 and 422 what pkcs10enroll answers with 400', async () => {
    ejbca.addEndEntityProfile('Strict', { subject: ['CN'] });
    expect(await addEndEntity('no-ca', { ca_name: 'None' })).toMatchObject(
      refusal(404, 'CA with name "None" doesn\'t exist'),
    );
    expect(await addEndEntity('too-much', { end_entity_profile_name: 'Strict' })).toMatchObject(
      refusal(422, 'Wrong number of COUNTRY fields in Subject DN.'),
    );
  });

  it('registers, finds, resets, revokes and deletes', async () => {
    const query = {
      max_number_of_results: 5,
      criteria: [{ property: 'QUERY', value: 'ee', operation: 'EQUAL' }],
    };
    const find = async (): Promise<unknown> =>
      (await rest(ejbca, 'POST', '/v1/endentity/search', { json: query })).json?.['end_entities'];
    expect((await addEndEntity('ee', { ca_name: 'Device CA' })).status).toBe(200);
    expect(await find()).toEqual([
      {
        username: 'ee',
        dn: 'CN=ee,C=SE',
        subject_alt_name: '',
        email: '',
        status: 'NEW',
        token: 'P12',
        extension_data: [],
      },
    ]);
    await rest(ejbca, 'POST', '/v1/endentity/ee/setstatus', {
      json: { password: 'bar', token: 'P12', status: 'GENERATED' },
    });
    expect(ejbca.database.endEntities.get('ee')).toMatchObject({ status: 'GENERATED', password: 'bar' });
    await rest(ejbca, 'PUT', '/v1/endentity/ee/revoke', { json: { reason_code: 0, delete: false } });
    expect(await find()).toMatchObject([{ status: 'REVOKED' }]);
    await rest(ejbca, 'DELETE', '/v1/endentity/ee');
    expect(await find()).toEqual([]);
  });
});

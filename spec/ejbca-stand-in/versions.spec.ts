import { describe, expect, it } from '@jest/globals';
import { generateKeyPair, certificationRequest } from '../support/csr.ts';
import { freshProtocols } from '../support/ejbca/ejbca.ts';
import { startEjbca, type EjbcaOptions, type StandIn } from '../support/ejbca/start.ts';
import { enrolAt, refusal, rest } from './rest-client.ts';

async function on<Result>(options: EjbcaOptions, use: (ejbca: StandIn) => Promise<Result>): Promise<Result> {
  const ejbca = await startEjbca(options);
  try {
    return await use(ejbca);
  } finally {
    await ejbca.stop();
  }
}

const notFound = refusal(404, /^RESTEASY003210: Could not find resource for full path: /);

const byUpdateTime = {
  pagination: { page_size: 10, current_page: 1 },
  criteria: [{ property: 'UPDATE_TIME', value: '2026-01-01T00:00:00Z', operation: 'AFTER' }],
};

describe('What versions of EJBCA have', () => {
  it.each([
    ['7.10.0.2', false],
    ['7.11.0', false],
    ['8.0.0', false],
    ['8.1.0', true],
    ['8.2.0.1', true],
    ['9.3.3', true],
  ])('%s: enrolment and searches by UPDATE_TIME, and /v1/ca: %s', async (version, hasCas) => {
    await on({ version }, async (ejbca) => {
      await enrolAt(ejbca, 'device');
      const { json } = await rest(ejbca, 'POST', '/v2/certificate/search', { json: byUpdateTime });
      expect(json).toMatchObject({ certificates: [{ username: 'device' }] });
      const list = await rest(ejbca, 'GET', '/v1/ca');
      expect(list).toMatchObject(hasCas ? { status: 200 } : notFound);
    });
  });

  it.each([
    ['8.2.0.1', refusal(400, /^java\.security\.NoSuchAlgorithmException: .* KeyFactory not available$/)],
    ['9.3.3', { status: 201 }],
  ])('%s answers to an ML-DSA key', async (version, expected) => {
    const csr = await certificationRequest({ key: await generateKeyPair('ML-DSA-44') });
    const json = {
      certificate_request: csr.toString('base64'),
      certificate_profile_name: 'Device',
      end_entity_profile_name: 'Device',
      certificate_authority_name: 'Device CA',
      username: 'device',
    };
    await on({ version }, async (ejbca) => {
      const answer = await rest(ejbca, 'POST', '/v1/certificate/pkcs10enroll', { json });
      expect(answer).toMatchObject(expected);
    });
  });

  it.each(['Community', 'Enterprise'] as const)(
    'says Enterprise in its status whatever it is, and has end entities as %s or not',
    async (edition) => {
      await on({ edition }, async (ejbca) => {
        const { json } = await rest(ejbca, 'GET', '/v1/certificate/status');
        expect(json?.['revision']).toBe('EJBCA 8.3.2 Enterprise (working copy)');
        const found = await rest(ejbca, 'GET', '/v1/endentity/status');
        expect(found).toMatchObject(edition === 'Community' ? notFound : { status: 200 });
      });
    },
  );

  it('has its web service on and REST off after the installation', async () => {
    await on({ enabledProtocols: freshProtocols }, async (ejbca) => {
      expect(await rest(ejbca, 'GET', '/v1/certificate/status')).toMatchObject({ status: 403 });
      expect(ejbca.enabledProtocols.has('Web Service')).toBe(true);
    });
  });
});

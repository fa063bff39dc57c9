import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { generateKeyPair, certificationRequest, opensslCsr } from '../support/csr.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import { certificationAuthorityId } from '../support/ejbca/distinguished-name.ts';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { openssl } from '../support/openssl.ts';
import { refusal, rest, type RestAnswer, type RestCall } from './rest-client.ts';

let ejbca: StandIn;

beforeAll(async () => {
  ejbca = await startEjbca();
});

afterAll(async () => {
  await ejbca.stop();
});

function pem(csr: Buffer): string {
  const lines = csr.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join(
    '\n',
  );
}

async function newCsr(subject: string, ...more: readonly string[]): Promise<string> {
  return pem(
    await opensslCsr('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', subject, ...more),
  );
}

/** What every enrolment says, less the changes. */
function enrolment(username: string, csr: string, changes: object = {}): object {
  return {
    certificate_request: csr,
    certificate_profile_name: 'Device',
    end_entity_profile_name: 'Device',
    certificate_authority_name: 'Device CA',
    username,
    password: 'foo123',
    ...changes,
  };
}

async function pkcs10enroll(json: object, call: RestCall = {}, on = ejbca): Promise<RestAnswer> {
  return await rest(on, 'POST', '/v1/certificate/pkcs10enroll', { ...call, json });
}

async function certificaterequest(json: object): Promise<RestAnswer> {
  return await rest(ejbca, 'POST', '/v1/certificate/certificaterequest', { json });
}

/** What openssl reads in the certificate of an answer, after it has verified it with the downloaded chain. */
async function readCertificate({ json }: RestAnswer, ca = 'Device CA'): Promise<string> {
  const leaf = Buffer.from(String(json?.['certificate']), 'base64');
  const authority = ejbca.database.certificationAuthorities.get(ca);
  const chain = (authority?.chain ?? []).map(certificateToPem);
  const files = { 'leaf.der': leaf, 'leaf.pem': certificateToPem(leaf), 'chain.pem': chain.join('') };
  await openssl('verify -x509_strict -CAfile chain.pem leaf.pem', files);
  return await openssl(
    'x509 -inform DER -in leaf.der -noout -subject -issuer -serial -ext subjectAltName,extendedKeyUsage',
    files,
  );
}

describe('POST /v1/certificate/pkcs10enroll (1.1)', () => {
  it('answers 201 with DER in base64, the serial number in hex and the format', async () => {
    const answer = await pkcs10enroll(enrolment('one', await newCsr('/CN=one')));
    expect(answer).toMatchObject({ status: 201, contentType: 'application/json' });
    expect(answer.json).toEqual({
      certificate: expect.stringMatching(/^MII/),
      serial_number: expect.stringMatching(/^[0-9A-F]+$/),
      response_format: 'DER',
    });
    const text = await readCertificate(answer);
    expect(text).toContain('subject=CN = one\n');
    expect(text).toContain(`serial=${String(answer.json?.['serial_number'])}`);
  });

  it('takes the CSR without the lines around it, too', async () => {
    const csr = (await newCsr('/CN=bare')).replaceAll(/-----.*-----|\s/g, '');
    expect(await pkcs10enroll(enrolment('bare', csr))).toMatchObject({ status: 201 });
  });

  it('takes subject and subjectAltName from the CSR; the subject in LDAP order, the names grouped by kind', async () => {
    const names = 'subjectAltName=IP:192.0.2.1,DNS:a.example,URI:urn:x,email:a@b.example,DNS:b.example';
    const csr = await newCsr('/C=SE/O=Example/OU=Lab/CN=full/serialNumber=7', '-addext', names);
    const text = await readCertificate(await pkcs10enroll(enrolment('full', csr)));
    expect(text).toContain('subject=CN = full, serialNumber = 7, OU = Lab, O = Example, C = SE\n');
    expect(text).toContain(
      'email:a@b.example, DNS:a.example, DNS:b.example, URI:urn:x, IP Address:192.0.2.1',
    );
    expect(ejbca.database.endEntities.get('full')).toMatchObject({
      subjectDn: 'CN=full,SN=7,OU=Lab,O=Example,C=SE',
      subjectAltName:
        'iPAddress=192.0.2.1, dNSName=a.example, uniformResourceIdentifier=urn:x, rfc822name=a@b.example, dNSName=b.example',
    });
  });

  it('adds the end entity, changes it when the name exists, and leaves it GENERATED', async () => {
    await pkcs10enroll(enrolment('twice', await newCsr('/CN=twice')));
    const second = await pkcs10enroll(enrolment('twice', await newCsr('/CN=twice/OU=moved')));
    expect(second.status).toBe(201);
    expect(ejbca.database.endEntities.get('twice')).toMatchObject({
      subjectDn: 'CN=twice,OU=moved',
      status: 'GENERATED',
    });
  });

  it('gives the chain of the CA with include_chain: issuing CA first, without the leaf', async () => {
    const answer = await pkcs10enroll(enrolment('chain', await newCsr('/CN=chain'), { include_chain: true }));
    const chain = answer.json?.['certificate_chain'] as readonly string[];
    const subjects = await Promise.all(
      chain.map(
        async (der) =>
          await openssl('x509 -inform DER -in c.der -noout -subject', {
            'c.der': Buffer.from(der, 'base64'),
          }),
      ),
    );
    expect(subjects).toEqual([
      expect.stringContaining('CN = Device CA'),
      expect.stringContaining('CN = Root CA'),
    ]);
  });

  it('gives PKCS7 in PEM where it is asked for', async () => {
    const answer = await pkcs10enroll(
      enrolment('seven', await newCsr('/CN=seven'), { response_format: 'PKCS7' }),
    );
    const p7 = Buffer.from(String(answer.json?.['certificate']), 'base64');
    expect(answer.json?.['response_format']).toBe('PKCS7');
    expect(await openssl('pkcs7 -in c.p7 -print_certs', { 'c.p7': p7 })).toContain('subject=CN = seven');
  });

  const notPossible: readonly (readonly [string, object, string | RegExp])[] = [
    [
      'a CA that does not exist',
      { certificate_authority_name: 'Nobody' },
      `CA with name "Nobody" doesn't exist`,
    ],
    [
      'a certificate profile that does not exist',
      { certificate_profile_name: 'None' },
      `Certificate profile with name "None" doesn't exist`,
    ],
    ['what is no CSR', { certificate_request: 'bm8gY3Ny' }, 'Invalid certificate request'],
    ['another format', { response_format: 'P12' }, 'Invalid input. Response format can only be DER or PKCS7'],
  ];

  it.each(notPossible)('refuses %s with 400 and the reason', async (_what, changes, text) => {
    const answer = await pkcs10enroll(enrolment('refused', await newCsr('/CN=refused'), changes));
    expect(answer).toMatchObject(refusal(400, text));
    expect(ejbca.database.endEntities.has('refused')).toBe(false);
  });

  it('refuses with 400 what the end entity profile does not allow', async () => {
    ejbca.addEndEntityProfile('Strict', { subject: ['CN'], alternativeNames: ['dNSName'] });
    const strict = { end_entity_profile_name: 'Strict' };
    const withAddress = await newCsr('/CN=strict', '-addext', 'subjectAltName=IP:192.0.2.1');
    expect(await pkcs10enroll(enrolment('strict', withAddress, strict))).toMatchObject(
      refusal(400, 'Wrong number of IPADDRESS fields in Subject Alternative Name.'),
    );
    expect(await pkcs10enroll(enrolment('strict', await newCsr('/CN=strict/O=x'), strict))).toMatchObject(
      refusal(400, 'Wrong number of ORGANIZATION fields in Subject DN.'),
    );
  });

  it('refuses with 400 what conflicts with another end entity, and lets the same one use its key again', async () => {
    const key = await generateKeyPair('P-256');
    const csr = pem(await certificationRequest({ key }));
    expect(await pkcs10enroll(enrolment('first', csr))).toMatchObject({ status: 201 });
    expect(await pkcs10enroll(enrolment('first', csr))).toMatchObject({ status: 201 });
    expect(await pkcs10enroll(enrolment('second', csr))).toMatchObject(
      refusal(400, /not allowed to use same/),
    );
  });

  it('refuses with 400, not 503, when the CA is offline', async () => {
    const ca = await ejbca.addCertificationAuthority('Sleeping CA');
    ca.status = 'offline';
    const answer = await pkcs10enroll(
      enrolment('late', await newCsr('/CN=late'), { certificate_authority_name: 'Sleeping CA' }),
    );
    expect(answer).toMatchObject(refusal(400, 'signsession.canotactive, CN=Sleeping CA,O=Example,C=SE'));
  });

  it('refuses with 400 where approvals are on, never 202', async () => {
    const ca = await ejbca.addCertificationAuthority('Careful CA');
    ca.requiresApproval = true;
    const answer = await pkcs10enroll(
      enrolment('careful', await newCsr('/CN=careful'), { certificate_authority_name: 'Careful CA' }),
    );
    const id = certificationAuthorityId('CN=Careful CA,O=Example,C=SE');
    expect(answer).toMatchObject(
      refusal(
        400,
        `Single transaction enrollment request rejected since approvals are enabled for this CA (${id}) or Certificate Profile (1000000000).`,
      ),
    );
  });

  it.each([
    ['/administrator/', 'Administrator is not authorized to resource /administrator. Msg: .'],
    ['/ca/Device CA/', "Administrator 'CN=ra-14' not authorized to CA Device CA."],
    [
      '/ra_functionality/create_end_entity/',
      'Administrator not authorized to end entity profile 2000000000. Admin: CN=ra-36.',
    ],
    [
      '/endentityprofilesrules/Device/',
      'Administrator not authorized to end entity profile 2000000000. Admin: CN=ra-31.',
    ],
    [
      '/ca_functionality/create_certificate/',
      'Administrator is not authorized to resource /ca_functionality/create_certificate. Msg: .',
    ],
  ])('refuses with 403 a role without %s', async (missing, text) => {
    const rules = registrationAuthorityRules('Device CA', 'Device').filter((rule) => rule !== missing);
    const client = await ejbca.addClientCertificate(`ra-${missing.length}`, rules);
    const answer = await pkcs10enroll(enrolment('unruly', await newCsr('/CN=unruly')), { client });
    expect(answer).toMatchObject(refusal(403, text));
  });

  it('serves a role with exactly the documented rules', async () => {
    const client = await ejbca.addClientCertificate('ra', registrationAuthorityRules('Device CA', 'Device'));
    const answer = await pkcs10enroll(enrolment('ruled', await newCsr('/CN=ruled')), { client });
    expect(answer.status).toBe(201);
  });
});

describe('POST /v1/certificate/certificaterequest (1.2)', () => {
  it('issues for a registered end entity under its registered subject, and makes it GENERATED', async () => {
    ejbca.addEndEntity({
      username: 'meter',
      subjectDn: 'CN=meter-1,O=Example',
      subjectAltName: 'dNSName=m.example',
    });
    const answer = await certificaterequest({
      username: 'meter',
      password: 'foo123',
      certificate_request: await newCsr('/CN=something else/UID=9'),
    });
    expect(answer.status).toBe(201);
    const text = await readCertificate(answer);
    expect(text).toContain('subject=CN = meter-1, O = Example\n');
    expect(text).toContain('DNS:m.example');
    expect(ejbca.database.endEntities.get('meter')?.status).toBe('GENERATED');
  });

  it('refuses each mistake with its own text', async () => {
    const csr = await newCsr('/CN=x');
    ejbca.addEndEntity({ username: 'new' });
    ejbca.addEndEntity({ username: 'done', status: 'GENERATED' });
    ejbca.addEndEntity({ username: 'p12', token: 'P12' });
    const ask = async (
      username: string,
      password = 'foo123',
      certificate_request = csr,
    ): Promise<RestAnswer> => await certificaterequest({ username, password, certificate_request });
    expect(await ask('nobody')).toMatchObject(refusal(400, 'Wrong username or password'));
    expect(await ask('new', 'wrong')).toMatchObject(
      refusal(400, 'Got request for user with invalid password: new.'),
    );
    expect(await ask('done')).toMatchObject(
      refusal(400, 'Got request with status GENERATED (40). Status NEW, FAILED or INPROCESS required: done.'),
    );
    expect(await ask('p12')).toMatchObject(
      refusal(400, /^Error: Wrong Token Type of user, must be 'USERGENERATED'/),
    );
    expect(await ask('new', 'foo123', 'rubbish')).toMatchObject(
      refusal(400, 'Failed to generate certificate due to malformed CSR.'),
    );
  });

  it('answers 409 when the new certificate conflicts with one of another end entity', async () => {
    const csr = pem(await certificationRequest({ key: await generateKeyPair('P-256') }));
    ejbca.addEndEntity({ username: 'owner' });
    ejbca.addEndEntity({ username: 'thief' });
    await certificaterequest({ username: 'owner', password: 'foo123', certificate_request: csr });
    expect(
      await certificaterequest({ username: 'thief', password: 'foo123', certificate_request: csr }),
    ).toMatchObject(
      refusal(
        409,
        'Failed to generate certificate due to the new certificate conflicting with an existing one.',
      ),
    );
    expect(ejbca.database.endEntities.get('thief')?.status).toBe('NEW');
  });

  it('answers 503 when the token of the CA is off-line, and with a page when the CA is', async () => {
    const ca = await ejbca.addCertificationAuthority('Broken CA');
    ejbca.addEndEntity({ username: 'waiting', certificationAuthority: 'Broken CA' });
    const json = { username: 'waiting', password: 'foo123', certificate_request: await newCsr('/CN=x') };
    ca.status = 'token offline';
    expect(await certificaterequest(json)).toMatchObject(refusal(503, 'Device was unavailable.'));
    ca.status = 'offline';
    expect(await certificaterequest(json)).toMatchObject({
      status: 500,
      contentType: 'text/html;charset=UTF-8',
      body: expect.stringContaining('NullPointerException'),
    });
  });
});

describe('What versions of EJBCA do with pkcs10enroll (1.1)', () => {
  const override = { subject_dn: 'CN=override,O=Example', end_time: '2030-01-02 03:04:05' };

  async function enrolOn(version: string): Promise<{ readonly subjectDn: string; readonly notAfter: Date }> {
    const other = await startEjbca({ version });
    try {
      other.addCertificateProfile('Long', { validityDays: 3650, allowValidityOverride: true });
      const changes = { ...override, certificate_profile_name: 'Long' };
      const { status } = await pkcs10enroll(enrolment('v', await newCsr('/CN=v'), changes), {}, other);
      expect(status).toBe(201);
      const [{ subjectDn, notAfter } = { subjectDn: '', notAfter: new Date(0) }] =
        other.database.certificates;
      return { subjectDn, notAfter };
    } finally {
      await other.stop();
    }
  }

  it('8.2 takes the subject of the CSR and its own validity', async () => {
    const { subjectDn, notAfter } = await enrolOn('8.2.0.1');
    expect(subjectDn).toBe('CN=v');
    expect(notAfter.getUTCFullYear()).toBeGreaterThan(2030);
  });

  it('9.0 takes subject_dn, and no end_time yet', async () => {
    const { subjectDn, notAfter } = await enrolOn('9.0.0');
    expect(subjectDn).toBe('CN=override,O=Example');
    expect(notAfter.getUTCFullYear()).toBeGreaterThan(2030);
  });

  it('9.3.3 takes end_time, in UTC', async () => {
    const { notAfter } = await enrolOn('9.3.3');
    expect(notAfter.toISOString()).toBe('2030-01-02T03:04:05.000Z');
  });
});

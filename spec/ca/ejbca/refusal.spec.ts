import { describe, expect, it } from '@jest/globals';
import { refusalOf, refusalOfFault } from '../../../src/ca/ejbca/refusal.ts';
import { knownTexts } from '../../../src/ca/ejbca/refusals/index.ts';

const enrollment = '/v1/certificate/pkcs10enroll';
const registered = '/v1/certificate/certificaterequest';

/** As a REST answer with EJBCA's error JSON. */
function refused(status: number, message: string, path = enrollment) {
  return refusalOf({ status, message, page: '', path });
}

/** As a page of the application server. */
function page(status: number, text: string, path = enrollment) {
  return refusalOf({ status, message: undefined, page: `<html><body>${text}</body></html>`, path });
}

const style = `<style>${'body { color: red }\n'.repeat(1000)}</style>`;

describe('what an answer of EJBCA means', () => {
  it.each<[string, number, string, number]>([
    ['a CN too many', 400, 'Wrong number of COMMONNAME fields in Subject DN.', 400],
    ['no CN', 400, "Subject DN field 'COMMONNAME' must exist.", 400],
    ['a URI', 400, 'Wrong number of UNIFORMRESOURCEID fields in Subject Alternative Name.', 400],
    ['a key algorithm', 400, 'Illegal key algorithm, not authorized by certificate profile: RSA.', 400],
    ['a curve', 400, 'createcert.illegaleccurve, secp384r1', 400],
    [
      'a key algorithm of tomorrow',
      400,
      'java.security.NoSuchAlgorithmException: 2.16.840.1.101.3.4.3.17 KeyFactory not available',
      400,
    ],
    ['a multi-valued RDN', 400, 'Subject DN has multi value RDNs, which is not allowed.', 400],
    ['no proof of possession', 400, 'POPO verification failed.', 400],
    [
      'a CA that the profile does not offer',
      400,
      "Couldn't find CA (12) among End Entity Profiles Available CAs.",
      502,
    ],
    [
      'a profile that is not offered',
      400,
      "Couldn't find certificate profile (9) among available certificate profiles.",
      502,
    ],
    [
      'an end entity profile that is not there',
      400,
      'End Entity Profile of name "NoSuch" was not found',
      503,
    ],
    [
      'a CA of another certificate profile',
      403,
      "End Entity data contains a CA, 12, which the Certificate Profile, 9, isn't authorized to use.",
      502,
    ],
    [
      'approvals',
      400,
      'Single transaction enrollment request rejected since approvals are enabled for this CA (1) or Certificate Profile (2).',
      502,
    ],
    ['a CA that is off-line', 400, 'signsession.canotactive, CN=Offline CA,O=Gateway Test,C=SE', 503],
    [
      'a token that is off-line',
      400,
      "CA token is offline for CA 'CN=Device Root CA,O=Gateway Test,C=SE'.",
      503,
    ],
    ['a device that is off-line', 503, 'Device was unavailable.', 503],
    ['a database that is down', 500, 'General failure.', 503],
    ['a lost race', 400, 'User par-662ecb already exists.', 503],
  ])('%s: %d "%s" is %d for the device', (_what, status, message, expected) => {
    const { status: found, retryAfter, advice } = refused(status, message);
    expect(found).toBe(expected);
    expect(retryAfter === undefined).toBe(expected !== 503);
    expect(advice).not.toContain('{');
  });

  it.each([
    ['redeploy', page(404, '404 - Not Found')],
    ['redeploy, later', page(500, '500 - Internal Server Error')],
    ['shut-down', page(503, 'Service Unavailable')],
    ['a proxy without EJBCA', page(502, 'Bad Gateway')],
    ['a busy one', page(429, 'Too Many Requests')],
    ['an unknown failure', refused(500, 'Something new.')],
    ['an unknown fault', refusalOfFault({ exception: '', message: 'Something new.' })],
  ])('%s is an outage of EJBCA', (_what, refusal) => {
    expect(refusal).toMatchObject({ code: 'ca_unavailable', outage: 'ejbca', retryAfter: 10 });
  });

  it.each([
    ['an active one', refused(400, 'signsession.canotactive, CN=Offline CA')],
    [
      'a trace of the stack',
      page(500, `${style} ERROR Error processing request Stack Trace: at x`, registered),
    ],
    ['a key', refused(503, 'Device was unavailable.')],
  ])('an outage of one CA (%s) is none of EJBCA', (_what, refusal) => {
    expect(refusal).toMatchObject({ code: 'ca_unavailable', outage: 'ca', retryAfter: 60 });
    expect(refusal.text).not.toContain('color');
  });

  it.each([
    [
      'alreadyIssued',
      refused(
        400,
        'Got request with status GENERATED (40). Status NEW, FAILED or INPROCESS required: a.',
        registered,
      ),
    ],
    [
      'revoked',
      refused(
        400,
        'Got request with status REVOKED (50). Status NEW, FAILED or INPROCESS required: a.',
        registered,
      ),
    ],
    [
      'wrongStatus',
      refused(
        400,
        'Got request with status HISTORICAL (60). Status NEW, FAILED or INPROCESS required: a.',
        registered,
      ),
    ],
    ['wrongPassword', refused(400, 'Got request for user with invalid password: a.', registered)],
    ['unknownEndEntity', refused(400, 'Wrong username or password', registered)],
    [
      'conflict',
      refused(
        409,
        'Failed to generate certificate due to the new certificate conflicting with an existing one.',
        registered,
      ),
    ],
    ['lostRace', refused(500, 'General failure.', registered)],
    [
      'waitsForApproval',
      refusalOfFault({
        exception: 'WaitingForApprovalException',
        message: 'Add Entity request has been added for approval by authorized administrators.',
      }),
    ],
    [
      'waitsForApproval',
      refusalOfFault({ exception: 'WaitingForApprovalException', message: 'Other words.' }),
    ],
    [
      'approvalExists',
      refusalOfFault({
        exception: 'ApprovalException',
        message: 'Approval request with approvalID 17 already exists.',
      }),
    ],
  ])('has the outcome %s', (outcome, refusal) => {
    expect(refusal.outcome).toBe(outcome);
  });

  it('does not take a lost race for an outage', () => {
    expect(refused(500, 'General failure.', registered).outage).toBeUndefined();
  });

  it('never lets the device answer for a question of the gateway that EJBCA refuses', () => {
    const { code } = refused(
      400,
      "Invalid search criteria's property, unrecognized.",
      '/v2/certificate/search',
    );
    expect(code).toBe('ca_bad_answer');
  });

  it.each([
    [
      "Administrator 'CN=est-gateway' not authorized to CA Device RSA CA.",
      /^Allow the CA Device RSA CA .* Roles and Access Rules\.$/,
    ],
    [
      'Administrator is not authorized to resource /administrator. Msg: .',
      /^Allow \/administrator in the role of the gateway\. EJBCA: System Functions, Roles and Access Rules\.$/,
    ],
    [
      "Admin 'CN=est-gateway' is not authorized to create certificate from CA 962749574.",
      /^Allow \/ca_functionality\/create_certificate\//,
    ],
    [
      'Administrator is not authorized to end entity profile 17 that existing user x was created with. Admin: x., CN=est-gateway',
      /^Allow \/endentityprofilesrules\/NAME\//,
    ],
  ])('says what to allow: %s', (message, advice) => {
    expect(refused(403, message).advice).toMatch(advice);
  });

  it('means the same by a fault', () => {
    const fault = refusalOfFault({
      exception: 'UserDoesntFullfillEndEntityProfile',
      message:
        'org.ejbca.core.model.ra.raadmin.EndEntityProfileValidationException: Wrong number of ORGANIZATIONALUNIT fields in Subject DN.',
    });
    expect(fault.status).toBe(400);
    expect(
      refusalOfFault({ exception: 'EjbcaException', message: 'Web Services not enabled' }).advice,
    ).toMatch(/Enable "Web Service"/);
  });

  it('leaves a secret out of the log that EJBCA quotes', () => {
    const secret = 'hush-hush';
    const { text, cause } = refusalOf({
      status: 400,
      message: `No ${secret}!`,
      page: '',
      path: enrollment,
      secret,
    });
    expect(text).toBe('No ...!');
    expect(String(cause)).not.toContain(secret);
  });

  it('has every text once for a call, with words for people', () => {
    const texts = knownTexts.flatMap(({ texts: all, call = '' }) => all.map((text) => call + text));
    expect(new Set(texts).size).toBe(texts.length);
    for (const { sentence, advice } of knownTexts) {
      expect(sentence).toMatch(/^[A-Z][ -~]*\.$|^Invalid username/);
      expect(advice).toMatch(/\.$/);
    }
  });
});

import { pages, type KnownText } from './known-text.ts';

/** The client's part of a wrong user name, a wrong code and a wrong status alike, in EJBCA's own words. */
export const wrongEnrollmentCode = 'Invalid username, enrollment code, or end entity status';

const unauthenticated = { code: 'unauthenticated', sentence: wrongEnrollmentCode } as const;

const badRequest = 'bad_certification_request';

/** The device is at fault, or how it is registered. */
export const refusalsOfDevices: readonly KnownText[] = [
  {
    texts: ['Wrong username or password'],
    ...unauthenticated,
    outcome: 'unknownEndEntity',
    advice: 'Register the end entity under the name that the device gives; the case of letters counts.',
    page: pages.endEntities,
  },
  {
    texts: ['Got request for user with invalid password: {user}.'],
    ...unauthenticated,
    outcome: 'wrongPassword',
    advice: 'Set the status of the end entity to NEW with the enrolment code that the device has.',
    page: pages.endEntities,
  },
  {
    texts: ['Got request with status GENERATED (40). {required}'],
    ...unauthenticated,
    outcome: 'alreadyIssued',
    advice: 'Its certificate has been issued; for another one set the status of the end entity to NEW.',
    page: pages.endEntities,
  },
  {
    texts: ['Got request with status REVOKED (50). {required}'],
    ...unauthenticated,
    outcome: 'revoked',
    advice: 'The end entity is revoked; set its status to NEW if the device may enrol again.',
    page: pages.endEntities,
  },
  {
    texts: ['Got request with status {status}'],
    ...unauthenticated,
    outcome: 'wrongStatus',
    advice: 'Set the status of the end entity to NEW.',
    page: pages.endEntities,
  },
  {
    texts: [`Error: Wrong Token Type of user, must be 'USERGENERATED'{requests}`],
    code: 'rejected_by_ca',
    sentence: 'The end entity is registered for a key that the CA makes, not for a CSR.',
    advice: 'Set the token of the end entity to "User Generated".',
    page: pages.endEntities,
  },
  {
    texts: [
      'Invalid certificate request',
      'Failed to generate certificate due to malformed CSR.',
      'POPO verification failed.',
    ],
    code: badRequest,
    sentence: 'The CA cannot read the CSR.',
    advice: 'None: the device must send another CSR.',
  },
  {
    texts: [
      `User '{user}' is not allowed to use same key as {other}`,
      `User '{user}' is not allowed to use same subject DN as {other}`,
      'Failed to generate certificate due to the new certificate conflicting with an existing one.',
    ],
    code: badRequest,
    outcome: 'conflict',
    sentence:
      'The key or the subject of the CSR belongs to another user of the CA; make a new key, or ask its operator.',
    advice:
      'Choose a name generation that gives a device the same name each time, or leave "Enforce unique public keys" and "Enforce unique DN" of the CA.',
    page: pages.certificationAuthorities,
  },
  {
    texts: [
      'Illegal key algorithm, not authorized by certificate profile: {algorithm}.',
      'Illegal key length, not authorized by certificate profile: {length}.',
      'createcert.illegaleccurve, {curve}',
      'Illegal elliptic curve, {curve}',
      'An incorrect certificate key has been passed contain rather too large key or having any other issue.',
      'The key {key} is not permitted by the certificate profile.',
      'java.security.NoSuchAlgorithmException: {algorithm}',
    ],
    code: badRequest,
    sentence: 'The certificate profile of the CA does not allow a key of this kind.',
    advice:
      'Where devices may have such keys, add them to "Available Key Algorithms", "Available ECDSA curves" and "Available Bit Lengths" of the certificate profile.',
    page: pages.certificateProfiles,
  },
  {
    texts: [
      '{exception}Wrong number of {field} fields in Subject DN.',
      '{exception}Wrong number of {field} fields in Subject Alternative Name.',
      '{exception}Wrong number of {field} fields in Subject Directory Attributes.',
      `{exception}Subject DN field '{field}' must exist.`,
      `{exception}Subject Alternative Name field '{field}' must exist.`,
      `{exception}Subject Alternative name field '{field}' must exist.`,
      '{exception}Field {field} data didn{values} match requirement {requirement}',
      '{exception} does not match end entity profile{more}',
    ],
    exceptions: ['UserDoesntFullfillEndEntityProfile'],
    code: badRequest,
    sentence: 'The end entity profile of the CA does not allow this subject or subjectAltName.',
    advice:
      'Where devices may have such names, add every part of them to the end entity profile, as often as it may occur, and tick "Modifiable".',
    page: pages.endEntityProfiles,
  },
  {
    texts: ['Subject DN has multi value RDNs, which is not allowed.'],
    code: badRequest,
    sentence: 'The CA does not allow several attributes in one RDN of the subject; give each its own.',
    advice: 'Where devices need them, tick "Allow Multi Value RDNs" of the end entity profile.',
    page: pages.endEntityProfiles,
  },
  {
    texts: ['Username cannot be empty or null.'],
    exceptions: ['IllegalQueryException'],
    code: badRequest,
    sentence: 'The subject of the CSR gives no name under which the CA can register the device.',
    advice: 'Choose a name generation whose parameters every device has in its subject.',
  },
  {
    texts: [
      `Request with Id '{id}' has been rejected`,
      `Request with Id '{id}' has expired`,
      `Request with Id '{id}' could not be executed`,
    ],
    code: 'rejected_by_ca',
    sentence: 'The CA has not approved the request.',
    advice: 'None: an administrator has decided, or nobody did in time.',
    page: pages.approvals,
  },
  {
    texts: [`Enrollment with Id '{id}' has already been finalized`],
    code: 'rejected_by_ca',
    outcome: 'alreadyIssued',
    sentence: 'The CA has issued the certificate already, and does not give it again; enrol again.',
    advice: 'None: the device must enrol again.',
  },
  {
    texts: [`Could not find request with Id '{id}'`],
    code: 'rejected_by_ca',
    sentence: 'The CA does not know this request any more; enrol again.',
    advice: 'None: the device must enrol again.',
  },
];

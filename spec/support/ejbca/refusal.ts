/**
 * Every refusal of EJBCA with its status and exact text, as its sources have them. The section numbers are those of
 * EJBCA's REST facts as the project collected them: 1.1 pkcs10enroll, 1.2 the other endpoints, 1.3 authentication,
 * 1.4 exceptions, 1.5 approvals. "Inferred": the text is EJBCA's own, but that this call answers it was not seen.
 */

/** An answer other than success: `{"error_code": status, "error_message": text}` (1.4). */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

const refusal =
  <Words extends readonly (string | number)[]>(status: number, text: (...words: Words) => string) =>
  (...words: Words): Refusal =>
    new Refusal(status, text(...words));

export const refusals = {
  // 1.1 pkcs10enroll. Its resource answers 400 to whatever is refused with a status other than 403.
  invalidCertificateRequest: refusal(400, () => 'Invalid certificate request'),
  unknownCertificationAuthority: refusal(404, (name: string) => `CA with name "${name}" doesn't exist`),
  unknownCertificateProfile: refusal(
    404,
    (name: string) => `Certificate profile with name "${name}" doesn't exist`,
  ),
  approvalsEnabled: refusal(
    400,
    (ca: number, profile: number) =>
      `Single transaction enrollment request rejected since approvals are enabled for this CA (${ca}) or Certificate Profile (${profile}).`,
  ),
  wrongResponseFormat: refusal(400, () => 'Invalid input. Response format can only be DER or PKCS7'),
  // Inferred, from the checks of end entity profiles and of CAs.
  unknownEndEntityProfile: refusal(
    404,
    (name: string) => `End entity profile with name "${name}" doesn't exist`,
  ),
  wrongNumberOfSubjectFields: refusal(
    422,
    (field: string) => `Wrong number of ${field} fields in Subject DN.`,
  ),
  wrongNumberOfAlternativeNames: refusal(
    422,
    (field: string) => `Wrong number of ${field} fields in Subject Alternative Name.`,
  ),
  certificateProfileNotAllowed: refusal(
    422,
    (name: string) => `Couldn't find certificate profile '${name}' among available certificate profiles.`,
  ),
  certificationAuthorityNotAllowed: refusal(
    422,
    (name: string) => `Couldn't find CA (${name}) in End Entity Profiles available CAs.`,
  ),
  keyOfAnotherUser: refusal(
    400,
    (user: string) => `User '${user}' is not allowed to use same key as another user is using.`,
  ),
  subjectOfAnotherUser: refusal(
    400,
    (user: string, others: string) =>
      `User '${user}' is not allowed to use same subject DN as the user(s) '${others}' is/are using while being issued by the same CA.`,
  ),
  illegalKey: refusal(
    400,
    (found: string) => `The key (${found}) is not permitted by the certificate profile.`,
  ),

  // 1.2 certificaterequest
  wrongUsernameOrPassword: refusal(400, () => 'Wrong username or password'),
  invalidPassword: refusal(400, (user: string) => `Got request for user with invalid password: ${user}.`),
  wrongStatus: refusal(
    400,
    (status: string, code: number, user: string) =>
      `Got request with status ${status} (${code}). Status NEW, FAILED or INPROCESS required: ${user}.`,
  ),
  wrongTokenType: refusal(
    400,
    () => `Error: Wrong Token Type of user, must be 'USERGENERATED' for PKCS10/SPKAC/CRMF/CVC requests`,
  ),
  malformedCsr: refusal(400, () => 'Failed to generate certificate due to malformed CSR.'),
  conflict: refusal(
    409,
    () => 'Failed to generate certificate due to the new certificate conflicting with an existing one.',
  ),
  couldNotBeGenerated: refusal(400, () => 'Certificate could not be generated.'),

  // 1.2 enrollkeystore
  unknownEndEntity: refusal(404, (user: string) => `The end entity '${user}' does not exist`),
  unsupportedTokenType: refusal(400, () => 'Unsupported token type. Must be PKCS12 or JKS'),
  unsupportedTokenTypeNewer: refusal(
    400,
    () => `Unsupported token type. Must be one of 'PKCS12', 'BCFKS' or 'JKS'.`,
  ),
  unsupportedKeyAlgorithm: refusal(422, (name: string) => `Unsupported key algorithm '${name}'`),
  unsupportedKeyLength: refusal(422, (spec: string) => `Invalid key length ${spec}.`),

  // 1.2 finalize
  unknownRequest: refusal(400, (id: number) => `Could not find request with Id '${id}'`),
  rejectedRequest: refusal(400, (id: number) => `Request with Id '${id}' has been rejected`),
  expiredRequest: refusal(400, (id: number) => `Request with Id '${id}' has expired`),
  failedRequest: refusal(400, (id: number) => `Request with Id '${id}' could not be executed`),
  finalizedRequest: refusal(400, (id: number) => `Enrollment with Id '${id}' has already been finalized`),
  invalidResponseFormat: refusal(400, () => 'Invalid parameter: response_format'),

  noKeyStoreForCsr: refusal(
    400,
    () => 'Invalid response format. Cannot create keystore for certificate request  with user generated keys',
  ),
  noSuchKeyStore: refusal(400, () => `Invalid response format. Must be 'JKS', 'P12', 'BCFKS', or 'PEM'`),

  // 1.2 revocation
  invalidSerialNumber: refusal(
    400,
    () =>
      `Invalid serial number format. Should be HEX encoded (optionally with '0x' prefix) e.g. '0x10782a83eef170d4'`,
  ),
  unknownIssuer: refusal(404, (dn: string) => `CA '${dn}' does not exist.`),
  unknownCertificate: refusal(
    404,
    (serial: string, dn: string) =>
      `Certificate with serial number '${serial}' and issuer DN '${dn}' was not found`,
  ),
  invalidRevocationReason: refusal(400, () => 'Invalid revocation reason.'),
  dateInTheFuture: refusal(400, (date: string) => `Date in the future: '${date}'.`),
  alreadyRevoked: refusal(
    409,
    (serial: string, dn: string) =>
      `Certificate with issuer: ${dn} and serial number: ${serial} has previously been revoked. Revocation reason could not be changed or was not allowed.`,
  ),

  // 1.2 search
  emptyCriteria: refusal(400, () => 'Invalid criteria value, cannot be empty.'),
  unknownCriterion: refusal(400, (property: string) => `Invalid criteria property, unknown '${property}'.`),
  unknownCriterionOperation: refusal(
    400,
    (operation: string) => `Invalid criteria operation, unknown '${operation}'.`,
  ),

  unknownProfilePath: refusal(
    404,
    (name: string) => `Certificate profile with name '${name}' doesn't exist.`,
  ),

  // 1.2b
  unknownPath: refusal(404, (url: string) => `RESTEASY003210: Could not find resource for full path: ${url}`),

  // 1.3
  noCredentials: refusal(
    403,
    () => 'Error no client certificate or OAuth token received for authentication.',
  ),
  unknownAdministrator: refusal(
    403,
    (serial: string, issuer: string) =>
      `Authentication failed: No admin authenticated for certificate with serialNumber ${serial} and issuerDN '${issuer}'.`,
  ),
  notAuthorized: refusal(
    403,
    (resource: string) => `Administrator is not authorized to resource ${resource}. Msg: .`,
  ),
  notAuthorizedToCa: refusal(
    403,
    (administrator: string, ca: number) => `Administrator '${administrator}' not authorized to CA ${ca}.`,
  ),
  unknownToken: refusal(403, () => 'Authentication failed using OAuth Bearer Token'),
  expiredToken: refusal(403, () => 'Authentication failed using OAuth Bearer Token. JWT token has expired.'),

  // 1.4
  endEntityExists: refusal(400, (user: string) => `End entity '${user}' already exists.`),
  unknownStatus: refusal(400, (status: string) => `Invalid end entity status, unknown '${status}'.`),
  general: refusal(500, () => 'General failure.'),
  certificationAuthorityNotActive: refusal(503, (dn: string) => `Signing CA ${dn} is not active.`),
  deviceUnavailable: refusal(503, () => 'Device was unavailable.'),
} as const;

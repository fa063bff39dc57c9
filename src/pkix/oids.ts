/** Every object identifier that the gateway knows, by its name in the RFCs (or in its owner's documents). */
export const oids = {
  // Attribute types of names: RFC 5280, appendix A; RFC 4519; RFC 2985.
  commonName: '2.5.4.3',
  surname: '2.5.4.4',
  serialNumber: '2.5.4.5',
  countryName: '2.5.4.6',
  localityName: '2.5.4.7',
  stateOrProvinceName: '2.5.4.8',
  streetAddress: '2.5.4.9',
  organizationName: '2.5.4.10',
  organizationalUnitName: '2.5.4.11',
  title: '2.5.4.12',
  description: '2.5.4.13',
  businessCategory: '2.5.4.15',
  postalAddress: '2.5.4.16',
  postalCode: '2.5.4.17',
  telephoneNumber: '2.5.4.20',
  name: '2.5.4.41',
  givenName: '2.5.4.42',
  initials: '2.5.4.43',
  generationQualifier: '2.5.4.44',
  x500UniqueIdentifier: '2.5.4.45',
  dnQualifier: '2.5.4.46',
  pseudonym: '2.5.4.65',
  organizationIdentifier: '2.5.4.97',
  userId: '0.9.2342.19200300.100.1.1',
  domainComponent: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
  unstructuredName: '1.2.840.113549.1.9.2',
  unstructuredAddress: '1.2.840.113549.1.9.8',

  // Kinds of otherName: RFC 9598, section 3.
  smtpUtf8Mailbox: '1.3.6.1.5.5.7.8.9',

  // Certificate and CRL extensions: RFC 5280, section 4.2 and 5.2; RFC 7633; RFC 8399.
  subjectDirectoryAttributes: '2.5.29.9',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  privateKeyUsagePeriod: '2.5.29.16',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  cRLNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  deltaCRLIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  certificateIssuer: '2.5.29.29',
  nameConstraints: '2.5.29.30',
  cRLDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  freshestCRL: '2.5.29.46',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  subjectInfoAccess: '1.3.6.1.5.5.7.1.11',
  tlsFeature: '1.3.6.1.5.5.7.1.24',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  ocspNonce: '1.3.6.1.5.5.7.48.1.2',
  microsoftEnrollCertType: '1.3.6.1.4.1.311.20.2',
  microsoftCertificateTemplate: '1.3.6.1.4.1.311.21.7',
  microsoftApplicationPolicies: '1.3.6.1.4.1.311.21.10',
  microsoftSecurityIdentifier: '1.3.6.1.4.1.311.25.2',
  anyPolicy: '2.5.29.32.0',

  // Access methods: RFC 5280, section 4.2.2.
  ocsp: '1.3.6.1.5.5.7.48.1',
  caIssuers: '1.3.6.1.5.5.7.48.2',

  // OCSP: RFC 6960, appendix B.
  ocspBasic: '1.3.6.1.5.5.7.48.1.1',
  sha1: '1.3.14.3.2.26',

  // Extended key usages: RFC 5280, section 4.2.1.12; RFC 6402, section 2.10; others by their owners.
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  ipsecEndSystem: '1.3.6.1.5.5.7.3.5',
  ipsecTunnel: '1.3.6.1.5.5.7.3.6',
  ipsecUser: '1.3.6.1.5.5.7.3.7',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
  eapOverPPP: '1.3.6.1.5.5.7.3.13',
  eapOverLAN: '1.3.6.1.5.5.7.3.14',
  ipsecIKE: '1.3.6.1.5.5.7.3.17',
  secureShellClient: '1.3.6.1.5.5.7.3.21',
  secureShellServer: '1.3.6.1.5.5.7.3.22',
  cmcCA: '1.3.6.1.5.5.7.3.27',
  cmcRA: '1.3.6.1.5.5.7.3.28',
  cmcArchive: '1.3.6.1.5.5.7.3.29',
  smartcardLogon: '1.3.6.1.4.1.311.20.2.2',

  // Attributes of a CSR: RFC 2985, section 5.4; RFC 6402, section 2.8; RFC 7894, section 3; Microsoft.
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  microsoftExtensionRequest: '1.3.6.1.4.1.311.2.1.14',
  changeSubjectName: '1.3.6.1.5.5.7.7.36',
  privateKeyPossessionStatement: '1.3.6.1.4.1.22112.2.1',
  relatedCertRequest: '1.2.840.113549.1.9.16.2.60',
  deltaCertificateRequest: '2.16.840.1.114027.80.6.2',
  deltaCertificateRequestSignature: '2.16.840.1.114027.80.6.3',
  otpChallenge: '1.2.840.113549.1.9.16.2.56',
  revocationChallenge: '1.2.840.113549.1.9.16.2.57',
  estIdentityLinking: '1.2.840.113549.1.9.16.2.58',
  macAddress: '1.3.6.1.1.1.1.22',

  // Attributes of CsrAttrs: RFC 9908, section 3.4.
  certificationRequestInfoTemplate: '1.2.840.113549.1.9.16.2.61',
  extensionReqTemplate: '1.2.840.113549.1.9.16.2.62',

  // Attributes of a CSR that asks for a key: RFC 7030, section 4.4.1; RFC 4108, section 2.2.5; RFC 8551, section 2.5.2.
  decryptKeyIdentifier: '1.2.840.113549.1.9.16.2.37',
  asymmetricDecryptKeyIdentifier: '1.2.840.113549.1.9.16.2.54',
  smimeCapabilities: '1.2.840.113549.1.9.15',

  // Encryption of keys and contents: RFC 3565, RFC 4055, RFC 5753, RFC 5958.
  'aes128-CBC': '2.16.840.1.101.3.4.1.2',
  'aes192-CBC': '2.16.840.1.101.3.4.1.22',
  'aes256-CBC': '2.16.840.1.101.3.4.1.42',
  'aes128-wrap': '2.16.840.1.101.3.4.1.5',
  'aes192-wrap': '2.16.840.1.101.3.4.1.25',
  'aes256-wrap': '2.16.840.1.101.3.4.1.45',
  rsaesOaep: '1.2.840.113549.1.1.7',
  stdDhSha256Kdf: '1.3.132.1.11.1',
  stdDhSha384Kdf: '1.3.132.1.11.2',
  stdDhSha512Kdf: '1.3.132.1.11.3',
  asymmetricKeyPackage: '2.16.840.1.101.2.1.2.78.5',

  // Keys, curves: RFC 3279, RFC 4055, RFC 5480, RFC 8410, RFC 9881.
  rsaEncryption: '1.2.840.113549.1.1.1',
  ecPublicKey: '1.2.840.10045.2.1',
  secp256r1: '1.2.840.10045.3.1.7',
  secp384r1: '1.3.132.0.34',
  secp521r1: '1.3.132.0.35',
  Ed25519: '1.3.101.112',
  Ed448: '1.3.101.113',
  mlDsa44: '2.16.840.1.101.3.4.3.17',
  mlDsa65: '2.16.840.1.101.3.4.3.18',
  mlDsa87: '2.16.840.1.101.3.4.3.19',

  // Signature algorithms and what they need: RFC 4055, RFC 5758.
  sha256WithRSAEncryption: '1.2.840.113549.1.1.11',
  sha384WithRSAEncryption: '1.2.840.113549.1.1.12',
  sha512WithRSAEncryption: '1.2.840.113549.1.1.13',
  rsassaPss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  ecdsaWithSHA256: '1.2.840.10045.4.3.2',
  ecdsaWithSHA384: '1.2.840.10045.4.3.3',
  ecdsaWithSHA512: '1.2.840.10045.4.3.4',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',

  // CMS content types: RFC 5652.
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  authenticatedData: '1.2.840.113549.1.9.16.1.2',
  envelopedData: '1.2.840.113549.1.7.3',

  // Signed attributes: RFC 5652, section 11.
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',

  // CMC: RFC 5272, sections 3.2.1, 4.2 and 6.
  pkiData: '1.3.6.1.5.5.7.12.2',
  pkiResponse: '1.3.6.1.5.5.7.12.3',
  transactionId: '1.3.6.1.5.5.7.7.5',
  senderNonce: '1.3.6.1.5.5.7.7.6',
  recipientNonce: '1.3.6.1.5.5.7.7.7',
  statusInfoV2: '1.3.6.1.5.5.7.7.25',
} as const;

const nameByOid: ReadonlyMap<string, string> = new Map(
  Object.entries(oids).map(([name, oid]) => [oid, name]),
);

/** The name of an object identifier as RFCs write it, or its dotted string when we know none. */
export function nameOfOid(oid: string): string {
  return nameByOid.get(oid) ?? oid;
}

/** The object identifier of a name that is known here, or the dotted string itself. Throws an Error for another text. */
export function oidOf(name: string): string {
  const oid = Object.hasOwn(oids, name) ? oids[name as keyof typeof oids] : name;
  if (!/^[0-2](\.\d+)+$/.test(oid)) throw new Error(`There is no object identifier named ${name}.`);
  return oid;
}

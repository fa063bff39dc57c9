import { nameOfOid, oids } from './oids.ts';

/**
 * What no client gets, whatever the alias, its policy and its backend say: what lets its holder act or speak for others.
 * A purpose that says what the holder itself does (clientAuth, documentSigning, smartcardLogon, a router's of RFC 8209) is not
 * here; profiles and policies may grant it.
 */

/** Extended key usages, by names for messages. */
export const neverGrantedPurposes = {
  // RFC 5280, section 4.2.1.12: stands for every purpose below; what is signed as code, stamped or said of revocation is
  // believed by all.
  anyExtendedKeyUsage: oids.anyExtendedKeyUsage,
  codeSigning: oids.codeSigning,
  timeStamping: oids.timeStamping,
  OCSPSigning: oids.OCSPSigning,
  // RFC 3029, section 9: certifies data for others.
  dvcs: '1.3.6.1.5.5.7.3.10',
  // RFC 5055: says for others which certificates are valid; the responder is that of its drafts.
  scvpResponder: '1.3.6.1.5.5.7.3.12',
  scvpServer: '1.3.6.1.5.5.7.3.15',
  // RFC 6402, section 2.10: a CA, a registration authority, and who archives private keys.
  cmcCA: oids.cmcCA,
  cmcRA: oids.cmcRA,
  cmcArchive: oids.cmcArchive,
  // RFC 9480, section 2.2: makes keys for others.
  cmKGA: '1.3.6.1.5.5.7.3.32',
  // RFC 6494, section 7: speaks for other routers and owners of addresses.
  sendProxiedRouter: '1.3.6.1.5.5.7.3.24',
  sendProxiedOwner: '1.3.6.1.5.5.7.3.26',
  // RFC 9509, section 3: gives access to others.
  oauthAccessTokenSigning: '1.3.6.1.5.5.7.3.39',
  // RFC 9809, section 3: signs what other devices run, are set up by and trust.
  configSigning: '1.3.6.1.5.5.7.3.41',
  trustAnchorConfigSigning: '1.3.6.1.5.5.7.3.42',
  updatePackageSigning: '1.3.6.1.5.5.7.3.43',
  // RFC 4556, section 3.2.4: speaks for a whole realm.
  pkinitKdc: '1.3.6.1.5.2.3.5',
  // RFC 6962, section 3.1: signs precertificates for a CA.
  precertificateSigning: '1.3.6.1.4.1.11129.2.4.4',
  // ETSI TS 119 612, clause 5.7.1: signs lists of trusted CAs.
  trustListSigning: '0.4.0.2231.3.0',
  // ICAO Doc 9303, part 12: signs lists of the CAs of passports.
  masterListSigning: '2.23.136.1.1.3',
  // Microsoft, wincrypt.h, and [MS-CRTD]: enrols on behalf of others ("Certificate Request Agent").
  microsoftEnrollmentAgent: '1.3.6.1.4.1.311.20.2.1',
  // Microsoft, wincrypt.h: receives and recovers private keys of others, and files that others encrypted.
  microsoftCaExchange: '1.3.6.1.4.1.311.21.5',
  microsoftKeyRecoveryAgent: '1.3.6.1.4.1.311.21.6',
  microsoftKeyRecovery: '1.3.6.1.4.1.311.10.3.11',
  microsoftEfsRecovery: '1.3.6.1.4.1.311.10.3.4.1',
  // Microsoft, wincrypt.h: vouches for keys in TPMs of others.
  microsoftPrivacyCa: '1.3.6.1.4.1.311.21.36',
  // Microsoft, wincrypt.h: cross-certifies CAs.
  microsoftQualifiedSubordination: '1.3.6.1.4.1.311.10.3.10',
  // Microsoft, wincrypt.h: signs lists of CAs that are trusted, and of certificates that are not.
  microsoftTrustListSigning: '1.3.6.1.4.1.311.10.3.1',
  microsoftRootListSigner: '1.3.6.1.4.1.311.10.3.9',
  microsoftRevokedListSigner: '1.3.6.1.4.1.311.10.3.19',
  microsoftDisallowedList: '1.3.6.1.4.1.311.10.3.30',
  microsoftAutoEnrollmentTrustList: '1.3.6.1.4.1.311.20.1',
  // Microsoft, wincrypt.h: other names for anyExtendedKeyUsage and timeStamping.
  microsoftAnyApplicationPolicy: '1.3.6.1.4.1.311.10.12.1',
  microsoftTimeStampSigning: '1.3.6.1.4.1.311.10.3.2',
  // Microsoft, wintrust.h and wincrypt.h: other names for codeSigning, of programs, drivers and parts of Windows.
  microsoftIndividualCodeSigning: '1.3.6.1.4.1.311.2.1.21',
  microsoftCommercialCodeSigning: '1.3.6.1.4.1.311.2.1.22',
  microsoftDriverVerification: '1.3.6.1.4.1.311.10.3.5',
  microsoftSystemComponentVerification: '1.3.6.1.4.1.311.10.3.6',
  microsoftOemSystemComponentVerification: '1.3.6.1.4.1.311.10.3.7',
  microsoftEmbeddedSystemComponentVerification: '1.3.6.1.4.1.311.10.3.8',
  microsoftKernelModeCodeSigning: '1.3.6.1.4.1.311.61.1.1',
  microsoftEarlyLaunchDriver: '1.3.6.1.4.1.311.61.4.1',
} as const;

/** Extensions, by names for messages; whatever their values are. */
export const neverGrantedExtensions = {
  // RFC 5280, sections 4.2.1.5, 4.2.1.10, 4.2.1.11 and 4.2.1.14: a CA's.
  policyMappings: oids.policyMappings,
  nameConstraints: oids.nameConstraints,
  policyConstraints: oids.policyConstraints,
  inhibitAnyPolicy: oids.inhibitAnyPolicy,
  // RFC 6960, section 4.2.2.2.1, and RFC 9608, section 2: nobody looks whether the certificate is revoked.
  ocspNoCheck: oids.ocspNoCheck,
  noRevAvail: '2.5.29.56',
  // RFC 5280, sections 4.2.1.13, 4.2.1.15 and 4.2.2.1: who says whether it is revoked, which is the CA's choice.
  cRLDistributionPoints: oids.cRLDistributionPoints,
  freshestCRL: oids.freshestCRL,
  authorityInfoAccess: oids.authorityInfoAccess,
  // Netscape Certificate Extensions (1999), netscape-revocation-url and netscape-ca-revocation-url: so, too.
  netscapeRevocationUrl: '2.16.840.1.113730.1.3',
  netscapeCaRevocationUrl: '2.16.840.1.113730.1.4',
  // RFC 5280, section 4.2.2.2: where a CA has its repository, and a time stamping authority its service.
  subjectInfoAccess: oids.subjectInfoAccess,
  // RFC 3820, section 3.8: acts for who issued it.
  proxyCertInfo: '1.3.6.1.5.5.7.1.14',
  // RFC 9345, section 4.2: signs credentials by which others are the holder.
  delegationUsage: '1.3.6.1.4.1.44363.44',
  // RFC 3739, section 3.2.6: the CA's own statements, such as that the certificate is a qualified one.
  qcStatements: '1.3.6.1.5.5.7.1.3',
  // RFC 3779 and RFC 8360: addresses and AS numbers that are the holder's.
  ipAddrBlocks: '1.3.6.1.5.5.7.1.7',
  autonomousSysIds: '1.3.6.1.5.5.7.1.8',
  ipAddrBlocksV2: '1.3.6.1.5.5.7.1.28',
  autonomousSysIdsV2: '1.3.6.1.5.5.7.1.29',
  // RFC 8226, section 9: telephone numbers for which the holder speaks.
  tnAuthList: '1.3.6.1.5.5.7.1.26',
  // RFC 6010 and RFC 5913: what others may sign, and read, under the holder.
  cmsContentConstraints: '1.3.6.1.5.5.7.1.18',
  clearanceConstraints: '1.3.6.1.5.5.7.1.21',
  // RFC 6962, sections 3.1 and 3.3: a CA's and a log's.
  precertificatePoison: '1.3.6.1.4.1.11129.2.4.3',
  signedCertificateTimestamps: '1.3.6.1.4.1.11129.2.4.2',
  // RFC 9763, section 4, and draft-bonnell-lamps-chameleon-certs: another certificate, which nobody has checked.
  relatedCertificate: '1.3.6.1.5.5.7.1.36',
  deltaCertificateDescriptor: '2.16.840.1.114027.80.6.1',
  // [MS-WCCE], section 2.2.2.7.7: the templates of a Microsoft CA, which say what it issues.
  microsoftEnrollCertType: oids.microsoftEnrollCertType,
  microsoftCertificateTemplate: oids.microsoftCertificateTemplate,
  // [MS-WCCE], section 2.2.2.7.7, and Microsoft, wincrypt.h: extended key usages by another door, past every rule about them.
  microsoftApplicationPolicies: oids.microsoftApplicationPolicies,
  microsoftApplicationPolicyMappings: '1.3.6.1.4.1.311.21.11',
  microsoftApplicationPolicyConstraints: '1.3.6.1.4.1.311.21.12',
  // [MS-WCCE], section 2.2.2.7.7, and Microsoft KB5014754: the account of Active Directory that the holder is.
  microsoftSecurityIdentifier: oids.microsoftSecurityIdentifier,
  // Microsoft, wincrypt.h: a CA's own version, the certificate before, and where its cross certificates are.
  microsoftCaVersion: '1.3.6.1.4.1.311.21.1',
  microsoftPreviousCaCertificateHash: '1.3.6.1.4.1.311.21.2',
  microsoftCrossCaVersion: '1.3.6.1.4.1.311.21.22',
  microsoftCrossCertificateDistributionPoints: '1.3.6.1.4.1.311.10.9.1',
  microsoftRequireCertificateChainPolicy: '1.3.6.1.4.1.311.21.15',
} as const;

/**
 * Those of them that say what the CA itself decides or vouches for, and gives the holder no power over others: a CA may put
 * them into certificates of its own accord, though no CSR may ask for them.
 */
export const extensionsOfCasOwnAccord = {
  // Where and how it is said whether the certificate is revoked, and where the CA has its repository.
  cRLDistributionPoints: neverGrantedExtensions.cRLDistributionPoints,
  freshestCRL: neverGrantedExtensions.freshestCRL,
  authorityInfoAccess: neverGrantedExtensions.authorityInfoAccess,
  subjectInfoAccess: neverGrantedExtensions.subjectInfoAccess,
  noRevAvail: neverGrantedExtensions.noRevAvail,
  netscapeRevocationUrl: neverGrantedExtensions.netscapeRevocationUrl,
  netscapeCaRevocationUrl: neverGrantedExtensions.netscapeCaRevocationUrl,
  // What the CA states, logs, or has looked up: qualified certificates, resources and numbers of the holder, another certificate.
  qcStatements: neverGrantedExtensions.qcStatements,
  signedCertificateTimestamps: neverGrantedExtensions.signedCertificateTimestamps,
  ipAddrBlocks: neverGrantedExtensions.ipAddrBlocks,
  autonomousSysIds: neverGrantedExtensions.autonomousSysIds,
  ipAddrBlocksV2: neverGrantedExtensions.ipAddrBlocksV2,
  autonomousSysIdsV2: neverGrantedExtensions.autonomousSysIdsV2,
  tnAuthList: neverGrantedExtensions.tnAuthList,
  relatedCertificate: neverGrantedExtensions.relatedCertificate,
  // By which template a Microsoft CA has issued, and its own way to write extended key usages.
  microsoftEnrollCertType: neverGrantedExtensions.microsoftEnrollCertType,
  microsoftCertificateTemplate: neverGrantedExtensions.microsoftCertificateTemplate,
  microsoftApplicationPolicies: neverGrantedExtensions.microsoftApplicationPolicies,
} as const;

/** Attributes of a CSR, by names for messages; whatever their values are. */
export const neverGrantedAttributes = {
  // [MS-WCCE], section 2.2.2.7: template, subjectAltName and requester for a Microsoft CA, past what is checked here.
  microsoftEnrollmentNameValuePair: '1.3.6.1.4.1.311.13.2.1',
  // RFC 5272, section 6.5.1, and Microsoft, wincrypt.h: extensions and attributes beside those of extensionRequest.
  cmcAddExtensions: '1.3.6.1.5.5.7.7.8',
  microsoftCmcAddAttributes: '1.3.6.1.4.1.311.10.10.1',
  // VeriSign's extensionReq, as early SCEP clients sent it.
  verisignExtensionRequest: '2.16.840.1.113733.1.9.8',
} as const;

/** Microsoft KB5014754: the same as the extension microsoftSecurityIdentifier, as a uniformResourceIdentifier. */
export const neverGrantedUri = /^tag:microsoft\.com,[^:]*:sid:/i;

/** Types of otherName. Microsoft, wincrypt.h: a domain controller's GUID, and again the account that the holder is. */
export const neverGrantedOtherNames = {
  microsoftDomainControllerGuid: '1.3.6.1.4.1.311.25.1',
  microsoftObjectSid: '1.3.6.1.4.1.311.25.2.1',
} as const;

/** Bits of netscapeCertType for a CA or a signer of code (Netscape Certificate Extensions, 1999, netscape-cert-type). */
export const netscapeCertType = { oid: '2.16.840.1.113730.1.1', neverGrantedBits: 0b0001_1111 } as const;

const nameByOid: ReadonlyMap<string, string> = new Map(
  [neverGrantedPurposes, neverGrantedExtensions, neverGrantedAttributes].flatMap((list) =>
    Object.entries(list).map(([name, oid]) => [oid, name] as const),
  ),
);

/** The name, for messages, of an object identifier of these lists; of another one, as `nameOfOid`. */
export function neverGrantedName(oid: string): string {
  return nameByOid.get(oid) ?? nameOfOid(oid);
}

/** Whether a list holds an object identifier. */
export function holds(list: Readonly<Record<string, string>>, oid: string): boolean {
  return Object.values(list).includes(oid);
}

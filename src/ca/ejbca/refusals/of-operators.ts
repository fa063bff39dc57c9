import { pages, type KnownText } from './known-text.ts';

const code = 'ca_bad_answer';

/** The configuration of EJBCA or of the gateway is at fault. */
export const refusalsOfOperators: readonly KnownText[] = [
  {
    texts: [
      'Single transaction enrollment request rejected since approvals are enabled for this CA ({ca}) or Certificate Profile ({profile}).',
    ],
    code,
    sentence:
      'The CA wants every request approved by a person, which it cannot do for this way of enrolment.',
    advice:
      'Switch approvals off for adding and editing end entities in the CA and the certificate profile that the text names.',
    page: pages.certificationAuthorities,
  },
  {
    texts: [
      '{kind} request has been added for approval by authorized administrators.',
      'The request is waiting for approval.',
    ],
    exceptions: ['WaitingForApprovalException'],
    code,
    outcome: 'waitsForApproval',
    sentence: 'The CA wants the registration of the end entity approved by a person.',
    advice: 'Approve the request, or switch approvals off for adding and editing end entities in the CA.',
    page: pages.approvals,
  },
  {
    texts: ['Approval request with approvalID {id} already exists.'],
    exceptions: ['ApprovalException'],
    code,
    outcome: 'approvalExists',
    sentence: 'The registration of the end entity waits already for approval by a person.',
    advice: 'Approve the request, or switch approvals off for adding and editing end entities in the CA.',
    page: pages.approvals,
  },
  {
    texts: [
      `CA with name "{name}" doesn't exist`,
      'No CA found by name of {name}',
      'Error CA {name} does not exist.',
      `CA '{name}' does not exist.`,
      `CA with ID {id} doesn't exist`,
      'Invalid search criteria content, unknown CA.',
    ],
    code,
    sentence: 'EJBCA has no CA of the name that the alias gives.',
    advice: 'Give ejbca.certificateAuthority as EJBCA names it.',
    page: pages.certificationAuthorities,
  },
  {
    texts: [
      `Couldn't find CA ({ca}) among End Entity Profiles Available CAs.`,
      `Couldn't find CA ({ca}) in End Entity Profiles available CAs.`,
    ],
    code,
    sentence: 'The end entity profile does not offer the CA.',
    advice: 'Add the CA to "Available CAs" of the end entity profile that ejbca.endEntityProfile names.',
    page: pages.endEntityProfiles,
  },
  {
    // Without its database EJBCA says so of profiles that it has.
    texts: [
      `Certificate profile with name "{name}" doesn't exist`,
      `Certificate profile with name '{name}' doesn't exist.`,
      'Error Certificate profile {name} does not exist.',
      'Invalid search criteria, unknown certificate profile.',
      'Invalid search criteria content, unknown certificate profile.',
    ],
    code: 'ca_unavailable',
    sentence: 'EJBCA has no certificate profile of the name that the alias gives, or cannot read it now.',
    advice:
      'Give ejbca.certificateProfile as EJBCA names it; where it has this profile, its database does not answer.',
    page: pages.certificateProfiles,
  },
  {
    texts: [
      `Couldn't find certificate profile ({profile}) among available certificate profiles.`,
      `Couldn't find certificate profile '{profile}' among available certificate profiles.`,
    ],
    code,
    sentence: 'The end entity profile does not offer the certificate profile.',
    advice:
      'Add the certificate profile to "Available Certificate Profiles" of the end entity profile that ejbca.endEntityProfile names.',
    page: pages.endEntityProfiles,
  },
  {
    texts: [
      `End Entity data contains a CA, {ca}, which the Certificate Profile, {profile}, isn't authorized to use.`,
    ],
    code,
    sentence: 'The certificate profile does not allow the CA.',
    advice: 'Add the CA to "Available CAs" of the certificate profile that ejbca.certificateProfile names.',
    page: pages.certificateProfiles,
  },
  {
    // Without its database EJBCA says so of profiles that it has.
    texts: [
      'End Entity Profile of name "{name}" was not found',
      `End entity profile with name "{name}" doesn't exist`,
      'Error End Entity profile {name} does not exist.',
      'Invalid search criteria content, unknown end entity profile.',
    ],
    code: 'ca_unavailable',
    sentence: 'EJBCA has no end entity profile of the name that the alias gives, or cannot read it now.',
    advice:
      'Give ejbca.endEntityProfile as EJBCA names it; where it has this profile, its database does not answer.',
    page: pages.endEntityProfiles,
  },
  {
    texts: ['Error Token Type {token} does not exist.'],
    code,
    sentence: 'The end entity profile does not offer the token of the end entity.',
    advice: 'Add "User Generated" to "Available Tokens" of the end entity profile.',
    page: pages.endEntityProfiles,
  },
  {
    texts: [
      '{said}not authorized to resource {rule}. Msg: {reason}',
      '{said}Only the user with the "{rule}" privilege is allowed to perform this operation.',
    ],
    code,
    sentence: "The gateway's role in EJBCA lacks an access rule.",
    advice: 'Allow {rule} in the role of the gateway.',
    page: pages.roles,
  },
  {
    texts: [`{administrator} is not authorized to create certificate from CA {ca}.`],
    code,
    sentence: "The gateway's role in EJBCA lacks an access rule.",
    advice: 'Allow /ca_functionality/create_certificate/ and the CA in the role of the gateway.',
    page: pages.roles,
  },
  {
    texts: [
      'Administrator not authorized to CA {ca} that existing user {user}',
      'Administrator is not authorized to CA {ca} that existing user {user}',
      `Administrator '{administrator}' not authorized to CA {ca}.`,
    ],
    code,
    sentence: "The gateway's role in EJBCA has no access to the CA.",
    advice: 'Allow the CA {ca} (/ca/NAME/ with its name) in the role of the gateway.',
    page: pages.roles,
  },
  {
    texts: [
      'Administrator is not authorized to end entity profile {profile} that existing user {user}',
      'Administrator not authorized to end entity profile {profile}. Admin: {administrator}.',
    ],
    code,
    sentence: "The gateway's role in EJBCA has no access to the end entity profile.",
    advice:
      'Allow /endentityprofilesrules/NAME/ with the name of the end entity profile, and /ra_functionality/view_end_entity/, create_end_entity/ and edit_end_entity/, in the role of the gateway.',
    page: pages.roles,
  },
  {
    texts: ['Error no client certificate or OAuth token received for authentication.'],
    code,
    sentence: 'No credentials of the gateway reached EJBCA.',
    advice:
      'Let EJBCA ask for TLS client certificates; a proxy in front of it must hand the certificate or the Authorization header on.',
  },
  {
    texts: ['{said}No admin authenticated for certificate {certificate}'],
    code,
    sentence: "EJBCA does not know the gateway's certificate.",
    advice: "Make the gateway's certificate a member of a role; it must not be revoked or expired.",
    page: pages.roles,
  },
  {
    texts: ['Authentication failed using OAuth Bearer Token{reason}'],
    code,
    sentence: "EJBCA refuses the gateway's token.",
    advice:
      'Configure the identity provider as a trusted OAuth provider, and give the gateway a token that is in force.',
    page: pages.oauthProviders,
  },
  {
    texts: ['Web Services not enabled'],
    code,
    sentence: 'A protocol that the gateway needs is switched off in EJBCA.',
    advice: 'Enable "Web Service".',
    page: pages.protocols,
  },
  {
    texts: ['RESTEASY003210: {more}'],
    code,
    sentence: 'This EJBCA lacks a REST resource that the gateway needs.',
    advice: 'Upgrade EJBCA: its version does not have this resource.',
  },
];

import { isOutage } from '../../errors.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import type { EjbcaCalls } from './calls.ts';
import { EjbcaRefusal } from './refusal.ts';
import { pages } from './refusals/known-text.ts';
import type { NameAndId, WebService } from './web-service.ts';

/** Whom to ask. */
export interface ExaminationParts {
  readonly calls: EjbcaCalls;
  readonly webService: WebService;
  readonly settings: EjbcaAliasSettings;
}

/**
 * Asks EJBCA whether it is set up for an alias; nothing is changed. Resolves with what keeps requests from being served, a
 * sentence each, with the page of EJBCA where it is set. Rejects while EJBCA is down.
 */
export async function examine(parts: ExaminationParts, signal: AbortSignal): Promise<readonly string[]> {
  const findings = await Promise.all([
    found(objectionsToRole(parts, signal)),
    found(objectionToCertificateProfile(parts, signal)),
    found(objectionsToEndEntityProfile(parts, signal)),
  ]);
  return [...new Set(findings.flat())];
}

/** A refusal is itself a finding. */
async function found(examination: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await examination;
  } catch (error) {
    if (isOutage(error) || !(error instanceof EjbcaRefusal)) throw error;
    return [`${error.message} ${error.advice}`];
  }
}

/** As docs/ejbca.md has them. EJBCA knows those of a CA and of an end entity profile by numbers; lists show whether they are there. */
function rulesFor({ operationMode }: EjbcaAliasSettings): readonly string[] {
  return [
    '/administrator/',
    '/ca_functionality/create_certificate/',
    '/ra_functionality/view_end_entity/',
    '/ra_functionality/edit_end_entity/',
    ...(operationMode === 'ra' ? ['/ra_functionality/create_end_entity/'] : []),
  ];
}

async function objectionsToRole(
  { webService, settings }: ExaminationParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const missing = await webService.missingRules(rulesFor(settings), signal);
  return missing.map((rule) => `Allow ${rule} in the role of the gateway. EJBCA: ${pages.roles}.`);
}

async function objectionToCertificateProfile(
  { calls, settings: { operationMode, certificateProfile, certificateAuthority } }: ExaminationParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (operationMode === 'client') return [];
  const cas = await calls.casOfCertificateProfile(certificateProfile, signal).catch((error: unknown) => {
    // Where the REST API V2 is off, `health` says so.
    if (isOutage(error)) throw error;
    return 'any' as const;
  });
  if (cas === undefined) {
    return [`EJBCA has no certificate profile ${certificateProfile}. EJBCA: ${pages.certificateProfiles}.`];
  }
  if (cas !== 'any' && !cas.includes(certificateAuthority)) {
    return [
      `The certificate profile ${certificateProfile} does not allow the CA ${certificateAuthority}; add it to "Available CAs". EJBCA: ${pages.certificateProfiles}.`,
    ];
  }
  if (cas === 'any' || !(await calls.hidesCertificatesOf(certificateProfile, signal))) return [];
  return [
    `The certificate profile ${certificateProfile} lists a CA that the role may not use, which makes searches find nothing. EJBCA: ${pages.certificateProfiles}, "Available CAs"; ${pages.roles}.`,
  ];
}

async function objectionsToEndEntityProfile(
  parts: ExaminationParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { webService, settings } = parts;
  const { endEntityProfile } = settings;
  const profiles = await webService.authorizedEndEntityProfiles(signal);
  if (settings.operationMode === 'client') return await objectionsToAll(parts, profiles, signal);
  const profile = profiles.find(({ name }) => name === endEntityProfile);
  if (profile !== undefined) return await objectionsToKnownProfile(parts, profile, signal);
  return [
    `There is no end entity profile ${endEntityProfile} that the gateway's role may use, or it lists a CA that the role may not use, which makes searches find nothing. EJBCA: ${pages.endEntityProfiles}, "Available CAs"; ${pages.roles}.`,
  ];
}

/** In client mode end entities have the profiles with which they were registered, one of those that the role may use. */
async function objectionsToAll(
  { webService, settings: { certificateAuthority } }: ExaminationParts,
  profiles: readonly NameAndId[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  for (const profile of profiles) {
    if ((await webService.casOf(profile, signal)).includes(certificateAuthority)) return [];
  }
  return [
    `No end entity profile that the gateway's role may use offers the CA ${certificateAuthority}, so that no registered end entity gets a certificate. EJBCA: ${pages.endEntityProfiles}, "Available CAs"; ${pages.roles}.`,
  ];
}

async function objectionsToKnownProfile(
  { webService, settings: { certificateAuthority, certificateProfile, endEntityProfile } }: ExaminationParts,
  profile: NameAndId,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [cas, certificateProfiles] = await Promise.all([
    webService.casOf(profile, signal),
    webService.certificateProfilesOf(profile, signal),
  ]);
  const missing = (kind: string, name: string, field: string): string =>
    `The end entity profile ${endEntityProfile} does not offer the ${kind} ${name}; add it to "${field}". EJBCA: ${pages.endEntityProfiles}.`;
  return [
    ...(cas.includes(certificateAuthority) ? [] : [missing('CA', certificateAuthority, 'Available CAs')]),
    ...(certificateProfiles.includes(certificateProfile)
      ? []
      : [missing('certificate profile', certificateProfile, 'Available Certificate Profiles')]),
  ];
}

/** What no call tells a registration authority, so that an operator has to see to it. */
export const unseenByRegistrationAuthorities: readonly string[] = [
  `EJBCA does not let the gateway see with which profiles end entities are registered for client and vendor mode; each must be one that the gateway's role may use, with all its CAs (EJBCA: ${pages.endEntities}; ${pages.roles}).`,
  `EJBCA does not let the gateway see whether "Finish User" is on in the CA before it has issued (leave it on; EJBCA: ${pages.certificationAuthorities}).`,
  `EJBCA does not let the gateway see whether an end entity profile makes passwords (leave "Auto-generated" off; EJBCA: ${pages.endEntityProfiles}).`,
  `EJBCA does not let the gateway see whether approvals are on for adding and editing end entities (EJBCA: ${pages.certificationAuthorities} and ${pages.certificateProfiles}).`,
];

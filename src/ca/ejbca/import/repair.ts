import type { EjbcaAliasSettings } from '../alias-settings.ts';
import { keptInUsernames, type ImportedSettings } from './readers.ts';
import { fieldOf } from './values.ts';

/** Settings that a gateway starts with, and what was changed for that. */
export interface Repaired {
  readonly settings: ImportedSettings;
  /** Sentences. */
  readonly hints: readonly string[];
}

/** A change; undefined: the settings need none. */
type Repair = (settings: ImportedSettings) => Repaired | undefined;

/**
 * EJBCA keeps what it does not use, and serves what is not safe. Each of the changes makes the settings of an alias mean what
 * EJBCA makes of them, or less: nobody can enrol by them who could not before.
 */
export function repair(settings: ImportedSettings): Repaired {
  const repairs = [withCa, ...(settings.operationMode === 'client' ? clientRepairs : raRepairs)];
  let repaired: Repaired = { settings, hints: [] };
  for (const change of repairs) {
    const changed = change(repaired.settings);
    if (changed !== undefined) {
      repaired = { settings: changed.settings, hints: [...repaired.hints, ...changed.hints] };
    }
  }
  return repaired;
}

const withCa: Repair = (settings) =>
  settings.certificateAuthority === undefined
    ? {
        settings: { ...settings, certificateAuthority: 'the name of the CA' },
        hints: ['certificateAuthority: EJBCA has none for this alias; put in the name of the CA.'],
      }
    : undefined;

const raRepairs: readonly Repair[] = [
  (settings) =>
    without(settings, ['authenticationModule', ...vendorSettings], 'EJBCA uses it in client mode alone'),
  (settings) => without(settings, clientComponents, undefined),
  withKnownName,
  (settings) =>
    settings.requireClientCertificate === false && settings.requireUsernameAndPassword !== true
      ? {
          settings: { ...settings, requireClientCertificate: true },
          hints: [
            'requireClientCertificate: EJBCA lets everybody enrol by this alias; here nobody enrols without authentication, so that a client certificate is asked for until you say otherwise.',
          ],
        }
      : undefined,
  (settings) =>
    settings.requireClientCertificate === true
      ? {
          settings,
          hints: [
            "EJBCA asks the role of a client certificate; here every certificate of the alias's CA may enrol: say in policy which names it may ask for (names: identity).",
          ],
        }
      : undefined,
];

const clientRepairs: readonly Repair[] = [
  (settings) => without(settings, ['requireClientCertificate', 'nameGeneration'], undefined),
  (settings) => without(settings, ['requireUsernameAndPassword'], 'EJBCA uses it in RA mode alone'),
  (settings) =>
    settings.authenticationModule === undefined
      ? undefined
      : without(settings, vendorSettings, 'EJBCA uses it without an authentication module alone'),
  (settings) =>
    settings.vendorCertificateMode === true && settings.vendorCas === undefined
      ? without(settings, vendorSettings, 'there are no vendor CAs')
      : undefined,
  (settings) =>
    settings.vendorCertificateMode === true
      ? undefined
      : without(settings, vendorSettings, 'EJBCA uses it in vendor mode alone'),
  (settings) => {
    const { authenticationModule, extractDnPartPasswordComponent = 'DN' } = settings;
    if (authenticationModule !== 'DnPartPwd' || extractDnPartPasswordComponent !== 'DN') return undefined;
    return without(
      settings,
      ['authenticationModule'],
      'DnPartPwd needs extractDnPartPasswordComponent, the part of the DN that holds the enrolment code',
    );
  },
  (settings) =>
    settings.authenticationModule === undefined && settings.vendorCertificateMode !== true
      ? {
          settings: { ...settings, authenticationModule: 'ChallengePwd' },
          hints: [
            'authenticationModule: EJBCA has none for this alias, and lets nobody enrol; ChallengePwd stands in its place.',
          ],
        }
      : undefined,
  (settings) =>
    settings.authenticationModule === 'DnPartPwd'
      ? undefined
      : without(settings, ['extractDnPartPasswordComponent'], undefined),
];

const vendorSettings = ['vendorCertificateMode', 'vendorCas', 'allowChangeSubjectName'] as const;
const clientComponents = ['extractUsernameComponent', 'extractDnPartPasswordComponent'] as const;

/** Leaves settings out; says so where there is a reason, and not where EJBCA has a value for every alias. */
function without(
  settings: ImportedSettings,
  left: readonly (keyof EjbcaAliasSettings)[],
  reason: string | undefined,
): Repaired | undefined {
  const found = left.filter((setting) => settings[setting] !== undefined);
  if (found.length === 0) return undefined;
  const kept = Object.entries(settings).filter(([setting]) => !found.some((each) => each === setting));
  return {
    settings: Object.fromEntries(kept),
    hints: reason === undefined ? [] : found.map((setting) => `${setting}: left out, since ${reason}.`),
  };
}

/** The parts of the DN by their names here, and a fixed name that EJBCA would keep. */
function withKnownName(settings: ImportedSettings): Repaired | undefined {
  const { nameGeneration } = settings;
  if (nameGeneration?.parameters === undefined) return undefined;
  const { scheme = 'DN', parameters, ...others } = nameGeneration;
  switch (scheme) {
    case 'RANDOM':
    case 'USERNAME':
      return { settings: { ...settings, nameGeneration: { scheme, ...others } }, hints: [] };
    case 'FIXED':
      return parameters === ''
        ? {
            settings: { ...settings, nameGeneration: { ...nameGeneration, parameters: 'device' } },
            hints: ['nameGeneration.parameters: EJBCA has no name for FIXED; "device" stands in its place.'],
          }
        : {
            settings: {
              ...settings,
              nameGeneration: { ...nameGeneration, parameters: keptInUsernames(parameters) },
            },
            hints: [],
          };
    case 'DN':
      return withKnownFields(settings, nameGeneration, parameters);
  }
}

function withKnownFields(
  settings: ImportedSettings,
  { parameters: _parameters, ...others }: NonNullable<ImportedSettings['nameGeneration']>,
  parameters: string,
): Repaired {
  const written = parameters.split(';').filter((part) => part !== '');
  const fields = written.flatMap((part) => fieldOf(part) ?? []);
  const unknown = written.filter((part) => fieldOf(part) === undefined);
  const isUsable = fields.length > 0 || written.length === 0;
  return {
    settings: {
      ...settings,
      nameGeneration: { ...others, ...(isUsable && { parameters: fields.join(';') }) },
    },
    hints: unknown.map(
      (part) =>
        `nameGeneration.parameters: ${JSON.stringify(part)} is no part of a DN that is known here; it is left out${isUsable ? '' : ', and CN stands in its place'}.`,
    ),
  };
}

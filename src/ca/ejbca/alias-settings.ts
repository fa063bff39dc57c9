import type { SchemaObject } from 'ajv';
import { isKeptInUsernames } from './changed-names.ts';
import { distinguishedNameFields, type DistinguishedNameField } from './distinguished-name-fields.ts';

/** How the name of an end entity is made in RA mode. */
interface NameGeneration {
  readonly scheme: 'DN' | 'RANDOM' | 'FIXED' | 'USERNAME';
  /** DN: parts of the subject joined by `;`, of which the first that is there counts; empty: all of it. FIXED: the name. */
  readonly parameters: string;
  readonly prefix: string;
  readonly postfix: string;
}

/** A part of the subject, or all of it (`DN`). */
type ExtractedComponent = 'DN' | DistinguishedNameField;

/** Where the enrolment code of a registered end entity is, which EJBCA checks. */
type AuthenticationModule = 'ChallengePwd' | 'DnPartPwd' | 'HttpBasicAuth';

/** What an alias says about EJBCA: the settings of an EST alias of EJBCA Enterprise, by their names and defaults. */
export interface EjbcaAliasSettings {
  readonly operationMode: 'ra' | 'client';
  readonly certificateAuthority: string;
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
  readonly requireClientCertificate: boolean;
  readonly requireUsernameAndPassword: boolean;
  readonly allowUpdateWithSameKey: boolean;
  readonly nameGeneration: NameGeneration;
  readonly extractUsernameComponent: ExtractedComponent;
  readonly extractDnPartPasswordComponent: ExtractedComponent;
  readonly authenticationModule?: AuthenticationModule;
  readonly vendorCertificateMode: boolean;
  /** Names of CAs in EJBCA. */
  readonly vendorCas: readonly string[];
  readonly allowChangeSubjectName: boolean;
  readonly serverKeyGeneration: boolean;
}

const components = ['DN', ...Object.keys(distinguishedNameFields).filter((field) => field !== 'DN')];

const text = (title: string, description: string, more: object = {}): SchemaObject => ({
  type: 'string',
  title,
  description,
  ...more,
});

const flag = (title: string, description: string, byDefault = false): SchemaObject => ({
  type: 'boolean',
  default: byDefault,
  title,
  description,
});

/** JSON Schema of the key `ejbca` of an alias. */
export const ejbcaAliasSchema: SchemaObject = {
  type: 'object',
  title: 'EJBCA',
  description: 'The settings of an EST alias of EJBCA, for an alias whose backend has the driver ejbca.',
  properties: {
    operationMode: {
      enum: ['ra', 'client'],
      default: 'ra',
      title: 'EST operational mode',
      description:
        'ra: the end entity is made, or changed, when the request comes in. client: it was registered before, with an enrolment code that EJBCA checks.',
    },
    certificateAuthority: text(
      'CA name',
      'Which CA of EJBCA issues, and answers cacerts. In client mode it must be that of the registered end entities.',
      { minLength: 1 },
    ),
    certificateProfile: text('Certificate profile', 'Its name in EJBCA, for RA mode and for renewals.', {
      minLength: 1,
      default: 'ENDUSER',
      not: { const: 'ProfileDefault' },
    }),
    endEntityProfile: text('End entity profile', 'Its name in EJBCA, for RA mode and for renewals.', {
      minLength: 1,
      default: 'EMPTY',
    }),
    requireClientCertificate: flag(
      'Require client certificate',
      'RA mode: a TLS client certificate is needed to enrol. Renewals always need one.',
      true,
    ),
    requireUsernameAndPassword: flag(
      'Client username and password',
      'RA mode: a user of the alias and its code (HTTP Basic) are needed to enrol, never for a renewal.',
    ),
    allowUpdateWithSameKey: flag(
      'Certificate renewal with same keys',
      'false: simplereenroll wants a new key each time.',
      true,
    ),
    nameGeneration: {
      type: 'object',
      title: 'RA name generation',
      description: 'RA mode: the name of the end entity is prefix, name and postfix.',
      default: {},
      properties: {
        scheme: {
          enum: ['DN', 'RANDOM', 'FIXED', 'USERNAME'],
          default: 'DN',
          title: 'RA name generation scheme',
          description:
            'DN: a part of the subject. RANDOM: 12 letters and digits. FIXED: the parameters. USERNAME: the whole subject.',
        },
        parameters: text(
          'RA name generation parameters',
          'DN: parts of the subject joined by ";", of which the first that is there is taken; empty: the whole subject. FIXED: the name itself.',
          { default: 'CN' },
        ),
        prefix: text('RA name generation prefix', '${RANDOM} stands for 12 letters and digits.', {
          default: '',
        }),
        postfix: text('RA name generation postfix', '${RANDOM} stands for 12 letters and digits.', {
          default: '',
        }),
      },
      additionalProperties: false,
    },
    extractUsernameComponent: {
      enum: components,
      default: 'DN',
      title: 'Extract username component',
      description:
        "Client mode: the part of the subject that names the end entity; in vendor mode of the vendor certificate's subject. DN: all of it.",
    },
    extractDnPartPasswordComponent: {
      enum: components,
      default: 'DN',
      title: 'Extract DN part password component',
      description: 'Client mode: the part of the subject that holds the enrolment code, for DnPartPwd.',
    },
    authenticationModule: {
      enum: ['ChallengePwd', 'DnPartPwd', 'HttpBasicAuth'],
      title: 'Authentication module',
      description:
        'Client mode: where the enrolment code is: the challengePassword of the CSR, a part of its subject, or HTTP Basic.',
    },
    vendorCertificateMode: flag(
      'Vendor certificate mode',
      'Client mode: a vendor certificate takes the place of the enrolment code.',
    ),
    vendorCas: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      uniqueItems: true,
      default: [],
      title: 'Vendor CAs',
      description: 'Vendor mode: names of the CAs in EJBCA whose certificates are vendor certificates.',
    },
    allowChangeSubjectName: flag(
      'Allow ChangeSubjectName',
      'Vendor mode: the attribute ChangeSubjectName may hold the names of the end entity.',
    ),
    serverKeyGeneration: flag(
      'Server side key generation',
      'true: switches serverkeygen on, with a P-256 key unless serverKeyGeneration of the alias says otherwise.',
    ),
  },
  required: ['certificateAuthority'],
  additionalProperties: false,
};

/** What is contradictory or impossible in the settings, each as a sentence; empty when they are fine. */
export function contradictionsIn(settings: EjbcaAliasSettings): readonly string[] {
  const found = settings.operationMode === 'ra' ? raContradictions(settings) : clientContradictions(settings);
  return found.filter((sentence) => sentence !== undefined);
}

type Finding = string | undefined;

function raContradictions(settings: EjbcaAliasSettings): readonly Finding[] {
  const { nameGeneration, requireClientCertificate, requireUsernameAndPassword } = settings;
  const unknown = unknownField(nameGeneration);
  return [
    when(
      !requireClientCertificate && !requireUsernameAndPassword,
      'In RA mode set requireClientCertificate or requireUsernameAndPassword: nobody enrols without authentication.',
    ),
    when(
      settings.authenticationModule !== undefined,
      'authenticationModule is for operationMode client; in RA mode set requireUsernameAndPassword.',
    ),
    when(settings.vendorCertificateMode, 'vendorCertificateMode is for operationMode client.'),
    ...vendorContradictions(settings),
    when(
      unknown !== undefined,
      `nameGeneration.parameters names ${unknown}, which is no part of a DN that EJBCA knows.`,
    ),
    ...unkeptParts(nameGeneration).map(
      (part) =>
        `nameGeneration.${part} holds a character that EJBCA replaces in user names: one of % ? ; ! $ ~ \` \\ < >.`,
    ),
    when(
      nameGeneration.scheme === 'FIXED' && nameGeneration.parameters === '',
      'nameGeneration.parameters must hold the name of the end entity for the scheme FIXED.',
    ),
  ];
}

function clientContradictions(settings: EjbcaAliasSettings): readonly Finding[] {
  const { authenticationModule, vendorCertificateMode, extractDnPartPasswordComponent } = settings;
  return [
    when(
      authenticationModule === undefined && !vendorCertificateMode,
      'In client mode set authenticationModule or vendorCertificateMode: nobody enrols without authentication.',
    ),
    when(
      authenticationModule !== undefined && vendorCertificateMode,
      'vendorCertificateMode and authenticationModule exclude each other.',
    ),
    when(
      authenticationModule === 'DnPartPwd' && extractDnPartPasswordComponent === 'DN',
      'DnPartPwd needs extractDnPartPasswordComponent: the part of the DN that holds the enrolment code.',
    ),
    when(
      settings.requireUsernameAndPassword,
      'requireUsernameAndPassword is for operationMode ra; in client mode set authenticationModule: HttpBasicAuth.',
    ),
    ...vendorContradictions(settings),
  ];
}

function vendorContradictions(settings: EjbcaAliasSettings): readonly Finding[] {
  const { vendorCertificateMode, vendorCas, allowChangeSubjectName } = settings;
  return [
    when(
      vendorCertificateMode && vendorCas.length === 0,
      'vendorCertificateMode needs vendorCas: nobody is a vendor otherwise.',
    ),
    when(!vendorCertificateMode && vendorCas.length > 0, 'vendorCas is for vendorCertificateMode.'),
    when(
      !vendorCertificateMode && allowChangeSubjectName,
      'allowChangeSubjectName is for vendorCertificateMode; for renewals set policy.changeSubjectName.',
    ),
  ];
}

function unknownField({ scheme, parameters }: NameGeneration): string | undefined {
  if (scheme !== 'DN' || parameters === '') return undefined;
  return parameters.split(';').find((field) => !Object.hasOwn(distinguishedNameFields, field));
}

/** `${RANDOM}` is no part of the name. */
function unkeptParts({ scheme, parameters, prefix, postfix }: NameGeneration): readonly string[] {
  const texts = { prefix, postfix, ...(scheme === 'FIXED' && { parameters }) };
  return Object.entries(texts)
    .filter(([, text]) => !isKeptInUsernames(text.replaceAll('${RANDOM}', '')))
    .map(([part]) => part);
}

function when(isSo: boolean, sentence: string): Finding {
  return isSo ? sentence : undefined;
}

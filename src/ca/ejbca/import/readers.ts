/** The fields of an EST alias of EJBCA, each with what it is here. */
import type { EjbcaAliasSettings } from '../alias-settings.ts';
import { isKeptInUsernames } from '../changed-names.ts';
import { fieldOf, isId, isTrue, listOf, normalized, textOf } from './values.ts';

/** What an alias of EJBCA says in our words; the rest has EJBCA's own defaults. */
export type ImportedSettings = Partial<
  Omit<EjbcaAliasSettings, 'nameGeneration'> & {
    nameGeneration: Partial<EjbcaAliasSettings['nameGeneration']>;
  }
>;

/** What one field says. */
interface Read {
  readonly settings?: ImportedSettings;
  readonly nameGeneration?: ImportedSettings['nameGeneration'];
  /** Sentences about what a person has to do. */
  readonly hints?: readonly string[];
}

/** A field. */
export interface Reader {
  /** As configdump, the pages of EJBCA and its own storage write it, normalized; of several the first with a value counts. */
  readonly keys: readonly string[];
  /** `alias` is the name in paths. */
  readonly read: (value: unknown, alias: string) => Read;
}

const nothing: Read = {};

/** The fields, in the order of EJBCA's page; an empty value says nothing. */
export const readers: readonly Reader[] = [
  {
    keys: ['estoperationalmode', 'operationalmode', 'operationmode'],
    read: (value) => ({ settings: { operationMode: /client/i.test(String(value)) ? 'client' : 'ra' } }),
  },
  named(
    ['defaultca', 'caname', 'racaname', 'defaultcaname', 'defaultcaid'],
    'certificateAuthority',
    'the CA',
  ),
  named(
    ['certificateprofile', 'certprofile', 'racertificateprofile', 'certificateprofileid'],
    'certificateProfile',
    'the certificate profile',
  ),
  named(
    ['endentityprofile', 'eeprofile', 'raendentityprofile', 'endentityprofileid'],
    'endEntityProfile',
    'the end entity profile',
  ),
  {
    keys: ['requireclientcertificate', 'requirecert', 'requireclientcert', 'clientcertificaterequired'],
    read: (value) => ({ settings: { requireClientCertificate: isTrue(value) } }),
  },
  {
    keys: ['clientusername', 'requsername', 'requireusername', 'username'],
    read: (value, alias) => ({
      settings: { requireUsernameAndPassword: true },
      hints: [
        `Add the user: est-gateway user add ${quoted(textOf(value) ?? '')} --alias ${quoted(alias)} --code-stdin`,
      ],
    }),
  },
  // The code comes by --code-stdin: a dump has it encrypted, or leaves it out.
  { keys: ['clientpassword', 'reqpassword', 'requirepassword', 'password'], read: () => nothing },
  {
    keys: [
      'certificaterenewalwithsamekeys',
      'allowupdatewithsamekey',
      'allowcertificaterenewalwithsamekeys',
      'allowkurwithsamekey',
      'kurallowsamekey',
      'allowsamekey',
    ],
    read: (value) => ({ settings: { allowUpdateWithSameKey: isTrue(value) } }),
  },
  {
    keys: ['ranamegenerationscheme', 'ranamegenscheme'],
    read: (value) => {
      const scheme = (['DN', 'RANDOM', 'FIXED', 'USERNAME'] as const).find(
        (known) => known === textOf(value)?.toUpperCase(),
      );
      return scheme === undefined
        ? { hints: ['nameGeneration.scheme: expected DN, RANDOM, FIXED or USERNAME; put in the right one.'] }
        : { nameGeneration: { scheme } };
    },
  },
  {
    keys: [
      'ranamegenerationdnfields',
      'ranamegenerationparameters',
      'ranamegenerationparams',
      'ranamegenparams',
    ],
    read: (value) => ({ nameGeneration: { parameters: listOf(value).join(';') } }),
  },
  {
    keys: ['ranamegenerationprefix', 'ranamegenprefix'],
    read: (value) => ({ nameGeneration: { prefix: keptInUsernames(textOf(value) ?? '') } }),
  },
  {
    keys: ['ranamegenerationpostfix', 'ranamegenpostfix'],
    read: (value) => ({ nameGeneration: { postfix: keptInUsernames(textOf(value) ?? '') } }),
  },
  component(
    [
      'extractusernamecomponent',
      'clientextractusernamecomponent',
      'extusernamecomponent',
      'usernamecomponent',
    ],
    'extractUsernameComponent',
  ),
  component(
    [
      'extractdnpartpwdcomponent',
      'extractdnpartpasswordcomponent',
      'extractdnpwdcomponent',
      'extdnpartpwdcomponent',
    ],
    'extractDnPartPasswordComponent',
  ),
  {
    keys: ['authenticationmodule', 'estauthenticationmodule', 'clientauthenticationmodule', 'authmodule'],
    read: (value) => {
      const wanted = normalized(textOf(value) ?? '');
      if (wanted === 'none') return nothing;
      const module = (['ChallengePwd', 'DnPartPwd', 'HttpBasicAuth'] as const).find(
        (known) => known.toLowerCase() === wanted,
      );
      return module === undefined
        ? {
            hints: [
              'authenticationModule: expected ChallengePwd, DnPartPwd or HttpBasicAuth; put in the right one.',
            ],
          }
        : { settings: { authenticationModule: module } };
    },
  },
  flag(['vendorcertificatemode', 'vendormode', 'usevendorcertificatemode'], 'vendorCertificateMode'),
  {
    keys: ['vendorcas', 'listofvendorcas', 'vendorcanames', 'vendorcalist', 'vendorca', 'vendorcaids'],
    read: (value) => {
      const vendorCas = listOf(value);
      if (vendorCas.length === 0) return nothing;
      return {
        settings: { vendorCas },
        ...(vendorCas.some(isId) && { hints: ['vendorCas: EJBCA gave ids; put in the names of the CAs.'] }),
      };
    },
  },
  flag(['allowchangesubjectname'], 'allowChangeSubjectName'),
  flag(
    [
      'enableserversidekeygeneration',
      'serversidekeygeneration',
      'serversidekeygenerationenabled',
      'enableserverkeygeneration',
      'serverkeygeneration',
      'serverkeygenerationenabled',
      'severkeygenenabled',
      'serverkeygenenabled',
    ],
    'serverKeyGeneration',
  ),
  told(
    ['supportproxyca', 'usesproxyca'],
    'The CA, or a vendor CA, is a proxy CA in EJBCA: see whether it issues to what the REST API asks for.',
  ),
  told(
    ['raverifyproofofpossession', 'allowverifypopo', 'allowraverifypopo'],
    'EJBCA may leave the proof of possession to the RA; here every CSR must be signed with its own key.',
  ),
];

/** Fields that say nothing about an alias. */
export const ignoredKeys: readonly string[] = [
  'objecttype',
  'version',
  'ejbcaversion',
  'configdumpversion',
  'id',
];

/** EJBCA's own profiles, which it knows by a number alone. */
const fixedProfiles = {
  certificateAuthority: new Map<string, string>(),
  certificateProfile: new Map([
    ['1', 'ENDUSER'],
    ['2', 'SUBCA'],
    ['3', 'ROOTCA'],
    ['4', 'OCSPSIGNER'],
    ['5', 'SSH'],
    ['6', 'ITS'],
    ['9', 'SERVER'],
  ]),
  endEntityProfile: new Map([['1', 'EMPTY']]),
};

function named(keys: readonly string[], setting: keyof typeof fixedProfiles, what: string): Reader {
  return {
    keys,
    read: (value) => {
      const given = textOf(value) ?? '';
      const text = fixedProfiles[setting].get(given) ?? given;
      if (setting === 'certificateProfile' && /^(0|profile ?default)$/i.test(text)) {
        return {
          hints: [
            'certificateProfile: put in the default profile of the end entity profile; here it must be named.',
          ],
        };
      }
      return {
        settings: { [setting]: text },
        ...(isId(text) && { hints: [`${setting}: EJBCA gave the id ${text}; put in the name of ${what}.`] }),
      };
    },
  };
}

/** `DN` is all of the subject here, so that the dnQualifier cannot be meant. */
function component(
  keys: readonly string[],
  setting: 'extractUsernameComponent' | 'extractDnPartPasswordComponent',
): Reader {
  return {
    keys,
    read: (value) => {
      const text = textOf(value) ?? '';
      const field = /^DN$/i.test(text) ? 'DN' : fieldOf(text);
      return field === undefined || (field === 'DN' && !/^DN$/i.test(text))
        ? {
            hints: [`${setting}: ${quoted(text)} is no part of a DN that is known here; put in another one.`],
          }
        : { settings: { [setting]: field } };
    },
  };
}

function flag(
  keys: readonly string[],
  setting: 'vendorCertificateMode' | 'allowChangeSubjectName' | 'serverKeyGeneration',
): Reader {
  return { keys, read: (value) => (isTrue(value) ? { settings: { [setting]: true } } : nothing) };
}

function told(keys: readonly string[], hint: string): Reader {
  return { keys, read: (value) => (isTrue(value) ? { hints: [hint] } : nothing) };
}

/** With the characters in place of which EJBCA, too, puts a slash into the names of its end entities. */
export function keptInUsernames(text: string): string {
  return text
    .split('${RANDOM}')
    .map((part) => Array.from(part, (character) => (isKeptInUsernames(character) ? character : '/')).join(''))
    .join('${RANDOM}');
}

function quoted(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

import { Ajv } from 'ajv';
import { segmentOf } from '../../ops/path-segment.ts';
import { contradictionsIn, ejbcaAliasSchema, type EjbcaAliasSettings } from './alias-settings.ts';

/** An EST alias of EJBCA in our words, and what a person has to do about it. */
export interface ImportedAlias {
  /** As it stands in paths. */
  readonly name: string;
  /** Only what the configuration of EJBCA says; the rest has EJBCA's own defaults. */
  readonly settings: ImportedSettings;
  /** Sentences. */
  readonly hints: readonly string[];
}

type ImportedSettings = Partial<
  Omit<EjbcaAliasSettings, 'nameGeneration'> & {
    nameGeneration: Partial<EjbcaAliasSettings['nameGeneration']>;
  }
>;

/** One object of a configdump, as YAML has it. */
export type DumpedObject = Readonly<Record<string, unknown>>;

/** Whether it is an EST alias: configdump says so, or it has the keys of EJBCA's own storage. */
export function isEstConfiguration(dumped: DumpedObject): boolean {
  const type = dumped['Object Type'] ?? dumped['Object type'];
  return typeof type === 'string' && /^EST (Configuration|Alias)$/i.test(type.trim());
}

/** Turns one EST alias of EJBCA's configdump into ours. */
export function importAlias(dumped: DumpedObject): ImportedAlias {
  const fields = new Map(Object.entries(dumped).map(([key, value]) => [normalized(key), value]));
  const take = (key: string): unknown => {
    const value = fields.get(key);
    fields.delete(key);
    return value;
  };
  for (const key of ['objecttype', 'version', 'ejbcaversion', 'supportproxyca']) fields.delete(key);
  const name = segmentOf(textOf(take('name')) ?? textOf(take('alias')) ?? '');
  const results = readers.map(({ keys, read }) => {
    const [value] = keys.map(take).filter((found) => found !== undefined && found !== null);
    return value === undefined ? {} : read(value, name);
  });
  const settings = Object.assign({}, ...results.map((result) => result.settings ?? {})) as ImportedSettings;
  const nameGeneration = Object.assign({}, ...results.map((result) => result.nameGeneration ?? {})) as object;
  const imported = { ...settings, ...(Object.keys(nameGeneration).length > 0 && { nameGeneration }) };
  return {
    name,
    settings: imported,
    hints: [
      ...problemsIn(imported),
      ...results.flatMap(({ hint }) => (hint === undefined ? [] : [hint])),
      ...[...fields].map(([key]) => `"${keyOf(dumped, key)}" is not known here; see whether it matters.`),
    ],
  };
}

const isComplete = new Ajv({ useDefaults: true, allErrors: true }).compile<EjbcaAliasSettings>(
  ejbcaAliasSchema,
);

/** What keeps the gateway from starting with these settings. */
function problemsIn(settings: ImportedSettings): readonly string[] {
  const completed: unknown = structuredClone(settings);
  if (isComplete(completed)) return contradictionsIn(completed);
  return (isComplete.errors ?? []).map(
    ({ instancePath, message = '' }) =>
      `${instancePath.slice(1).replaceAll('/', '.') || 'ejbca'}: ${message}.`,
  );
}

interface Read {
  readonly settings?: ImportedSettings;
  readonly nameGeneration?: ImportedSettings['nameGeneration'];
  readonly hint?: string;
}

interface Reader {
  /** As configdump, the pages of EJBCA and its own storage write them, normalized. */
  readonly keys: readonly string[];
  readonly read: (value: unknown, alias: string) => Read;
}

const readers: readonly Reader[] = [
  {
    keys: ['estoperationalmode', 'operationalmode', 'operationmode'],
    read: (value) => ({ settings: { operationMode: /client/i.test(String(value)) ? 'client' : 'ra' } }),
  },
  named(['defaultca', 'caname', 'racaname'], 'certificateAuthority', 'the CA'),
  named(
    ['certificateprofile', 'certprofile', 'racertificateprofile'],
    'certificateProfile',
    'the certificate profile',
  ),
  named(
    ['endentityprofile', 'eeprofile', 'raendentityprofile'],
    'endEntityProfile',
    'the end entity profile',
  ),
  {
    keys: ['requireclientcertificate', 'requirecert'],
    read: (value) => ({
      settings: { requireClientCertificate: isTrue(value) },
      ...(isTrue(value) && {
        hint: "EJBCA asks the role of a client certificate; here every certificate of the alias's CA may enrol: say in policy which names it may ask for (names: identity).",
      }),
    }),
  },
  {
    keys: ['clientusername', 'requsername'],
    read: (value, alias) =>
      textOf(value) === undefined
        ? {}
        : {
            settings: { requireUsernameAndPassword: true },
            hint: `Add the user: est-gateway user add ${quoted(textOf(value) ?? '')} --alias ${quoted(alias)} --code-stdin`,
          },
  },
  // The code comes by --code-stdin: a dump has it encrypted, or leaves it out.
  { keys: ['clientpassword', 'reqpassword'], read: () => ({}) },
  {
    keys: ['certificaterenewalwithsamekeys', 'allowupdatewithsamekey'],
    read: (value) => ({ settings: { allowUpdateWithSameKey: isTrue(value) } }),
  },
  {
    keys: ['ranamegenerationscheme'],
    read: (value) => {
      const scheme = (['DN', 'RANDOM', 'FIXED', 'USERNAME'] as const).find(
        (known) => known === String(value),
      );
      return scheme === undefined
        ? { hint: 'nameGeneration.scheme: expected DN, RANDOM, FIXED or USERNAME; put in the right one.' }
        : { nameGeneration: { scheme } };
    },
  },
  {
    keys: ['ranamegenerationdnfields', 'ranamegenerationparameters'],
    read: (value) => ({ nameGeneration: { parameters: listOf(value).join(';') } }),
  },
  {
    keys: ['ranamegenerationprefix'],
    read: (value) => ({ nameGeneration: { prefix: textOf(value) ?? '' } }),
  },
  {
    keys: ['ranamegenerationpostfix'],
    read: (value) => ({ nameGeneration: { postfix: textOf(value) ?? '' } }),
  },
  component(['extractusernamecomponent', 'clientextractusernamecomponent'], 'extractUsernameComponent'),
  component(
    ['extractdnpartpwdcomponent', 'extractdnpartpasswordcomponent'],
    'extractDnPartPasswordComponent',
  ),
  {
    keys: ['authenticationmodule', 'estauthenticationmodule'],
    read: (value) => {
      const wanted = normalized(textOf(value) ?? '');
      if (wanted === '' || wanted === 'none') return {};
      const module = (['ChallengePwd', 'DnPartPwd', 'HttpBasicAuth'] as const).find(
        (known) => known.toLowerCase() === wanted,
      );
      return module === undefined
        ? {
            hint: 'authenticationModule: expected ChallengePwd, DnPartPwd or HttpBasicAuth; put in the right one.',
          }
        : { settings: { authenticationModule: module } };
    },
  },
  {
    keys: ['vendorcertificatemode'],
    read: (value) => (isTrue(value) ? { settings: { vendorCertificateMode: true } } : {}),
  },
  {
    keys: ['vendorcas', 'listofvendorcas', 'vendorcaids', 'vendorca'],
    read: (value) => {
      const vendorCas = listOf(value);
      if (vendorCas.length === 0) return {};
      return {
        settings: { vendorCas },
        ...(vendorCas.some(isId) && { hint: 'vendorCas: EJBCA gave ids; put in the names of the CAs.' }),
      };
    },
  },
  {
    keys: ['allowchangesubjectname'],
    read: (value) => (isTrue(value) ? { settings: { allowChangeSubjectName: true } } : {}),
  },
  {
    keys: [
      'enableserversidekeygeneration',
      'serversidekeygeneration',
      'severkeygenenabled',
      'serverkeygenenabled',
    ],
    read: (value) => (isTrue(value) ? { settings: { serverKeyGeneration: true } } : {}),
  },
];

function named(
  keys: readonly string[],
  setting: 'certificateAuthority' | 'certificateProfile' | 'endEntityProfile',
  what: string,
): Reader {
  return {
    keys,
    read: (value) => {
      const text = textOf(value);
      if (text === undefined) return {};
      if (setting === 'certificateProfile' && /^ProfileDefault$/i.test(text)) {
        return {
          hint: 'certificateProfile: put in the default profile of the end entity profile; here it must be named.',
        };
      }
      return {
        settings: { [setting]: text },
        ...(isId(text) && { hint: `${setting}: EJBCA gave the id ${text}; put in the name of ${what}.` }),
      };
    },
  };
}

function component(
  keys: readonly string[],
  setting: 'extractUsernameComponent' | 'extractDnPartPasswordComponent',
): Reader {
  return {
    keys,
    read: (value) => {
      const text = textOf(value);
      return text === undefined ? {} : { settings: { [setting]: text } };
    },
  };
}

/** Letters and digits in lower case: dumps, pages and storage differ in the rest. */
function normalized(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function keyOf(dumped: DumpedObject, key: string): string {
  return Object.keys(dumped).find((written) => normalized(written) === key) ?? key;
}

/** Undefined for what is empty or no text. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
  return text === '' ? undefined : text;
}

function listOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : (textOf(value) ?? '').split(';');
  return values.flatMap((one) => textOf(one) ?? []);
}

function isTrue(value: unknown): boolean {
  return (
    value === true || /^(true|yes|allow|allowed|enabled|require|required|1)$/i.test(String(value).trim())
  );
}

/** EJBCA's ids are hashes of names. */
function isId(text: string): boolean {
  return /^-?\d{1,11}$/.test(text);
}

function quoted(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

import type { SchemaObject } from 'ajv';
import { wholeNumber } from '../../../ops/service-options.ts';

/** Stands in `search.filter` and `userDn` for the name of the user. */
export const placeholder = '${username}';

/** How the gateway finds the entry of a user. */
export interface LdapSearchOptions {
  readonly base: string;
  /** RFC 4515, with the placeholder. */
  readonly filter: string;
  readonly bindDn: string;
  /** Secret reference. */
  readonly bindPassword: string;
}

/** Where it is written who is in a group. */
type MembershipAttribute = 'memberOf' | 'member' | 'uniqueMember' | 'memberUid';

/** The options, as the schema below completes them; times in seconds. */
export interface LdapOptions {
  readonly urls: readonly string[];
  readonly startTls: boolean;
  /** Path of a PEM file. */
  readonly trustAnchor?: string;
  /** Either this or `userDn`. */
  readonly search?: LdapSearchOptions;
  /** RFC 4514, with the placeholder. */
  readonly userDn?: string;
  readonly nameAttribute: string;
  readonly groups?: {
    /** Distinguished names. */
    readonly anyOf: readonly string[];
    readonly by: MembershipAttribute;
  };
  /** Values by attribute type. */
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly timeouts: { readonly connect: number; readonly answer: number };
  readonly limits: { readonly concurrency: number; readonly queue: number };
}

const text = (title: string, description: string, more: object = {}): SchemaObject => ({
  type: 'string',
  minLength: 1,
  title,
  description,
  ...more,
});

const attributeType = '^[A-Za-z][A-Za-z0-9-]*$';

/** JSON Schema of the options. */
export const ldapOptionsSchema: SchemaObject = {
  type: 'object',
  title: 'LDAP directory',
  description:
    'Users of an LDAP directory, who prove their codes by a bind (RFC 4513, section 5.1.3). Give either search or userDn.',
  properties: {
    urls: {
      type: 'array',
      items: text('URL', 'ldaps://HOST or ldap://HOST, with a port where it is another one.', {
        pattern: '^ldaps?://[^/?#@\\s]+/?$',
      }),
      minItems: 1,
      title: 'URLs',
      description:
        'Servers of the directory; the first that can be reached is asked. ldap:// needs startTls, or an address of this machine.',
    },
    startTls: {
      type: 'boolean',
      default: false,
      title: 'StartTLS',
      description:
        'true: connections to ldap:// go over to TLS before anything else is sent (RFC 4511, section 4.14).',
    },
    trustAnchor: {
      type: 'string',
      format: 'file',
      title: 'Trust anchor',
      description:
        "PEM file: the CAs that the servers' TLS certificates may come from. Required where there is TLS.",
    },
    search: {
      type: 'object',
      title: 'Search',
      description: 'The gateway binds as a user of its own, and searches the entry of the user.',
      properties: {
        base: text('Base', 'Distinguished name of the entry below which users are.'),
        filter: text(
          'Filter',
          'Which entry is that of the user (RFC 4515); ${username} stands for the name, with all its special characters escaped.',
          { pattern: '=[^()]*\\$\\{username\\}', default: '(uid=${username})' },
        ),
        bindDn: text(
          'Bind DN',
          "Distinguished name of the gateway's own user, which needs to read and search.",
        ),
        bindPassword: {
          type: 'string',
          format: 'secret',
          title: 'Bind password',
          description: 'Its password. file:PATH or env:NAME.',
        },
      },
      required: ['base', 'bindDn', 'bindPassword'],
      additionalProperties: false,
    },
    userDn: text(
      'User DN',
      'The distinguished name of every user, such as uid=${username},ou=devices,dc=example,dc=org; ${username} stands for the name, escaped. Nothing is searched: the gateway binds as the user and reads the entry and the groups with its rights.',
      { pattern: '=[^,+]*\\$\\{username\\}' },
    ),
    nameAttribute: text(
      'Name attribute',
      'The attribute with the name of the user. It must be written as the client writes it, in upper and lower case, so that nobody has several names; sAMAccountName or userPrincipalName in Active Directory.',
      { pattern: attributeType, default: 'uid' },
    ),
    groups: {
      type: 'object',
      title: 'Groups',
      description: 'Who may enrol: the members of groups alone. Left out: every user.',
      properties: {
        anyOf: {
          type: 'array',
          items: text('Group', 'Distinguished name.'),
          minItems: 1,
          title: 'Any of',
          description: 'The user must be in one of them.',
        },
        by: {
          enum: ['memberOf', 'member', 'uniqueMember', 'memberUid'] satisfies readonly MembershipAttribute[],
          default: 'memberOf',
          title: 'By',
          description:
            "Where it is written: memberOf in the user's entry, or in the group's entry member or uniqueMember (the user's distinguished name) or memberUid (its name).",
        },
      },
      required: ['anyOf'],
      additionalProperties: false,
    },
    attributes: {
      type: 'object',
      propertyNames: { pattern: attributeType },
      additionalProperties: {
        type: 'array',
        items: text('Value', 'Compared by the matching rule of the attribute.'),
        minItems: 1,
      },
      default: {},
      title: 'Attributes',
      description: "What the user's entry must hold: of each attribute one of the values.",
    },
    timeouts: {
      type: 'object',
      title: 'Timeouts',
      description: 'How long the directory may take.',
      default: {},
      properties: {
        connect: wholeNumber(
          'Connect',
          'Seconds until the connection to one server must be there, TLS included.',
          300,
          3,
        ),
        answer: wholeNumber('Answer', 'Seconds that the check of a code may take in all.', 3600, 10),
      },
      additionalProperties: false,
    },
    limits: {
      type: 'object',
      title: 'Limits',
      description: 'How much is asked of the directory.',
      default: {},
      properties: {
        concurrency: wholeNumber(
          'Checks at once',
          'Each has a connection of its own; more than these wait.',
          10_000,
          50,
        ),
        queue: wholeNumber('Queue', 'Checks that may wait; for more: 503.', 100_000, 1000),
      },
      additionalProperties: false,
    },
  },
  required: ['urls'],
  additionalProperties: false,
};

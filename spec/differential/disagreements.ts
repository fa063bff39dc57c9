/** Who may judge otherwise than the gateway. */
export type Judge = 'openssl' | 'go';

/** A class of chains about which a judge and the gateway disagree. */
export interface Disagreement {
  readonly judge: Judge;
  readonly what: string;
  readonly section: string;
  readonly right: 'gateway' | 'judge' | 'both: the RFC leaves it open';
  /** `refused` of the judge: why; undefined: valid. The same of the gateway. */
  readonly covers: (
    chain: ReadonlySet<string>,
    gateway: string | undefined,
    refused: string | undefined,
  ) => boolean;
}

function has(features: ReadonlySet<string>, start: string): boolean {
  return [...features].some((feature) => feature.startsWith(start));
}

/** Every class that is known; any other disagreement is a failure. */
export const disagreements: readonly Disagreement[] = [
  {
    judge: 'openssl',
    what: 'anyExtendedKeyUsage is taken for no purpose of TLS clients',
    section: 'RFC 5280, section 4.2.1.12',
    right: 'both: the RFC leaves it open',
    covers: (features, gateway, refused = '') =>
      has(features, 'anyExtendedKeyUsage') && gateway === undefined && refused.startsWith('error 26'),
  },
  {
    judge: 'openssl',
    what: 'a certificate has expired in the second that notAfter names',
    section: 'RFC 5280, section 4.1.2.5',
    right: 'gateway',
    covers: (features, gateway, refused = '') =>
      features.has('last second') && gateway === undefined && refused.startsWith('error 10'),
  },
  {
    judge: 'openssl',
    what: 'of several CAs of one name the first is taken, and no other tried when its key does not fit',
    section: 'RFC 4158, section 2.4.2',
    right: 'gateway',
    covers: (features, gateway, refused = '') =>
      (has(features, 'namesake') || has(features, 're-keyed') || has(features, 'cross-signed')) &&
      gateway === undefined &&
      /^error (?:7|18|19|20|2) /.test(refused),
  },
  {
    judge: 'openssl',
    what: 'a self-signed certificate with keyCertSign and without basicConstraints is a CA',
    section: 'RFC 5280, section 6.1.4, step k',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('root that is no CA') && gateway === 'its issuer is not a CA' && refused === undefined,
  },
  {
    judge: 'openssl',
    what: 'the host of a URI may be an address where URIs are constrained',
    section: 'RFC 5280, section 4.2.1.10',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('uniformResourceIdentifier https://192.0.2.1/') &&
      features.has('constraint on uniformResourceIdentifier') &&
      isNames(gateway) &&
      refused === undefined,
  },
  {
    judge: 'openssl',
    what: 'a wildcard may stand for a host that is excluded',
    section: 'RFC 5280, section 4.2.1.10, which knows no wildcards',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('dNSName *.example.com') &&
      features.has('constraint on dNSName') &&
      isNames(gateway) &&
      refused === undefined,
  },
  {
    judge: 'openssl',
    what: 'mappings of a CA without certificatePolicies are not looked at, nor that they map anyPolicy',
    section: 'RFC 5280, section 6.1.4, step a',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('anyPolicy mapped without policies') &&
      isAnyPolicyMapped(gateway) &&
      refused === undefined,
  },
  {
    judge: 'openssl',
    what: 'a CA may map a policy that it has by anyPolicy alone, although anyPolicy is inhibited',
    section: 'RFC 9618, section 5.4, step b1',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('mapped by an inhibited anyPolicy') && isPolicies(gateway) && refused === undefined,
  },
  {
    judge: 'openssl',
    what: 'where a CA maps a policy that it has by anyPolicy alone, anyPolicy of the next CA stands for the policy, and not for what it is mapped to',
    section: 'RFC 9618, section 5.3, step d2',
    right: 'gateway',
    covers: (features, gateway, refused = '') =>
      features.has('mapped by anyPolicy, and anyPolicy below') &&
      (refused === '' ? isPolicies(gateway) : gateway === undefined && refused.startsWith('error 43')),
  },
  {
    judge: 'go',
    what: 'constraints on directoryNames are not supported',
    section: 'RFC 5280, section 4.2.1.10',
    right: 'gateway',
    covers: (features, gateway, refused = '') =>
      features.has('constraint on directoryName') &&
      gateway === undefined &&
      refused.includes('unhandled critical extension'),
  },
  {
    judge: 'go',
    what: 'a URI without a host, or with an address, is refused where anything is constrained',
    section: 'RFC 5280, section 4.2.1.10',
    right: 'gateway',
    covers: (features, gateway, refused = '') =>
      has(features, 'uniformResourceIdentifier') &&
      gateway === undefined &&
      /URI with (?:IP|empty host).*cannot be matched against constraints/.test(refused),
  },
  {
    judge: 'go',
    what: 'a host by which URIs are permitted or excluded stands for the hosts below it, too',
    section: 'RFC 5280, section 4.2.1.10',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('constraint on uniformResourceIdentifier') &&
      (refused === undefined
        ? isNames(gateway) && features.has('uniformResourceIdentifier https://a.example.com:1/x')
        : gateway === undefined && /URI .* is excluded by constraint/.test(refused)),
  },
  {
    judge: 'go',
    what: 'a host by which mailboxes are permitted or excluded stands for the hosts below it, too',
    section: 'RFC 5280, section 4.2.1.10',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('rfc822Name a@a.example.com') &&
      features.has('constraint on rfc822Name') &&
      (refused === undefined
        ? isNames(gateway)
        : gateway === undefined && /email address .* is excluded by constraint/.test(refused)),
  },
  {
    judge: 'go',
    what: 'a required policy is looked at only where a CA demands explicit policies',
    section: 'RFC 5280, section 6.1.1, input e',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('required policy') && isPolicies(gateway) && refused === undefined,
  },
  {
    judge: 'go',
    what: 'that a CA maps anyPolicy is looked at only where mapping is allowed and the path has policies',
    section: 'RFC 5280, section 6.1.4, step a',
    right: 'gateway',
    covers: (features, gateway, refused) =>
      features.has('anyPolicy mapped') && isAnyPolicyMapped(gateway) && refused === undefined,
  },
];

function isNames(gateway: string | undefined): boolean {
  return gateway === 'it holds a name that a CA above it may not certify';
}

function isPolicies(gateway: string | undefined): boolean {
  return gateway === 'its path lacks the certificate policies that are demanded';
}

function isAnyPolicyMapped(gateway: string | undefined): boolean {
  return gateway === 'a CA in its path maps anyPolicy, which must not be mapped';
}

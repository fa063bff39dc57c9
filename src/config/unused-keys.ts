import type { Problem } from './messages.ts';
import { isMapping, type Mapping } from './mapping.ts';

/**
 * Keys that are written and would never be looked at, on data of any shape. What an operator writes happens, or the
 * start says why it cannot. `written` is the file without defaults.
 */
export function unusedKeys(written: unknown): readonly Problem[] {
  if (!isMapping(written)) return [];
  const backends = mappingAt(written, 'backends');
  return [
    ...unusedOfListener(mappingAt(mappingAt(written, 'listeners'), 'est')),
    ...unusedBelow(backends, ['backends'], unusedOfBackend),
    ...unusedBelow(mappingAt(written, 'aliases'), ['aliases'], (alias) =>
      unusedOfAlias(alias, mappingAt(backends, String(alias['backend']))),
    ),
  ];
}

/** What is unused in each mapping of a mapping, with the place where that stands. */
function unusedBelow(
  mappings: Mapping,
  place: readonly string[],
  unusedOf: (mapping: Mapping) => readonly Problem[],
): readonly Problem[] {
  return Object.keys(mappings).flatMap((name) =>
    unusedOf(mappingAt(mappings, name)).map(({ path, text }) => ({ path: [...place, name, ...path], text })),
  );
}

function unusedOfListener({ minimumVersion, ciphers }: Mapping): readonly Problem[] {
  const isOfTls12 =
    typeof ciphers === 'string' && !ciphers.split(':').some((suite) => suite.startsWith('TLS_'));
  return unusedIf({ ciphers }, ['listeners', 'est'], {
    ciphers:
      isOfTls12 &&
      minimumVersion === 'TLSv1.3' &&
      'it names suites of TLS 1.2 alone, and minimumVersion is TLSv1.3; those of TLS 1.3 begin with TLS_',
  });
}

function unusedOfBackend(backend: Mapping): readonly Problem[] {
  if (backend['driver'] !== 'local') return [];
  const profiles = mappingAt(backend, 'profiles');
  const waits = Object.keys(profiles).some((name) =>
    ['newNames', 'all'].includes(String(mappingAt(profiles, name)['approval'])),
  );
  return unusedIf(backend, [], {
    retryAfter: !waits && 'no profile has an approval for which a request could wait',
  });
}

function unusedOfAlias(alias: Mapping, backend: Mapping): readonly Problem[] {
  const { relay } = backend;
  return [
    ...unusedOfRevocation(mappingAt(alias, 'revocation')),
    ...unusedOfAuthentication(alias),
    ...(isMapping(alias['ejbca']) ? unusedOfEjbca(alias, alias['ejbca']) : []),
    ...unusedIf(alias, [], {
      additionalCaCertificates:
        Array.isArray(relay) &&
        relay.includes('cacerts') &&
        'the backend relays cacerts, so that clients get what the upstream gives',
    }),
    ...unusedIf(alias, [], {
      implicitCertificatePolicies:
        !isFilled(alias['implicitTrustAnchors']) &&
        mappingAt(alias, 'ejbca')['vendorCertificateMode'] !== true &&
        'there are no implicitTrustAnchors whose certificates could have the policies',
    }),
  ];
}

/** A source has something to ask, and what could be asked is asked. */
function unusedOfRevocation(revocation: Mapping): readonly Problem[] {
  const { sources = ['backend'], followCertificates } = revocation;
  if (!Array.isArray(sources)) return [];
  const follows = followCertificates === true;
  const [hasCrl, hasOcsp] = [sources.includes('crl'), sources.includes('ocsp')];
  const without = (source: string): string =>
    `revocation.sources does not have ${source}; write "sources: [backend, ${source}]"`;
  const hasCrlPlaces = isFilled(revocation['crlFiles']) || isFilled(revocation['crlUrls']);
  const idle = [
    ...(hasCrl && !hasCrlPlaces && !follows ? ['crl, and neither crlFiles nor crlUrls says which'] : []),
    ...(hasOcsp && !isFilled(revocation['ocspResponders']) && !follows
      ? ['ocsp, and ocspResponders does not say which']
      : []),
  ];
  return [
    ...unusedIf(revocation, ['revocation'], {
      crlFiles: !hasCrl && without('crl'),
      crlUrls: !hasCrl && without('crl'),
      ocspResponders: !hasOcsp && without('ocsp'),
      followCertificates: !hasCrl && !hasOcsp && without('crl'),
    }),
    ...idle.map((what) => ({
      path: ['revocation', 'sources'],
      text: `holds ${what}, nor does followCertificates; add it, or leave the source out`,
    })),
  ];
}

function unusedOfAuthentication(alias: Mapping): readonly Problem[] {
  switch (alias['authentication']) {
    case 'basic': {
      const reason = 'with "authentication: basic" client certificates are never looked at';
      return [
        ...unusedIf(alias, [], {
          explicitTrustAnchors: reason,
          implicitTrustAnchors: reason,
          // They may sign the messages of fullcmc.
          registrationAuthorities: alias['fullCmc'] === undefined && reason,
        }),
        ...unusedIf(mappingAt(alias, 'serverKeyGeneration'), ['serverKeyGeneration'], {
          encryption: !hasRecipients(mappingAt(alias, 'serverKeyGeneration')) && noRecipients,
        }),
        ...unusedIf(mappingAt(alias, 'policy'), ['policy'], {
          changeSubjectName: reason,
          renewAfterPercent: reason,
          renewOtherAliases: reason,
          renewExpiredDays: reason,
        }),
        ...(mappingAt(alias, 'policy')['renewWithSameKey'] === false
          ? [{ path: ['policy', 'renewWithSameKey'], text: `it would not be used: ${reason}` }]
          : []),
      ];
    }
    case 'clientCertificate': {
      const reason = 'with "authentication: clientCertificate" user names and codes are never asked for';
      return unusedIf(alias, [], {
        // As EJBCA does it, a missing certificate is 401 with a challenge.
        httpAuthentication: alias['compatibility'] !== 'ejbca' && reason,
        credentials: reason,
      });
    }
    default:
      return [];
  }
}

const noRecipients =
  'with "authentication: basic" no client shows a certificate to encrypt for; add keyEncryptionKeys or recipients';

/** Whether the alias itself says for whom keys can be encrypted. */
function hasRecipients({ encryption }: Mapping): boolean {
  return (
    isMapping(encryption) && (isFilled(encryption['keyEncryptionKeys']) || isFilled(encryption['recipients']))
  );
}

/** Settings of an EST alias of EJBCA belong to one of its modes; what they want of clients is not asked for twice. */
function unusedOfEjbca(alias: Mapping, ejbca: Mapping): readonly Problem[] {
  const { authenticationModule, vendorCertificateMode, requireClientCertificate } = ejbca;
  const isClientMode = ejbca['operationMode'] === 'client';
  const inClientMode = isClientMode && 'in operationMode client the end entities are registered in EJBCA';
  const inRaMode = !isClientMode && 'in operationMode ra nameGeneration names the end entity';
  const noUsers = isClientMode
    ? 'in operationMode client EJBCA knows who enrols'
    : ejbca['requireUsernameAndPassword'] !== true &&
      'without ejbca.requireUsernameAndPassword no user is asked for';
  const { scheme } = mappingAt(ejbca, 'nameGeneration');
  const noVendors = isClientMode
    ? vendorCertificateMode !== true && 'without vendorCertificateMode a code alone enrols'
    : requireClientCertificate === false && 'with "requireClientCertificate: false" users alone enrol';
  return [
    ...unusedIf(alias, [], {
      credentials: noUsers,
      // As EJBCA does it, a missing certificate is 401 with a challenge.
      httpAuthentication: alias['compatibility'] !== 'ejbca' && noUsers,
      implicitTrustAnchors: noVendors,
    }),
    ...unusedIf(ejbca, ['ejbca'], {
      nameGeneration: inClientMode,
      requireClientCertificate: inClientMode,
      extractUsernameComponent: inRaMode,
      extractDnPartPasswordComponent:
        inRaMode || (authenticationModule !== 'DnPartPwd' && 'it is for "authenticationModule: DnPartPwd"'),
    }),
    ...unusedIf(mappingAt(ejbca, 'nameGeneration'), ['ejbca', 'nameGeneration'], {
      parameters:
        (scheme === 'RANDOM' || scheme === 'USERNAME') && `the scheme ${scheme} makes a name without them`,
    }),
  ];
}

/** The keys that say something, and for which there is a reason why nobody looks at it. */
function unusedIf(
  mapping: Mapping,
  place: readonly string[],
  reasons: Readonly<Record<string, string | false>>,
): readonly Problem[] {
  return Object.entries(reasons).flatMap(([key, reason]) =>
    reason === false || !isFilled(mapping[key])
      ? []
      : [{ path: [...place, key], text: `it would not be used: ${reason}` }],
  );
}

/** What is switched off, zero or empty says nothing. */
function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMapping(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0;
}

function mappingAt(mapping: Mapping, key: string): Mapping {
  const value = mapping[key];
  return isMapping(value) ? value : {};
}

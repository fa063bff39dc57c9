import type { Problem } from './messages.ts';
import { isMapping, type Mapping } from './mapping.ts';

/**
 * Keys of aliases that are written and would never be looked at, on data of any shape. What an operator writes happens, or the
 * start says why it cannot. `written` is the file without defaults.
 */
export function unusedKeys(written: unknown): readonly Problem[] {
  const aliases = isMapping(written) ? written['aliases'] : undefined;
  if (!isMapping(aliases)) return [];
  return Object.entries(aliases).flatMap(([name, alias]) =>
    (isMapping(alias) ? unusedOfAlias(alias) : []).map(({ path, text }) => ({
      path: ['aliases', name, ...path],
      text,
    })),
  );
}

function unusedOfAlias(alias: Mapping): readonly Problem[] {
  return [
    ...unusedOfRevocation(mappingAt(alias, 'revocation')),
    ...unusedOfAuthentication(alias),
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
        ...unusedIf(mappingAt(alias, 'policy'), ['policy'], {
          changeSubjectName: reason,
          renewExpiredDays: reason,
        }),
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

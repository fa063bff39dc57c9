/**
 * Path segments below `/.well-known/est/` that mean something of their own, so that no alias may have such a name
 * (RFC 7030, section 3.2.2): the operations of RFC 7030, those of RFC 8295 with their `return`, and those of the
 * drafts for lightweight operations.
 */
export const reservedNames: ReadonlySet<string> = new Set([
  ...['cacerts', 'simpleenroll', 'simplereenroll', 'serverkeygen', 'csrattrs', 'fullcmc'],
  ...['pal', 'eecerts', 'crls', 'symmetrickeys', 'firmware', 'tamp', 'return'],
  ...[
    'ucacaps',
    'ucacert',
    'ucacerts',
    'ucrlinfo',
    'ucrl',
    'usimpleenroll',
    'usimplereenroll',
    'userverkeygen',
  ],
]);

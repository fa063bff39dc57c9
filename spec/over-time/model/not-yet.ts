/** What the gateway cannot do yet, so that runs go without it. */
export const notYet: ReadonlySet<string> = new Set<string>(['renew elsewhere', 'keys of unfinished records']);

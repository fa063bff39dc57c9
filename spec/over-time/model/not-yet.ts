/** What the gateway cannot do yet, so that runs go without it. */
export const notYet: ReadonlySet<string> = new Set<string>(['keys of unfinished records']);

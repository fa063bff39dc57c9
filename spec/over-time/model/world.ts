/** What the model knows: who asked for what, what came of it, and what operators have done. */
import { hash } from 'node:crypto';
import { readCertificate, type Certificate } from '../../../src/pkix/certificate.ts';
import type { RevocationReason } from '../../../src/store/store.ts';

/** An alias by what it is, whatever it is called at the moment. */
export interface ModelAlias {
  readonly number: number;
  readonly kind: 'est' | 'line';
  /** Its users by name, those that are there now. */
  readonly users: Map<string, UserRow>;
}

/** A user with one code. */
export interface UserRow {
  readonly number: number;
  readonly alias: ModelAlias;
  readonly name: string;
  readonly code: string;
  /** Undefined: any number of certificates. */
  readonly uses: number | undefined;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** How a client shows who it is. */
export type Actor =
  | { readonly kind: 'user'; readonly row: UserRow }
  /** The certificate that it renews. */
  | { readonly kind: 'holder'; readonly certificate: Issued }
  /** Asks for others. */
  | { readonly kind: 'registrationAuthority'; readonly certificate: Issued };

/** A certificate that the CA has recorded. */
export interface Issued {
  readonly number: number;
  readonly certificate: Certificate;
  readonly commonName: string;
  /** SHA-256 of the key, hex. */
  readonly key: string;
  /** Undefined: an operator had it issued. */
  readonly request: ModelRequest | undefined;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  revocation: { readonly reason: RevocationReason; readonly at: number } | undefined;
}

/** What waits for a person. */
export interface Held {
  readonly reference: string;
  /** As the store knows it. */
  readonly ca: string;
  decision: 'approved' | 'denied' | undefined;
  /** When its client asked last. */
  askedAt: number;
}

/** A request that its client repeats as it likes. */
export interface ModelRequest {
  readonly number: number;
  readonly alias: ModelAlias;
  readonly operation: 'simpleenroll' | 'simplereenroll';
  actor: Actor;
  readonly commonName: string;
  /** Its place in the pool. */
  readonly keyIndex: number;
  readonly key: string;
  /** The oldest first. */
  readonly certificates: Issued[];
  held: Held | undefined;
  /** The number of the ask that was the last for it. */
  lastAsk: number;
  /** The gateway died at it at this time, and it was not answered since. */
  diedAt: number | undefined;
  /** The certificate that was given last, and when it was first given. */
  closed: Issued | undefined;
  closedAt: number | undefined;
  /** What has happened to it, for people. */
  readonly log: string[];
}

/** All of it. */
export interface World {
  readonly aliases: Map<string, ModelAlias>;
  readonly requests: ModelRequest[];
  readonly issued: Issued[];
  readonly rows: UserRow[];
  /** Of the registration authority, the newest last. */
  readonly authorities: Issued[];
  readonly now: () => number;
}

export function aliasOfKind({ aliases }: World, kind: ModelAlias['kind']): ModelAlias {
  const found = [...aliases.values()].find((alias) => alias.kind === kind);
  if (found === undefined) throw new Error(`There is no alias of the kind ${kind}.`);
  return found;
}

/** What it is called now; undefined: no configuration has it any more. */
export function nameOfAlias({ aliases }: World, alias: ModelAlias): string | undefined {
  return [...aliases].find(([, one]) => one === alias)?.[0];
}

export function isInForce({ certificate, revocation }: Issued, now: number): boolean {
  return revocation === undefined && certificate.notAfter.getTime() >= now;
}

const compromised: readonly RevocationReason[] = ['keyCompromise', 'cACompromise', 'aACompromise'];

export function isCompromised({ issued }: Pick<World, 'issued'>, key: string): boolean {
  return issued.some((one) => one.key === key && isOfCompromise(one.revocation?.reason));
}

export function isOfCompromise(reason: RevocationReason | undefined): boolean {
  return reason !== undefined && compromised.includes(reason);
}

/** Who a request counts as: a user of an alias, the holder of a certificate, or the registration authority. */
export function identityOf({ actor, alias }: Pick<ModelRequest, 'actor' | 'alias'>): string {
  switch (actor.kind) {
    case 'user':
      return `user ${actor.row.name} of alias ${alias.number}`;
    case 'holder':
      return `holder ${actor.certificate.commonName}`;
    case 'registrationAuthority':
      return 'registration authority';
  }
}

/** Adds what the CA has recorded in a request. */
export function noteIssued(world: World, der: Buffer, request: ModelRequest | undefined): Issued {
  const certificate = readCertificate(der);
  const [commonName] = certificate.subject.rdns.flat().map(({ value }) => value);
  const issued: Issued = {
    number: world.issued.length,
    certificate,
    commonName: String(commonName),
    key: hash('sha256', certificate.spki, 'hex'),
    request,
    issuedAt: world.now(),
    revocation: undefined,
  };
  world.issued.push(issued);
  request?.certificates.push(issued);
  return issued;
}

/** For people who read what went wrong. */
export function describe(request: ModelRequest): string {
  const { number, alias, operation, commonName, keyIndex, log } = request;
  return `request ${number}, ${operation} at ${alias.kind} of ${commonName} by ${identityOf(request)} for key ${keyIndex} (${log.join(', ')})`;
}

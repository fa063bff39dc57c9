/** Who calls EJBCA, and what their role allows. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { readCertificate } from '../../../src/pkix/certificate.ts';
import { dnOf } from './distinguished-name.ts';
import { refusals } from './refusal.ts';

/** A caller whose credentials EJBCA has accepted. */
export interface Administrator {
  readonly name: string;
  /** Whether a role of the caller has an access rule that covers this resource, such as `/ca/Device CA`. */
  isAuthorized(resource: string): boolean;
  /** Refuses (403) unless `isAuthorized`. */
  require(resource: string): void;
}

/** What a role allows: resources, each with all below it; `/` is everything. */
export type AccessRules = readonly string[];

/** What a registration authority like the gateway needs for everything that it does. */
export function registrationAuthorityRules(ca: string, endEntityProfile: string): AccessRules {
  return [
    '/administrator/',
    '/ca_functionality/create_certificate/',
    '/ca_functionality/view_ca/',
    '/ca_functionality/view_certificate/',
    `/ca/${ca}/`,
    `/endentityprofilesrules/${endEntityProfile}/`,
    '/ra_functionality/create_end_entity/',
    '/ra_functionality/edit_end_entity/',
    '/ra_functionality/view_end_entity/',
    '/ra_functionality/revoke_end_entity/',
  ];
}

/** The credentials that EJBCA knows. */
export interface Administrators {
  /** By SHA-256 of the certificate, hex. A certificate that is not here is unknown or revoked. */
  readonly certificates: Map<string, AccessRules>;
  /** `expiresAt` in milliseconds since 1970. */
  readonly bearerTokens: Map<string, { readonly rules: AccessRules; readonly expiresAt: number }>;
}

/**
 * `getAdmin` of EJBCA: a client certificate wins over a bearer token; neither is 403. Most calls require
 * `/administrator` besides.
 */
export function authenticate(
  administrators: Administrators,
  socket: TLSSocket,
  authorization: string | undefined,
): Administrator {
  const certificate = socket.getPeerX509Certificate();
  if (certificate !== undefined) return byCertificate(administrators, certificate);
  const [, token] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? [];
  if (token === undefined) throw refusals.noCredentials();
  const known = administrators.bearerTokens.get(token);
  if (known === undefined) throw refusals.unknownToken();
  if (known.expiresAt <= Date.now()) throw refusals.expiredToken();
  return administratorWith('OAuth', known.rules);
}

function byCertificate({ certificates }: Administrators, peer: X509Certificate): Administrator {
  const { sha256, serialNumber, issuer, subject } = readCertificate(peer.raw);
  const rules = certificates.get(sha256);
  if (rules === undefined) {
    throw refusals.unknownAdministrator(BigInt(`0x${serialNumber}`).toString(), dnOf(issuer));
  }
  return administratorWith(dnOf(subject), rules);
}

function administratorWith(name: string, rules: AccessRules): Administrator {
  const isAuthorized = (resource: string): boolean =>
    rules.some((rule) => `${resource}/`.startsWith(rule.endsWith('/') ? rule : `${rule}/`));
  return {
    name,
    isAuthorized,
    require(resource) {
      if (!isAuthorized(resource)) throw refusals.notAuthorized(resource);
    },
  };
}

/** Refuses (403) who may not administer anything. */
export function withAccess(administrator: Administrator): Administrator {
  administrator.require('/administrator');
  return administrator;
}

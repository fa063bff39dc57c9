import type { AttemptLimits } from '../auth/attempts/attempts.ts';
import type { HttpScheme } from '../auth/http-schemes.ts';
import type { AuthenticationMode } from '../auth/index.ts';
import type { RegistrationAuthorityOptions } from '../auth/registration-authority.ts';
import type { NameChange } from '../pkix/name-changes.ts';
import type { LogOptions } from '../ops/log.ts';
import type { GeneratedKeyKind } from '../pkix/private-keys.ts';
import type { PolicyOptions } from '../policy/options.ts';
import type { Drivers } from './drivers.ts';
import type { FetchConfiguration, RevocationConfiguration } from './revocation-schema.ts';
import type { documentKinds } from './pass-through-schema.ts';

/** A loaded configuration file: valid, complete with defaults, paths absolute, frozen. */
export interface Configuration {
  /** The absolute path of the file. */
  readonly file: string;
  /** By which the file was understood. */
  readonly drivers: Drivers;
  readonly listeners: {
    /** HTTPS; left out: TLS ends at a proxy. */
    readonly est?: EstListenerConfiguration;
    readonly proxy?: ProxyListenerConfiguration;
    /** Plain HTTP for CRLs and CA certificates of backends that issue by themselves. */
    readonly http?: ListenerConfiguration;
  };
  readonly store: DriverOptions;
  readonly backends: Readonly<Record<string, DriverOptions>>;
  readonly aliases: Readonly<Record<string, AliasConfiguration>>;
  /** Public documents of CAs elsewhere. */
  readonly passThrough?: PassThroughConfiguration;
  readonly limits: Limits;
  readonly revocation: FetchConfiguration;
  readonly logging: LogOptions;
}

/** Where to listen. */
interface ListenerConfiguration {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
}

/** The HTTPS listener for EST. */
interface EstListenerConfiguration extends ListenerConfiguration {
  /** Path of a PEM file: the server's certificate, then its intermediates. */
  readonly certificate: string;
  /** Secret reference to the PEM private key; read it with `readSecret`. */
  readonly privateKey: string;
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Left out: the default. */
  readonly ciphers?: string;
  /** Clients come through proxies that pass TCP on; undefined: by themselves. */
  readonly proxyProtocol?: {
    /** IP addresses and networks. */
    readonly trustedAddresses: readonly string[];
  };
}

/** The HTTP listener for EST behind a proxy that ends TLS. */
export interface ProxyListenerConfiguration {
  /** Path of a Unix socket. */
  readonly socket?: string;
  readonly address?: string;
  readonly port?: number;
  /** The proxy comes over TLS, with a client certificate. */
  readonly tls?: {
    /** Paths of PEM files; the key is a secret reference. */
    readonly certificate: string;
    readonly privateKey: string;
    /** Of the proxies' client certificates. */
    readonly trustAnchors: readonly string[];
    /** Of which a proxy's certificate has one. */
    readonly names: readonly string[];
  };
  readonly clientCertificate: 'rfc9440' | 'nginx' | 'haproxy' | 'envoy';
  readonly clientAddress: 'X-Forwarded-For' | 'Forwarded';
  /** IP addresses and networks of proxies in front of the one that comes here. */
  readonly trustedAddresses: readonly string[];
  readonly linking: 'refuse' | 'trust';
  /** Name of the field with the cipher suite of the client's TLS session. */
  readonly cipherSuite?: string;
  /** Octets of the header of a request. */
  readonly headerBytes: number;
}

/** Which driver, and what its own `optionsSchema` allows. */
export interface DriverOptions {
  readonly driver: string;
  readonly [option: string]: unknown;
}

/** What is served below `/.well-known/est/<alias>/`. */
export interface AliasConfiguration {
  /** A key of `backends`. */
  readonly backend: string;
  /** The certificate profile; its meaning is the backend's. */
  readonly profile?: string;
  /** Undefined where the alias's settings at its backend say it. */
  readonly authentication?: AuthenticationMode;
  /** How users may prove their codes. */
  readonly httpAuthentication: readonly HttpScheme[];
  /** Who knows users and codes, in this order. */
  readonly credentials: readonly DriverOptions[];
  /** Paths of PEM files: trusted besides the backend's own CA certificates. */
  readonly explicitTrustAnchors: readonly string[];
  /** Paths of PEM files: given by cacerts besides the backend's own CA certificates. */
  readonly additionalCaCertificates: readonly string[];
  /** Paths of PEM files: trusted for a first enrolment only (RFC 7030, section 3.1). */
  readonly implicitTrustAnchors: readonly string[];
  /** Object identifiers. */
  readonly implicitCertificatePolicies: readonly string[];
  readonly revocation: RevocationConfiguration;
  /** Paths of lists of keys whose private halves are public knowledge. */
  readonly knownKeys: readonly string[];
  /** By names for the log. */
  readonly registrationAuthorities: Readonly<Record<string, RegistrationAuthorityOptions>>;
  /** Undefined: fullcmc is off. */
  readonly fullCmc?: FullCmcConfiguration;
  /** Undefined: serverkeygen is off. */
  readonly serverKeyGeneration?: ServerKeyGenerationConfiguration;
  /** Whose way is followed where EJBCA and the RFCs differ. */
  readonly compatibility: 'rfc' | 'ejbca';
  /** Accept nothing but base64 of DER. */
  readonly strict: boolean;
  readonly wrap: 'auto' | '64' | 'none';
  readonly policy: PolicyOptions;
  /** How the CA may change the names that were approved; undefined: as is its nature. */
  readonly issuedNames?: readonly NameChange[];
}

/** What fullcmc needs. */
export interface FullCmcConfiguration {
  readonly signer: {
    /** Path of a PEM file: the certificate, then its intermediates. */
    readonly certificate: string;
    /** Secret reference to the PEM private key. */
    readonly privateKey: string;
  };
  /** The backend gets the requests as they came. */
  readonly passThrough: boolean;
}

/** What serverkeygen needs. */
export interface ServerKeyGenerationConfiguration {
  readonly keys: readonly [GeneratedKeyKind, ...GeneratedKeyKind[]];
  /** Undefined: TLS alone protects the keys. */
  readonly encryption?: {
    readonly required: boolean;
    readonly signer: {
      /** Path of a PEM file: the certificate, then its intermediates. */
      readonly certificate: string;
      /** Secret reference to the PEM private key. */
      readonly privateKey: string;
    };
    /** Secret reference to lines of identifier and key. */
    readonly keyEncryptionKeys?: string;
    /** Paths of PEM files. */
    readonly recipients: readonly string[];
  };
}

/** What is passed through, by path; times in seconds. */
export interface PassThroughConfiguration {
  readonly paths: Readonly<Record<string, PassThroughPath>>;
  /** Private networks that host names may lead to. */
  readonly allowedNetworks: readonly string[];
  readonly timeout: number;
  readonly maxAge: number;
  readonly staleFor: number;
  /** Octets of memory for documents. */
  readonly cacheBytes: number;
}

/** A kind of public document. */
export type DocumentKindName = (typeof documentKinds)[number];

interface PassThroughPath {
  readonly kind: DocumentKindName;
  /** The URL that is asked. */
  readonly upstream: string;
  /** Path of a PEM file; undefined: public CAs. */
  readonly trustAnchor?: string;
  /** Octets of a document. */
  readonly maxBytes: number;
}

/** Bounds of the EST listeners; times in seconds. */
interface Limits extends AttemptLimits {
  /** Octets of a request body as sent. */
  readonly bodyBytes: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly handshakeTimeout: number;
  /** Connections at once. */
  readonly connections: number;
  /** Of these, those of one address. */
  readonly connectionsPerAddress: number;
  /** Time in which a repeat of the same request gets the same certificate. */
  readonly repeatWindow: number;
  /** Requests that may wait for the CA at one alias. */
  readonly pendingPerIdentity: number;
  readonly pendingPerAlias: number;
  /** Time after which a waiting request that nobody asks for has lapsed. */
  readonly pendingExpiry: number;
}

import { ejbcaAliasText, ejbcaBackendText } from './init-template-ejbca.ts';
import { estBackendText } from './init-template-est.ts';
import { passThroughText } from './init-template-pass-through.ts';

/** What differs between one new gateway and another. */
export interface TemplateValues {
  /** Host and port of plain HTTP, as they stand in a URL. */
  readonly httpAuthority: string;
  readonly estPort: number;
  readonly httpPort: number;
}

/**
 * The configuration file that `init` writes: what is active, and every other key with its default, commented
 * out without a space after the `#`.
 */
export function configurationText({ httpAuthority, estPort, httpPort }: TemplateValues): string {
  return `# yaml-language-server: $schema=est-gateway.schema.json
#
# The configuration of est-gateway. An editor that knows YAML schemas completes and checks it by the line above.
# Keys that are commented out show their defaults. Paths are relative to this file. Secrets are references, never
# values: file:PATH or env:NAME. After a change: "est-gateway check", then SIGHUP, by which the gateway takes it up; for
# listeners, limits and logging a restart.

# Where the gateway can be reached.
listeners:
  # HTTPS, for EST only.
  est:
    # IP address or host name to listen on. "::" is every address, IPv4 too.
    #address: '::'
    port: ${estPort}
    # PEM files: the server's certificate, then its intermediates; its key. Clients check it against trust-anchor.pem.
    certificate: tls/server.pem
    privateKey: file:tls/server.key
    # TLSv1.2, which older devices need, or TLSv1.3; and OpenSSL's list for 1.2, with suites of 1.3 by their names.
    #minimumVersion: TLSv1.2
    #ciphers: TLS_AES_256_GCM_SHA384:ECDHE+AESGCM
    # For a proxy that passes TCP on: connections begin with the header of the PROXY protocol, or are closed (docs/nginx.md).
    #proxyProtocol:
      # IP addresses of the proxies, or their networks, such as 10.0.0.0/8.
      #trustedAddresses: [127.0.0.1]
  # In place of it or besides: plain HTTP for a proxy that ends TLS, such as nginx (docs/nginx.md). Left out: off.
  #proxy:
    # A Unix socket; or a loopback address and a port; or any address with tls, where the proxy shows a certificate.
    #socket: /run/est-gateway/est.sock
    #address: 127.0.0.1
    #port: 8080
    #tls:
      #certificate: tls/proxy-side.pem
      #privateKey: file:tls/proxy-side.key
      #trustAnchors: [tls/proxies.pem]
      # Names in the certificates of the proxies, of which no device may have one.
      #names: [nginx.plant.example]
    # How the proxy hands the client certificate on: rfc9440, nginx, haproxy or envoy.
    #clientCertificate: nginx
    # The field whose last entry that is not of trustedAddresses is the client address, for the log, the wait after wrong codes, and the policy:
    # X-Forwarded-For or Forwarded. The proxy must add to it in every request.
    #clientAddress: X-Forwarded-For
    # Addresses or networks of further proxies, between the clients and the one that comes here.
    #trustedAddresses: []
    # A CSR with the channel binding of a TLS session (RFC 7030, section 3.5), which nobody can verify here. refuse: 403;
    # trust: the proxy is trusted to keep its clients apart.
    #linking: refuse
    # The field in which the proxy names the cipher suite of the device's TLS session; it must set it for every request.
    # Left out: serverkeygen gives no keys, since nobody knows how well TLS protects them.
    #cipherSuite: X-SSL-Cipher
    # Octets of the header of a request, the client certificate included: percent-encoded, one with ML-DSA-87 takes 11 KB,
    # with SLH-DSA 12 to 75 KB. For more: 431.
    #headerBytes: 98304
  # Plain HTTP: CRLs and CA certificates of local CAs, for whoever checks certificates; never EST. Left out: off.
  http:
    #address: '::'
    port: ${httpPort}

# Where enrolments, users and the certificates of local CAs are kept: one SQLite file, made on first use. Several
# processes on one machine may share it, several machines may not.
store:
  driver: sqlite
  file: est-gateway.sqlite

# What issues certificates, by names that aliases refer to.
backends:
  # A CA whose key the gateway holds: it issues by itself.
  local:
    driver: local
    # PEM file of the issuing certificate; the certificates above it may follow in it.
    certificate: ca/issuing.pem
    # PEM of its private key: RSA of 2048 to 8192 bits, P-256 or P-384.
    privateKey: file:ca/issuing.key
    # Opens the private key. Left out: the key is not encrypted.
    passphrase: file:ca/passphrase
    # PEM files of the certificates above the issuing one, up to the self-signed root, in any order.
    chain: [ca/root.pem]
    # Seconds ago that a new certificate became valid, for relying parties whose clock is behind.
    #backdate: 60
    # Seconds after which a client whose request waits for approval shall ask again.
    #retryAfter: 300
    # complete: a certificate of this CA that is not in the store is refused. incomplete: it also issued elsewhere.
    #record: complete
    # The certificate revocation list.
    crl:
      # A new one is made when a third of this time has passed, and at once after a revocation.
      #validityHours: 168
      # Where relying parties find it, written into certificates: http only. The listener "http" serves it here.
      urls: ['http://${httpAuthority}/crl/local.crl']
    # Where they find the issuing certificate, written into certificates: http only.
    caIssuersUrls: ['http://${httpAuthority}/ca/local.cer']
    # What certificates are issued with, by names that aliases refer to.
    profiles:
      device:
        # Never longer than the CA itself.
        #validityDays: 365
        # The most that is granted; a CSR may ask for less. Also nonRepudiation, dataEncipherment, keyAgreement.
        # What a kind of key cannot do, or no purpose wants, is left out: keyEncipherment is for RSA and serverAuth or emailProtection.
        #keyUsage: [digitalSignature, keyEncipherment]
        # The most that is granted; a CSR may ask for less. Also serverAuth, emailProtection, ipsecIKE, eapOverLAN,
        # smartcardLogon, secureShellClient, secureShellServer, or object identifiers. []: no such extension.
        extendedKeyUsage: [clientAuth]
        # Which requests wait for "est-gateway ca approve": none; newNames: all but renewals under the same names; all.
        #approval: none
        # Instead of the URLs above, for this profile.
        #crlUrls: ['http://${httpAuthority}/crl/local.crl']
        #caIssuersUrls: ['http://${httpAuthority}/ca/local.cer']

${ejbcaBackendText}${estBackendText}  # For rehearsals without a CA: issues from a key that is thrown away at the end. The profile of the alias says how
  # it answers: issue, pending, denied, rejected, slow, down, wrong-key, garbage.
  #rehearsal:
    #driver: mock
    #validityDays: 7
    # How often the profiles pending and denied put the client off before they decide.
    #pendingAnswers: 2
    # Seconds after which these two tell the client to ask again.
    #retryAfter: 1
    # Seconds that the profile slow takes.
    #delay: 5

# EST configurations by name (RFC 7030 says label), at /.well-known/est/NAME/OPERATION. The one named est is
# also at /.well-known/est/OPERATION.
aliases:
  est:
    # One of the names below "backends".
    backend: local
    # What to ask it for. Left out: its only profile.
    profile: device
    # What a client that enrols must show: clientCertificate, basic (a user name and its code, see "est-gateway
    # user add"), either, or both.
    authentication: either
    # How users may prove their codes: basic (RFC 7617), digest-SHA-256, digest-MD5 (RFC 7616). Digest is for users that
    # were added while it stood here; MD5 is broken, for clients that know nothing better.
    #httpAuthentication: [basic]
    # Who knows the users of Basic and their codes; the first that knows the name decides, and nobody takes the place of
    # one that is out of order (docs/authentication.md). Digest is for users of the store.
    #credentials:
      # "est-gateway user add".
      #- driver: store
      # As Apache's "htpasswd -B" writes it; read again when it has changed.
      #- { driver: htpasswd, file: users.htpasswd }
      # A service of your own that is asked about each user and code; its keys are those of policy.webhook below.
      #- { driver: webhook, url: 'https://people.example/est/login', trustAnchor: people-ca.pem, token: file:people-token }
      # An LDAP directory, by a bind with the code.
      #- driver: ldap
        #urls: [ldaps://ldap.example]
        # true: ldap:// goes over to TLS before anything else is sent.
        #startTls: false
        # PEM file: the CAs that the servers' TLS certificates may come from.
        #trustAnchor: ldap/ca.pem
        # How the entry of a user is found.
        #search:
          #base: ou=devices,dc=example
          #filter: (uid=\${username})
          #bindDn: cn=est-gateway,dc=example
          #bindPassword: file:ldap/password
        # In place of search, where the name says which entry it is.
        #userDn: uid=\${username},ou=devices,dc=example
        # The attribute with the name; it must be written as the client writes it.
        #nameAttribute: uid
        # Who may enrol: the members of one of these groups. Left out: every user.
        #groups:
          #anyOf: ['cn=enrolment,ou=groups,dc=example']
          # Where it is written: memberOf of the user, or member, uniqueMember or memberUid of the group.
          #by: memberOf
        # What the entry must hold: of each attribute one of the values.
        #attributes: { employeeType: [device] }
        # Seconds until the connection to one server must be there, and until a check must be over.
        #timeouts: { connect: 3, answer: 10 }
        # Checks at once, each with a connection of its own, and checks that may wait.
        #limits: { concurrency: 50, queue: 1000 }
    # PEM files: CAs whose client certificates are accepted, besides the backend's own.
    #explicitTrustAnchors: []
    # PEM files of what cacerts gives besides the chain of the CA: around a change of the root the old root and the
    # cross certificates (RFC 7030, section 4.1.3; "est-gateway ca rollover" makes them), or a root that the CA leaves out.
    #additionalCaCertificates: []
    # PEM files: CAs of vendors whose client certificates are accepted for simpleenroll, never for simplereenroll
    # (RFC 7030, section 3.1).
    #implicitTrustAnchors: []
    # Object identifiers: such client certificates must be valid under one of these policies. []: any, or none.
    #implicitCertificatePolicies: []
    # How to find out, at every request, whether a client certificate or a CA above it is revoked.
    #revocation:
      # Who is asked, in this order; the first that knows decides: backend (the CA backend; what it says against a
      # certificate of its own CA always counts), crl, ocsp.
      #sources: [backend]
      # DER or PEM; a file that was replaced is read again.
      #crlFiles: []
      # Fetched, kept until nextUpdate at most, and fetched again ahead of it. By their URLs, the CA for whose certificates
      # each must speak: { 'http://crl.example/ca.crl': vendor/ca.pem }; or a list, for the certificates of all CAs.
      #crlUrls: []
      # By their URLs, the CA for whose certificates each is asked: { 'http://ocsp.example/': vendor/ca.pem }.
      #ocspResponders: {}
      # true: also look where certificates say, if the backend or this file names the CA that issued them.
      #followCertificates: false
      # When a source covers a certificate and does not tell: hard (503, or 403 for what it will never know) or soft
      # (accepted, and logged).
      #onFailure: hard
      # A certificate that nothing covers: accept or refuse.
      #withoutSource: accept
    # Lists of keys that anybody knows, which are never certified, beside those that the gateway knows itself: lines with
    # the SHA-256 of a SubjectPublicKeyInfo in hex, or as in Debian's openssl-blacklist (CVE-2008-0166).
    #knownKeys: []
    # ejbca: errors, media types of requests and csrattrs as with EJBCA's own EST, where it differs from the RFCs.
    #compatibility: rfc
    # true: a request must be base64 of DER (RFC 8951); PEM and plain DER are refused.
    #strict: false
    # Base64 of replies: '64' (lines of 64 characters), none (one line), or auto (as the client seems to need it).
    #wrap: auto
    # How the CA may change the names that were approved: addedAttributes, reorderedSubject, addedSubjectAltNames,
    # replacedSubject, replacedSubjectAltNames. Left out: not at all, but for what the mode of the backend does.
    #issuedNames: [reorderedSubject]
    # Who may ask for certificates of others, by names for the log: holders of certificates of the CA itself with the
    # extended key usage id-kp-cmcRA ("est-gateway ca issue" makes them). One that is not here may renew its own
    # certificate and no more.
    #registrationAuthorities:
      #plant-1:
        # That of its certificate.
        #commonName: Registration Authority of Plant 1
        # Patterns of the names for which it may ask, by type of subject attribute or subjectAltName; "*" stands for any
        # text, dots included. A type that is not here is refused.
        #names: { commonName: ['*.plant-1.example'], dNSName: ['*.plant-1.example'] }
        # true: its CSRs may carry the channel binding of a device with itself (RFC 7030, section 3.7), unverified.
        #foreignLinking: false
        # How many certificates it may get for all subjects in how many seconds. Left out: as many as it likes.
        #quota: { certificates: 1000, period: 86400 }
    # Switches fullcmc on (RFC 7030, section 4.3).
    #fullCmc:
      # What signs the answers, never the key of the CA: PEM of a certificate with the extended key usage id-kp-cmcRA
      # or id-kp-cmcCA and of its intermediates, and PEM of its key.
      #signer: { certificate: cmc/signer.pem, privateKey: file:cmc/signer.key }
      # true: the CA backend speaks CMC itself and gets each request as it came, after all checks.
      #passThrough: false
    # Switches serverkeygen on: the gateway makes the private key, too (RFC 7030, section 4.4). Left out: off.
    #serverKeyGeneration:
      # What is made: the kind of the CSR's key if it is here, or else the first. Also RSA-2048, RSA-3072, RSA-4096,
      # P-384, P-521, Ed25519, ML-DSA-44, ML-DSA-65, ML-DSA-87.
      #keys: [P-256]
      # Encrypts a key for its client, beyond TLS, when the CSR asks for it. Left out: refused.
      #encryption:
        # true: a CSR that does not ask for it is refused.
        #required: false
        # Signs the keys as their maker. PEM files: the certificate, then its intermediates; its key, RSA of 2048 to
        # 8192 bits, P-256, P-384 or P-521.
        #signer: { certificate: keygen/signer.pem, privateKey: 'file:keygen/signer.key' }
        # The AES keys that clients name by DecryptKeyIdentifier: lines of IDENTIFIER:KEY, both in hex.
        #keyEncryptionKeys: file:keygen/shared-keys
        # PEM files: RSA and EC certificates that clients name by AsymmetricDecryptKeyIdentifier, besides the one that
        # they show in TLS.
        #recipients: []
    # What a client may ask for.
    policy:
      # Attribute types that are copied from the CSR's subject; a CSR with another one is refused.
      #subject:
        #- commonName
        #- serialNumber
        #- organizationName
        #- organizationalUnitName
        #- countryName
        #- stateOrProvinceName
        #- localityName
      # Types of subjectAltName that are copied; a CSR with another one is refused.
      #subjectAltName: [dNSName, iPAddress]
      # Which names may be asked for. certificate: who shows a certificate of this CA, those in it alone; users and
      # vendor certificates any. identity: only the user's name, or those in the client certificate. any: no such bond.
      names: certificate
      # With names: identity, attributes of the subject beside the client's own: those whose values required.subject or
      # rules fix, and those of these types, which the client fills in as it likes.
      #freeSubject: []
      # Kinds of keys that are certified. RSA: 2048 to 8192 bits; RSA-3072 and the like: this length. If it is not all
      # of them, csrattrs asks for the first one.
      #keys: [RSA, P-256, P-384, P-521, Ed25519, ML-DSA-44, ML-DSA-65, ML-DSA-87]
      # How a CSR may be signed; csrattrs asks for the first one that fits the key. Left out: any that fits.
      #signatureAlgorithms: [sha256WithRSAEncryption, ecdsaWithSHA256, Ed25519, ML-DSA-44, ML-DSA-65, ML-DSA-87]
      # required: a CSR must carry the channel binding of its TLS session, tls-unique or tls-exporter, as
      # challengePassword (RFC 7030, section 3.5). It is verified in either case.
      #linking: optional
      # required: the CSR for a first certificate must hold an enrolment code as otpChallenge (RFC 7894): that of the
      # HTTP user, or of the user named by the commonName.
      #otpChallenge: unused
      # What a CSR must hold: csrattrs says it, and a CSR without it is refused. Each key has its value, a list of all
      # its values, or nothing: a blank that the client fills in.
      #required:
        # A renewal keeps its old names.
        #subject: { commonName: }
        #subjectAltName: {}
        # Exactly these.
        #keyUsage: [digitalSignature]
        #extendedKeyUsage: [clientAuth]
        # By name or object identifier, such as tlsFeature or macAddress; a value is the base64 of its DER.
        #extensions: {}
        #attributes: {}
      # What ties names to the client (docs/policy.md has the language): 'subject.commonName == identity.username',
      # 'subjectAltName.dNSName in *.\${identity.username}.devices.example'. A renewal keeps its old names.
      #rules: []
      # A JSON Schema (2020-12) that every request must fit, renewals too: in a file (JSON or YAML), or here.
      #schema: policy/requests.yaml
      # A service of your own that has the last word about each request (docs/policy.md has question and answer). What it
      # does not permit is refused; while it does not answer, everything is (503).
      #webhook:
        # Plain http only on this machine: localhost, 127.0.0.1, [::1].
        #url: https://inventory.example/est/decide
        # PEM file: the CAs that its TLS certificate may come from.
        #trustAnchor: inventory-ca.pem
        # By which it knows the gateway: a client certificate, a bearer token, or both.
        #clientCertificate:
          #certificate: inventory-client.pem
          #privateKey: file:inventory-client.key
          # Left out: the private key is not encrypted.
          #passphrase: file:inventory-client.passphrase
        #token: env:INVENTORY_TOKEN
        # Seconds.
        #timeouts: { connect: 5, answer: 5 }
        # Octets of an answer; questions at once, and how many more may wait.
        #limits: { maxResponse: 65536, concurrency: 200, queue: 2000 }
        # After so many failures in a row the service is left alone for so many seconds; clients get 503 at once.
        #circuitBreaker: { failures: 10, pause: 10 }
      # true: the attribute ChangeSubjectName (RFC 6402) may ask for other names than those of the client certificate,
      # under the rules of a first enrolment.
      #changeSubjectName: false
      # false: simplereenroll wants a new key each time.
      #renewWithSameKey: true
      # Percentage of a certificate's validity that must have passed before it may be renewed.
      #renewAfterPercent: 0
      # true: a certificate of the CA that was issued at another alias may be renewed here.
      #renewOtherAliases: false
      # Days in which an expired certificate of the CA may still renew itself, and do nothing else; the log line of each
      # such request has expiredAt.
      #renewExpiredDays: 0
      # How many certificates a client may get in how many seconds: a user, also by the certificates that it got, or the
      # holder of any other certificate; of a registration authority, each subject. Left out: as many as it likes.
      #quota:
        #certificates: 10
        #period: 86400
${ejbcaAliasText}
${passThroughText}
# Bounds of the EST listener.
limits:
  # Octets of a request body as sent.
  #bodyBytes: 65536
  # Seconds until the header of a request must be complete.
  #headersTimeout: 10
  # Seconds that a request may take, the CA included.
  #requestTimeout: 30
  # Seconds until a TLS handshake must be complete.
  #handshakeTimeout: 10
  # Connections at once; more are closed at once.
  connections: 10000
  # Of these, those of one address, which may be that of a whole site.
  #connectionsPerAddress: 2500
  # Seconds in which a repeat of the same request gets the same certificate while it is good, so that a lost reply costs
  # nothing.
  #repeatWindow: 3600
  # Requests of one user or client certificate that may wait for the CA at one alias; for more: 429.
  #pendingPerIdentity: 100
  # Requests that may wait for the CA at one alias; for more: 503.
  #pendingPerAlias: 10000
  # Seconds after which a waiting request that its client does not repeat has lapsed, approved or not;
  # at least the retryAfter of every backend that lets requests wait.
  #pendingExpiry: 604800
  # Different wrong codes for one user from one address that cost nothing; after each further one 429, for one second and
  # ever longer. Other users behind that address, and the user elsewhere, wait for nothing.
  #wrongCodes: 5
  # Seconds of the longest wait.
  #wrongCodeWait: 900

# Bounds of what is fetched to find out what is revoked. Redirects are never followed.
#revocation:
  # Networks to connect to besides public addresses, such as 10.0.0.0/8.
  #allowedNetworks: []
  # Seconds for one whole answer.
  #timeout: 5
  # Octets of a CRL or an OCSP answer.
  #maxBytes: 33554432
  # Seconds after which it is asked again, although nextUpdate is later.
  #refresh: 3600

# One line per request, on standard output.
logging:
  # error, warn, info or debug: this level and the more urgent ones are written.
  level: info
  # json, text, or auto: text on a terminal, and JSON otherwise.
  #format: auto
`;
}

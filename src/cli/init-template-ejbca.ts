/** What the configuration file says about EJBCA as a backend. */
export const ejbcaBackendText = `  # EJBCA 8.1 or newer, Community or Enterprise, over its REST API.
  #ejbca:
    #driver: ejbca
    # Where EJBCA is.
    #baseUrl: https://ejbca.example/ejbca
    # PEM file: the CAs that its TLS certificate may come from.
    #trustAnchor: ejbca/management-ca.pem
    # The key and certificate by which EJBCA knows the gateway: PEM of the certificate and its intermediates, and of the
    # key; or both in a PKCS#12 file. The passphrase is left out where the key is not encrypted.
    #clientCertificate:
      #certificate: ejbca/gateway.pem
      #privateKey: file:ejbca/gateway.key
      #pkcs12: ejbca/gateway.p12
      #passphrase: file:ejbca/passphrase
    # In place of it, bearer tokens: one that others renew, read anew from its file, or the client credentials grant of
    # an identity provider (RFC 6749, section 4.4).
    #oauth:
      #token: file:ejbca/token
      #clientCredentials:
        #tokenUrl: https://idp.example/token
        #clientId: est-gateway
        #clientSecret: file:ejbca/client-secret
        # Left out: what the identity provider gives by itself.
        #scope: ejbca
        #trustAnchor: ejbca/idp-ca.pem
    # Seconds after which a client whose request waits for approval in EJBCA shall ask again.
    #retryAfter: 300
    # Seconds after which EJBCA ends a transaction that has not come to its end. Where the gateway cannot register end
    # entities before it asks for their certificates, an enrolment whose answer was lost is repeated only then.
    #transactionTimeout: 300
    # complete: a client certificate of the CA that EJBCA does not have was never issued, and is refused. incomplete: other
    # sources of "revocation" decide about it; for CAs and profiles that do not store certificates.
    #record: complete
    # Seconds until a TLS connection must be there, and until an answer must be complete.
    #timeouts:
      #connect: 5
      #answer: 15
    #limits:
      # Octets of an answer.
      #maxResponse: 8388608
      # Requests at once.
      #concurrency: 200
      # Requests that may wait; for more: 503.
      #queue: 2000
    # After failures in a row EJBCA is left alone for a pause in seconds, and clients get 503 at once.
    #circuitBreaker:
      #failures: 10
      #pause: 10

`;

/** What it says about an alias in front of EJBCA. */
export const ejbcaAliasText = `
  # An alias in front of EJBCA has the settings of an EST alias of EJBCA Enterprise, in place of profile and
  # authentication.
  #meters:
    #backend: ejbca
    #ejbca:
      # The names of the CA and of the profiles in EJBCA.
      #certificateAuthority: Device CA
      #certificateProfile: ENDUSER
      #endEntityProfile: EMPTY
      # ra: the end entity is made, or changed, when the request comes in (the default). client: it was registered
      # before, with an enrolment code that EJBCA checks.
      #operationMode: client
      # RA mode: what a client must show to enrol. A renewal needs the certificate, and nothing else.
      #requireClientCertificate: true
      # The users are those of "est-gateway user add".
      #requireUsernameAndPassword: false
      # RA mode: the name of the end entity. DN: the first of the parts of the subject that is there, such as CN;UID;SN,
      # or all of it when there are none; RANDOM: 12 letters and digits; FIXED: the parameters; USERNAME: the subject.
      # \${RANDOM} in prefix and postfix stands for 12 letters and digits.
      #nameGeneration:
        #scheme: DN
        #parameters: CN
        #prefix: ''
        #postfix: ''
      # Client mode: where the enrolment code is: ChallengePwd (the challengePassword of the CSR), DnPartPwd (a part of
      # its subject) or HttpBasicAuth.
      #authenticationModule: ChallengePwd
      # Which part of the subject names the end entity, and which one holds the code for DnPartPwd. DN: all of it.
      #extractUsernameComponent: DN
      #extractDnPartPasswordComponent: DN
      # Client mode: a certificate of these CAs in EJBCA takes the place of the enrolment code.
      #vendorCertificateMode: false
      #vendorCas: []
      # Vendor mode: ChangeSubjectName may hold the names of the end entity.
      #allowChangeSubjectName: false
      # false: simplereenroll wants a new key each time.
      #allowUpdateWithSameKey: true
      # true: switches serverkeygen on, with a P-256 key unless serverKeyGeneration says otherwise.
      #serverKeyGeneration: false
`;

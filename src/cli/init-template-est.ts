/** What the configuration file says about an EST server elsewhere as a backend. */
export const estBackendText = `  # A CA that speaks EST elsewhere: in another network, under another name, with another trust.
  #headquarters:
    #driver: est
    # Where its EST is, with its alias if it has one.
    #url: https://ca.example/.well-known/est
    # PEM file: the CAs that its TLS certificate may come from.
    #trustAnchor: headquarters/trust-anchor.pem
    # PEM of the certificate by which it knows the gateway, and of its intermediates; PEM of the key.
    #clientCertificate:
      #certificate: headquarters/gateway.pem
      #privateKey: file:headquarters/gateway.key
      #passphrase: file:headquarters/passphrase
    # A user of HTTP Basic that the gateway is besides, where the upstream wants one.
    #basic:
      #username: gateway
      #password: file:headquarters/password
    # registrationAuthority: the upstream knows the gateway alone, and believes it (id-kp-cmcRA). clientCert: the
    # certificate of the device goes along as Client-Cert (RFC 9440), for an upstream that takes the gateway for its proxy.
    #identity: registrationAuthority
    # What the upstream is asked for a renewal: simplereenroll, or simpleenroll where it lets a registration authority renew
    # only the certificate that it sees.
    #renewals: simplereenroll
    # A CSR with the channel binding between device and gateway, which the upstream cannot verify: refuse or send.
    #linked: refuse
    # Operations whose answers go to the client octet for octet, while they come in: cacerts, csrattrs, simpleenroll,
    # simplereenroll. Answers of the others are read and written anew; csrattrs then says what the alias's policy demands.
    #relay: [csrattrs]
    # Seconds after which a client whose request waits shall ask again, where the upstream does not say.
    #retryAfter: 300
    #timeouts:
      #connect: 5
      #answer: 15
    #limits:
      #maxResponse: 1048576
      #concurrency: 200
      #queue: 2000
    #circuitBreaker:
      #failures: 10
      #pause: 10

`;

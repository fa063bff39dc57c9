/** `passThrough` in the configuration file that `init` writes. */
export const passThroughText = `# Public documents of CAs elsewhere, on both listeners, for devices that reach nothing but the gateway. Left out: none.
#passThrough:
  # All that is passed through: the path here, what it is (crl, complete or delta; ocsp; certificate; page), and the URL
  # that is asked. Never another path, never a redirect.
  #paths:
    #/crl/issuing.crl: { kind: crl, upstream: 'http://pki.example/crl/issuing.crl' }
    #/crl/issuing-delta.crl: { kind: crl, upstream: 'http://pki.example/crl/issuing-delta.crl' }
    #/ocsp: { kind: ocsp, upstream: 'http://ocsp.example/' }
    #/aia/issuing.cer: { kind: certificate, upstream: 'http://pki.example/aia/issuing.cer' }
    #/cps.html:
      #kind: page
      #upstream: https://www.example/cps.html
      # PEM file: the CAs that the upstream's TLS certificate may come from. Left out: the public ones that Node knows.
      #trustAnchor: www-trust-anchor.pem
      # Octets of a document.
      #maxBytes: 33554432
  # Private networks that the host names of upstreams may lead to, such as 10.0.0.0/8; a URL with an address needs none.
  #allowedNetworks: []
  # Seconds until an answer begins, and between its pieces.
  #timeout: 15
  # Seconds for which a document is given again if its upstream does not say; never beyond its nextUpdate.
  #maxAge: 300
  # Seconds for which an older document is given while the upstream is down, unless that forbids it.
  #staleFor: 86400
  # Octets of memory for documents.
  #cacheBytes: 67108864
`;

import type { DocumentKindName } from '../config/configuration.ts';
import { crlHeadOctets, readNextUpdate } from '../pkix/crl-head.ts';
import { readOcspValidity } from '../pkix/ocsp-validity.ts';

/** What a document says about how long it may be given. */
export interface Validity {
  /** False: for one client at one moment. */
  readonly isStorable: boolean;
  readonly nextUpdate: Date | undefined;
  /** Whether it is worth nothing after that, also while the upstream is down. */
  readonly endsThen: boolean;
}

/** What is expected of a kind of document. */
export interface DocumentKind {
  readonly methods: readonly string[];
  /** What the upstream may call it, in lower case, without parameters. */
  readonly mediaTypes: readonly string[];
  /** What clients are told; undefined: as the upstream says. */
  readonly mediaType: string | undefined;
  /** How many octets must be there before a client gets the first; Infinity: all. */
  readonly headOctets: number;
  /** Throws DerError when the document is of another kind. `head` has `headOctets`, or is all of the document. */
  readValidity(head: Buffer): Validity;
  /** Further header fields of the answer. */
  readonly headers: Readonly<Record<string, string>>;
}

function readNothing(): Validity {
  return { isStorable: true, nextUpdate: undefined, endsThen: false };
}

const nosniff = { 'X-Content-Type-Options': 'nosniff' };

/** RFC 5280, sections 4.2.1.13 and 4.2.2.1; RFC 6960, appendix A; RFC 2585. */
export const kindsByName: Readonly<Record<DocumentKindName, DocumentKind>> = {
  crl: {
    methods: ['GET', 'HEAD'],
    mediaTypes: ['application/pkix-crl', 'application/x-pkcs7-crl', 'application/octet-stream'],
    mediaType: 'application/pkix-crl',
    headOctets: crlHeadOctets,
    readValidity: (head) => ({ isStorable: true, nextUpdate: readNextUpdate(head), endsThen: false }),
    headers: nosniff,
  },
  ocsp: {
    methods: ['GET', 'POST'],
    mediaTypes: ['application/ocsp-response'],
    mediaType: 'application/ocsp-response',
    headOctets: Infinity,
    readValidity: (head) => {
      const { isSuccessful, nextUpdate } = readOcspValidity(head);
      // Without nextUpdate there may be a newer one at any time (RFC 6960, section 4.2.2.1).
      return { isStorable: isSuccessful && nextUpdate !== undefined, nextUpdate, endsThen: true };
    },
    headers: nosniff,
  },
  certificate: {
    methods: ['GET', 'HEAD'],
    mediaTypes: [
      'application/pkix-cert',
      'application/x-x509-ca-cert',
      'application/pkcs7-mime',
      'application/x-pkcs7-certificates',
      'application/octet-stream',
    ],
    mediaType: undefined,
    headOctets: 0,
    readValidity: readNothing,
    headers: nosniff,
  },
  page: {
    methods: ['GET', 'HEAD'],
    mediaTypes: ['text/html', 'text/plain', 'application/pdf'],
    mediaType: undefined,
    headOctets: 0,
    readValidity: readNothing,
    // A page of somebody else must do nothing in the name of this host.
    headers: { ...nosniff, 'Content-Security-Policy': 'sandbox' },
  },
};

import type { Freshness } from './freshness.ts';
import type { GrowingOctets } from './growing-octets.ts';
import type { Validity } from './kinds.ts';

/** By which an upstream knows which version of a document it gave (RFC 9110, section 8.8). */
interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** A document of an upstream; its octets may still be coming in. */
export interface Document {
  readonly mediaType: string;
  /** Octets. */
  readonly length: number;
  readonly octets: GrowingOctets;
  readonly validity: Validity;
  readonly freshness: Freshness;
  readonly validators: Validators;
}

/** A document that is all there. */
export interface CachedDocument extends Document {
  /** The upstream's, or one that is made from the octets. */
  readonly etag: string;
}

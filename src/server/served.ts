import type { RequestListener } from 'node:http';
import type { SecureContextOptions } from 'node:tls';

/** What a listener serves, until something else takes its place. */
export interface Served {
  readonly handler: RequestListener;
  /** What TLS is made with, where it ends at the listener. */
  readonly secureContext?: SecureContextOptions | undefined;
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { CertificationAuthority } from '../ca/ca.ts';
import { toEstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';

const path = /^\/(crl|ca)\/([A-Za-z0-9._-]+)\.(crl|cer)$/;

/**
 * Serves over plain HTTP what relying parties fetch without TLS: `/crl/<backend>.crl`, the CRL, and
 * `/ca/<backend>.cer`, the issuing certificate (RFC 5280, sections 4.2.1.13 and 4.2.2.1). Never EST.
 */
export function createPublicationHandler(
  backends: ReadonlyMap<string, CertificationAuthority>,
  log: Log,
): RequestListener {
  return function publish(request: IncomingMessage, response: ServerResponse): void {
    void answer(request).then(({ status, type, body, headers }) => {
      response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length, ...headers });
      response.end(body);
    });
  };

  async function answer(request: IncomingMessage): Promise<Publication> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return text(405, 'Only GET and HEAD are used here.', { Allow: 'GET, HEAD' });
    }
    const [, folder, name = '', suffix] = path.exec(request.url ?? '') ?? [];
    const ca = backends.get(name);
    try {
      const signal = AbortSignal.timeout(10_000);
      if (folder === 'crl' && suffix === 'crl' && ca?.crl !== undefined) {
        return publication('application/pkix-crl', await ca.crl(signal));
      }
      if (folder === 'ca' && suffix === 'cer' && ca !== undefined) {
        return publication('application/pkix-cert', await issuingCertificate(ca, signal));
      }
      return text(404, 'There is nothing here; EST is served over HTTPS only.');
    } catch (thrown) {
      const error = toEstError(thrown);
      log.error('publication failed', { backend: name, error: error.cause ?? error });
      return text(error.status, error.sentence);
    }
  }
}

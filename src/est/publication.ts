import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { CertificationAuthority } from '../ca/ca.ts';
import { toEstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';

/** How long the CA may take to sign a CRL, in milliseconds. */
const deadline = 10_000;

interface Publication {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

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
    void answer(request).then(({ status, headers, body }) => {
      response.writeHead(status, { ...headers, 'Content-Length': body.length });
      response.end(body);
    });
  };

  async function answer(request: IncomingMessage): Promise<Publication> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sentence(405, 'Only GET and HEAD are used here.', { Allow: 'GET, HEAD' });
    }
    const [, folder, name = '', suffix] = path.exec(request.url ?? '') ?? [];
    const ca = backends.get(name);
    const signal = AbortSignal.timeout(deadline);
    try {
      if (folder === 'crl' && suffix === 'crl' && ca?.crl !== undefined) {
        return der('application/pkix-crl', await ca.crl(signal));
      }
      if (folder === 'ca' && suffix === 'cer' && ca?.issuingCertificate !== undefined) {
        return der('application/pkix-cert', await ca.issuingCertificate(signal));
      }
      return sentence(404, 'There is nothing here; EST is served over HTTPS only.');
    } catch (thrown) {
      const error = toEstError(thrown);
      log.error('A CRL or CA certificate could not be served.', {
        backend: name,
        error: error.cause ?? error,
      });
      return sentence(error.status, error.sentence);
    }
  }
}

function der(mediaType: string, body: Buffer): Publication {
  return { status: 200, headers: { 'Content-Type': mediaType }, body };
}

function sentence(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Publication {
  return { status, headers: { 'Content-Type': 'text/plain', ...headers }, body: Buffer.from(`${text}\n`) };
}

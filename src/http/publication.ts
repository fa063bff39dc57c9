import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { CertificationAuthority } from '../ca/ca.ts';
import { EstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { plainAddress } from '../ops/networks.ts';
import { refusalReply, send, type Reply } from './reply.ts';
import { refusalOf } from './body.ts';
import { checkFraming } from './request.ts';
import { pathOf } from './request-target.ts';

/** How long the CA may take to sign a CRL, in milliseconds. */
const deadline = 10_000;

/** Octets of a request body, which nobody reads. */
const bodyBytes = 0;

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
    const requestId = randomUUID();
    const { remoteAddress } = request.socket;
    void find(request).then(
      (reply) => {
        send(request, response, reply, bodyBytes);
      },
      (thrown: unknown) => {
        const error = refusalOf(request, thrown);
        send(request, response, refusalReply(request, error, requestId), bodyBytes);
        const { code: outcome, status, message: reason } = error;
        const address = remoteAddress && plainAddress(remoteAddress);
        const fields = { requestId, method: request.method, outcome, status, address, reason };
        if (status < 500) log.info('request', fields);
        else log.error('request', { ...fields, error: error.cause });
      },
    );
  };

  async function find(request: IncomingMessage): Promise<Reply> {
    checkFraming(request);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new EstError('method_not_allowed', 'Only GET and HEAD are used here.', {
        headers: { Allow: 'GET, HEAD' },
      });
    }
    const [, folder, name = '', suffix] = path.exec(pathOf(request)) ?? [];
    const ca = backends.get(name);
    const signal = AbortSignal.timeout(deadline);
    if (folder === 'crl' && suffix === 'crl' && ca?.crl !== undefined) {
      return der('application/pkix-crl', await ca.crl(signal));
    }
    if (folder === 'ca' && suffix === 'cer' && ca?.issuingCertificate !== undefined) {
      return der('application/pkix-cert', await ca.issuingCertificate(signal));
    }
    throw new EstError('unknown_operation', 'There is nothing here; EST is served over HTTPS only.');
  }
}

function der(mediaType: string, body: Buffer): Reply {
  return { status: 200, headers: { 'Content-Type': mediaType }, body, close: false };
}

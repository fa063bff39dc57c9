/** What relying parties see: CRLs. */
import { readRevocationList } from '../../../src/pkix/crl-read.ts';
import type { Running } from './running.ts';

/** The extension cRLNumber up to its value: id-ce-cRLNumber, and the tag of the octets around it. */
const crlNumberHead = Buffer.from('0603551d1404', 'hex');

/**
 * Checks the CRL of one gateway and one backend, another one each time: its number is above that of all that were made before it,
 * and it has every certificate that was revoked and has not expired, for its reason.
 */
export function createCrlCheck(running: Running): () => Promise<void> {
  const { world, gateways, note } = running;
  const seen = new Set<string>();
  let last = 0;
  let turn = 0;

  return async function check() {
    turn += 1;
    const { first, second } = running.names;
    const gateway = gateways[turn % gateways.length];
    const backend = turn % 4 < 2 ? first : second;
    const der = await gateway?.crl(backend);
    if (der === undefined) return;
    const list = await readRevocationList(der);
    const number = crlNumberIn(der);
    const text = der.toString('base64');
    if (!seen.has(text) && number <= last) note(`a new CRL has the number ${number}, after ${last}`);
    last = Math.max(last, number);
    seen.add(text);
    for (const { certificate, revocation } of world.issued) {
      if (revocation === undefined || certificate.notAfter.getTime() < world.now()) continue;
      const listed = list.revocationOf(certificate.serialNumber)?.reason;
      if (listed !== revocation.reason) {
        note(`the CRL says ${String(listed)} of a certificate that was revoked for ${revocation.reason}`);
      }
    }
  };
}

function crlNumberIn(der: Buffer): number {
  // Then come the lengths of the octets and of the INTEGER around its tag.
  const at = der.indexOf(crlNumberHead) + crlNumberHead.length + 2;
  return der.readUIntBE(at + 1, der.readUInt8(at));
}

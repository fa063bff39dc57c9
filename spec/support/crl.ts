import { integer, tlv } from './csr.ts';

/** What a CRL for a test looks like. */
export interface CrlParts {
  readonly thisUpdate?: Date;
  /** Null: the CRL has none. */
  readonly nextUpdate?: Date | null;
  /** Octets of entries that mean nothing. */
  readonly filler?: number;
}

const sequence = 0x30;
const ecdsaWithSha256 = tlv(sequence, Buffer.from('06082a8648ce3d040302', 'hex'));
const nobody = tlv(sequence);

/** A CRL that nobody signed, of any size. */
export function crlDer({ thisUpdate = new Date(), nextUpdate, filler = 0 }: CrlParts = {}): Buffer {
  const next = nextUpdate === undefined ? new Date(Date.now() + 3_600_000) : nextUpdate;
  const tbsCertList = tlv(
    sequence,
    integer(1n),
    ecdsaWithSha256,
    nobody,
    utcTime(thisUpdate),
    ...(next === null ? [] : [utcTime(next)]),
    tlv(sequence, Buffer.alloc(filler, 0x2a)),
  );
  return tlv(sequence, tbsCertList, ecdsaWithSha256, tlv(0x03, Buffer.alloc(71)));
}

function utcTime(date: Date): Buffer {
  const [day = '', time = ''] = date.toISOString().slice(2, 19).replaceAll('-', '').split('T');
  return tlv(0x17, Buffer.from(`${day}${time.replaceAll(':', '')}Z`));
}

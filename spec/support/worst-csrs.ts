/** CSRs of a legal size, each of which asks for as much work of one kind as fits into it. */
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  integer,
  keyPair,
  null_,
  objectIdentifier,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from './csr.ts';

/** Octets of the body of a request, by default. */
const bodyOctets = 65_536;

/** As many of what `make` gives as fit into a body beside the rest of a CSR, and at most `most`. */
function asManyAsFit(
  make: (index: number) => Buffer,
  most = Infinity,
  budget = bodyOctets - 700,
): readonly Buffer[] {
  const made: Buffer[] = [];
  for (let index = 0, length = 0; index < most; index += 1) {
    const next = make(index);
    length += next.length;
    if (length > budget) break;
    made.push(next);
  }
  return made;
}

/** A SET in a Name. */
function level(...attributes: readonly (readonly [type: string, text: string])[]): Buffer {
  return set(...attributes.map(([type, text]) => sequence(objectIdentifier(type), utf8String(text))));
}

/** SEQUENCEs in each other. */
function nested(depth: number, budget = bodyOctets): Buffer {
  let inner = null_;
  for (let at = 0; at < depth && inner.length < budget; at += 1) inner = sequence(inner);
  return inner;
}

/** GeneralName of the kind directoryName. */
const directoryName = (...levels: readonly Buffer[]): Buffer => tlv(0xa4, sequence(...levels));
/** An object identifier of 61 octets, most of them in one arc. */
const longOid = (index: number): Buffer =>
  tlv(
    0x06,
    Buffer.concat([Buffer.of(0x2a), Buffer.alloc(58, 0xff), Buffer.of(0x80 | (index >> 7), index & 0x7f)]),
  );

/** What each is made of, by what it is about. */
export const worstRequests: Readonly<
  Record<string, () => CertificationRequestParts | Promise<CertificationRequestParts>>
> = {
  'dNSNames, as many as are accepted': () => ({
    extensions: [subjectAltName(...asManyAsFit((index) => generalName(2, `host-${index}.example`), 1000))],
  }),
  'dNSNames, as long as they fit': () => ({
    extensions: [
      subjectAltName(...asManyAsFit((index) => generalName(2, `${'a.'.repeat(120)}h${index}`), 1000)),
    ],
  }),
  'dNSNames, as many as fit': () => ({
    extensions: [subjectAltName(...asManyAsFit((index) => generalName(2, `h${index}`)))],
  }),
  'directoryNames of one attribute': () => ({
    extensions: [
      subjectAltName(
        ...asManyAsFit((index) => directoryName(level([id.commonName, `device ${index}`])), 1000),
      ),
    ],
  }),
  'directoryNames of many attributes': () => ({
    extensions: [
      subjectAltName(
        ...asManyAsFit(
          (index) =>
            directoryName(
              level(
                ...Array.from({ length: 60 }, (_, at): [string, string] => [
                  id.organizationName,
                  `É${at} ${index}`,
                ]),
              ),
            ),
          1000,
        ),
      ),
    ],
  }),
  'iPAddresses of version 6': () => ({
    extensions: [
      subjectAltName(
        ...asManyAsFit(
          (index) =>
            generalName(7, Buffer.concat([Buffer.alloc(14, 0xfd), Buffer.of(index >> 8, index & 0xff)])),
          1000,
        ),
      ),
    ],
  }),
  URIs: () => ({
    extensions: [
      subjectAltName(...asManyAsFit((index) => generalName(6, `urn:${'a:'.repeat(900)}${index}`), 1000)),
    ],
  }),
  registeredIDs: () => ({
    extensions: [subjectAltName(...asManyAsFit((index) => generalName(8, longOid(index).subarray(2)), 1000))],
  }),
  'attributes of the subject, one a level': () => ({
    subject: sequence(
      level([id.commonName, 'bench']),
      ...asManyAsFit((index) => level([id.organizationName, `O ${index}`])),
    ),
  }),
  'attributes of the subject in one level': () => ({
    subject: sequence(
      set(
        ...asManyAsFit((index) => sequence(objectIdentifier(id.organizationName), utf8String(`É ${index}`))),
      ),
    ),
  }),
  'types in the subject of long object identifiers': () => ({
    subject: sequence(set(...asManyAsFit((index) => sequence(longOid(index), utf8String('a'))))),
  }),
  'values of the subject that grow when they are folded': () => ({
    subject: sequence(...asManyAsFit(() => level([id.organizationName, '\u{FDFA}'.repeat(60)]))),
  }),
  'spaces in values of the subject': () => ({
    subject: sequence(...asManyAsFit(() => level([id.organizationName, `É${' '.repeat(62)}É`]))),
  }),
  attributes: () => ({
    attributes: asManyAsFit((index) => attribute(`1.2.${index}`, null_)),
  }),
  'values of one attribute': () => ({
    attributes: [attribute('1.2.3', ...asManyAsFit(() => null_))],
  }),
  '128 extensions of many values': () => ({
    extensions: asManyAsFit(
      (index) => extension(`1.2.${index}`, sequence(...Array.from({ length: 220 }, () => null_))),
      127,
    ),
  }),
  '1,000 extensions': () => ({
    extensions: asManyAsFit((index) => extension(`1.2.${index}`, null_)),
  }),
  'purposes of extendedKeyUsage': () => ({
    extensions: [extension(id.extendedKeyUsage, sequence(...asManyAsFit(longOid)))],
  }),
  'SEQUENCEs in each other': () => ({ attributes: [nested(20_000)] }),
  'SEQUENCEs in each other, as deep as is accepted': () => ({
    attributes: [attribute('1.2.3', ...asManyAsFit(() => nested(24)))],
  }),
  'a BMPString': () => ({
    subject: sequence(
      set(sequence(objectIdentifier(id.organizationName), tlv(0x1e, Buffer.alloc(64_000, 0x41)))),
    ),
  }),
  'a UniversalString': () => ({
    subject: sequence(
      set(
        sequence(
          objectIdentifier(id.organizationName),
          tlv(0x1c, Buffer.concat(Array.from({ length: 16_000 }, () => Buffer.of(0, 0, 0, 0x41)))),
        ),
      ),
    ),
  }),
  'a serialNumber of digits': () => ({
    subject: sequence(set(sequence(objectIdentifier('2.5.4.5'), utf8String('9'.repeat(64_000))))),
  }),
  'a version of 2,100 octets': () => ({ version: tlv(0x02, Buffer.alloc(2100, 1)) }),
  'an RSA key of 8192 bits': async () => ({ key: await keyPair('RSA-8192') }),
  'an RSA key of 16384 bits': () => ({
    spki: sequence(
      sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_),
      tlv(3, Buffer.concat([Buffer.of(0), sequence(integer((1n << 16383n) + 1n), integer(65537n))])),
    ),
  }),
};

/** A new one of them, DER. */
export async function worstRequest(what: string): Promise<Buffer> {
  const make = worstRequests[what];
  if (make === undefined) throw new Error(`There is no such request: ${what}`);
  return await certificationRequest({ key: await generateKeyPair('P-256'), ...(await make()) });
}

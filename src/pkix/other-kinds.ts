import { contextTag, tags, type DerNode } from './der.ts';

/**
 * What a body seems to be that is no PKCS#10, with an article, for the message: people post the wrong file.
 * Undefined when it looks like nothing that we know. It goes by the shape alone and never throws.
 */
export function guessOtherKind(root: DerNode): string | undefined {
  if (root.tag !== tags.sequence) return undefined;
  return kinds.find(({ matches }) => matches(root))?.kind;
}

interface OtherKind {
  readonly kind: string;
  readonly matches: (root: DerNode) => boolean;
}

const { bitString, integer, objectIdentifier, octetString, sequence, utcTime, generalizedTime } = tags;
const versionTag = contextTag(0, 'constructed');

const kinds: readonly OtherKind[] = [
  { kind: 'a PKCS#7 or CMS message', matches: (root) => startsWith(root, objectIdentifier, versionTag) },
  { kind: 'a certificate revocation list', matches: ({ children: [list] }) => hasTime(list) },
  { kind: 'a certificate', matches: isCertificate },
  { kind: 'a private key, which should never leave its device', matches: isPrivateKey },
  { kind: 'a PKCS#12 file', matches: (root) => startsWith(root, integer, sequence, sequence) },
  {
    kind: 'a public key',
    matches: (root) => startsWith(root, sequence, bitString) && root.children.length === 2,
  },
];

/** PKCS#8, plain or encrypted; SEC 1; PKCS#1. */
function isPrivateKey(root: DerNode): boolean {
  return (
    startsWith(root, integer, sequence, octetString) ||
    startsWith(root, integer, octetString) ||
    (startsWith(root, sequence, octetString) && root.children.length === 2) ||
    startsWith(root, ...Array.from({ length: 9 }, () => integer))
  );
}

/** Version 3, or version 1, which begins with the serial number. */
function isCertificate({ children: [tbs, ...rest] }: DerNode): boolean {
  if (tbs === undefined || rest.length !== 2) return false;
  return (
    startsWith(tbs, versionTag, integer, sequence, sequence) || startsWith(tbs, integer, ...fiveSequences)
  );
}

const fiveSequences = Array.from({ length: 5 }, () => sequence);

/** Of these structures only the list of revocations has a time among its direct parts. */
function hasTime(list: DerNode | undefined): boolean {
  return list?.children.some(({ tag }) => tag === utcTime || tag === generalizedTime) ?? false;
}

function startsWith({ children }: DerNode, ...expected: readonly number[]): boolean {
  return expected.every((tag, index) => children[index]?.tag === tag);
}

/** What a text holds where PEM of something else was expected, in words for its owner, and never the text itself. */
export function foundInPlace(text: string): string {
  if (text.trim() === '') return 'the file is empty';
  const [, label] = /-----BEGIN ([A-Z][A-Z0-9 ]{0,39})-----/.exec(text) ?? [];
  if (label === 'TRUSTED CERTIFICATE') {
    return 'the file holds TRUSTED CERTIFICATE, a form of OpenSSL\'s own, which "openssl x509 -in FILE -out NEW" converts';
  }
  if (label !== undefined) return `the file holds ${label}`;
  return isBinary(text)
    ? 'the file is binary, such as DER, which "openssl x509" and "openssl pkey" convert with "-inform DER"'
    : 'the file has no line "-----BEGIN ...-----"';
}

/** Texts that are read as UTF-8 have the replacement character where they were none. */
function isBinary(text: string): boolean {
  return /[\0-\x08\x0e-\x1f\ufffd]/.test(text);
}

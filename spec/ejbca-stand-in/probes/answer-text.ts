/** An answer as one line that two installations can be compared by. */
import type { Answer } from '../../support/client.ts';

/** Status, media type and text, with placeholders for what differs each time. SOAP: without media type. */
export function answerText({ status, headers, body }: Answer): string {
  const [mediaType = ''] = (headers['content-type'] ?? '').split(';');
  if (mediaType === 'text/xml') return normalized(`${status}  ${soapText(body)}`);
  return normalized(
    `${status} ${mediaType} ${mediaType === 'application/json' ? jsonText(body) : pageText(body)}`,
  );
}

/** Users `<U>`, numbers of six digits and more `<N>`, dates `<date>`, organisations `O=*`. */
export function normalized(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<date>')
    .replaceAll(/x[0-9a-f]{6}n\d+z/g, '<U>')
    .replaceAll(/-?\d{6,}/g, '<N>')
    .replaceAll(/O=(?:Gateway Test|Example|EJBCA Sample)/g, 'O=*')
    .replaceAll('ManagementCA', 'Management CA')
    .replaceAll(/localhost:\d+/g, 'localhost')
    .trim();
}

function jsonText(body: string): string {
  const value = JSON.parse(body) as Readonly<Record<string, unknown>>;
  if ('error_message' in value) return String(value['error_message']);
  if ('certificate' in value) return `issued ${JSON.stringify(Object.keys(value).sort())}`;
  if ('crl' in value) return `crl ${value['crl'] === null ? 'null' : 'DER'}`;
  return JSON.stringify(value);
}

function soapText(body: string): string {
  const [, fault] = /<faultstring>(.*?)<\/faultstring>/s.exec(body) ?? [];
  const [, exception = '-'] = /<detail>\s*<(?:\w+:)?(\w+)/.exec(body) ?? [];
  if (fault !== undefined) return `FAULT ${exception}: ${fault}`;
  return `SOAP ${body.replaceAll(/<[^>]*(?:Envelope|Body|Header)[^>]*>/g, '')}`;
}

function pageText(body: string): string {
  return body
    .replaceAll(/<style.*?<\/style>/gs, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 160);
}

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readEnvelope, writeEnvelope, type XmlContent } from '../../../src/ca/ejbca/soap-envelope.ts';
import { describeWith } from '../../support/programs.ts';

const ejbca = 'http://ws.protocol.core.ejbca.org/';
const soap = 'http://schemas.xmlsoap.org/soap/envelope/';

function answer(content: string): string {
  return `<soap:Envelope xmlns:soap="${soap}"><soap:Body>${content}</soap:Body></soap:Envelope>`;
}

function found(content: string): string {
  return answer(`<ns2:findUserResponse xmlns:ns2="${ejbca}">${content}</ns2:findUserResponse>`);
}

function resultsOf(xml: string): readonly XmlContent[] | undefined {
  const read = readEnvelope(xml, 'findUser');
  return read?.kind === 'results' ? read.results : undefined;
}

describe('an answer of the web service', () => {
  it.each<[string, string, readonly XmlContent[]]>([
    ['no result', found(''), []],
    ['an empty response element', answer(`<n:findUserResponse xmlns:n="${ejbca}"/>`), []],
    ['a result that is empty', found('<return/>'), ['']],
    ['one result', found('<return><a>1</a></return>'), [{ a: '1' }]],
    ['several', found('<return>x</return><return>y</return>'), ['x', 'y']],
    ['a member that is empty', found('<return><a></a><b/></return>'), [{ a: '', b: '' }]],
    ['a member that is a list', found('<return><a>1</a><b/><a>2</a></return>'), [{ a: ['1', '2'], b: '' }]],
    ['lines between members', found('\n <return>\n <a> 1 </a>\n</return>\n'), [{ a: ' 1 ' }]],
    ['CDATA', found('<return><![CDATA[a<b]]>&amp;c</return>'), ['a<b&c']],
    ['comments', found('<!-- <return>n</return> --><return>a<!-- b -->c</return>'), ['ac']],
    ['characters by number', found('<return>&#228;&#x1F600;&lt;&quot;&apos;</return>'), ['ä😀<"\'']],
    ['a declaration', `<?xml version='1.0' encoding='UTF-8'?>\n${found('<return>1</return>')}`, ['1']],
    [
      'other prefixes',
      `<Envelope xmlns="${soap}"><Header/><Body><findUserResponse xmlns="${ejbca}"><return xmlns="">1</return></findUserResponse></Body></Envelope>`,
      ['1'],
    ],
    [
      'a member like those of all objects',
      found('<return><__proto__>1</__proto__></return>'),
      [Object.fromEntries([['__proto__', '1']])],
    ],
  ])('with %s is read', (_name, xml, expected) => {
    expect(resultsOf(xml)).toStrictEqual(expected);
  });

  it('that is a fault gives the exception and its text', () => {
    const detail = `<detail><ns1:ApprovalException xmlns:ns1="${ejbca}"><requestId>7</requestId></ns1:ApprovalException></detail>`;
    const fault = (more: string): string =>
      answer(
        `<soap:Fault><faultcode>soap:Server</faultcode><faultstring>a &lt; b</faultstring>${more}</soap:Fault>`,
      );
    expect(readEnvelope(fault(detail), 'findUser')).toStrictEqual({
      kind: 'fault',
      exception: 'ApprovalException',
      message: 'a < b',
      approval: 7,
    });
    expect(readEnvelope(fault(''), 'findUser')).toMatchObject({ exception: '' });
  });

  const doctype = '<!DOCTYPE x [<!ENTITY e "grows">]>';

  it.each([
    ['nothing', ''],
    ['no XML', '{"return":1}'],
    ['HTML', '<html><body><p>Bad Gateway<br></body></html>'],
    ['XML that is cut off', found('<return>1</return>').slice(0, -20)],
    ['something after the end', `${found('')}<x/>`],
    ['an element that is not closed', found('<return><a>1</return>')],
    ['a document type', `${doctype}${found('<return>1</return>')}`],
    ['an entity of its own', `${doctype}${found('<return>&e;</return>')}`],
    ['an entity of nobody', found('<return>&e;</return>')],
    ['a prefix without namespace', answer('<x:findUserResponse/>')],
    ['the answer to another call', answer(`<n:editUserResponse xmlns:n="${ejbca}"/>`)],
    ['the right name in another namespace', answer('<findUserResponse xmlns="urn:other"/>')],
    ['SOAP 1.2', found('').replaceAll(soap, 'http://www.w3.org/2003/05/soap-envelope')],
    ['no body', `<soap:Envelope xmlns:soap="${soap}"/>`],
    ['larger than any', found(`<return>${' '.repeat(1_048_576)}</return>`)],
    ['elements without end', found(`${'<return>'.repeat(5000)}${'</return>'.repeat(5000)}`)],
  ])('that is %s is none', (_name, xml) => {
    expect(readEnvelope(xml, 'findUser')).toBeUndefined();
  });
});

/** Reads envelopes as JSON strings, one a line, and writes their text by Python's own parser. */
const reader = `
import json, sys, xml.etree.ElementTree as E
def content(e):
    return [[c.tag, content(c)] for c in e] if len(e) else (e.text or '')
for line in sys.stdin:
    root = E.fromstring(json.loads(line))
    print(json.dumps([root.tag, content(root)]))
`;

/** Writes answers with the texts of JSON lines, and then what Python's own parser reads of them. */
const writer = `
import json, sys, xml.etree.ElementTree as E
S, N = '${soap}', '${ejbca}'
for line in sys.stdin:
    root = E.Element('{%s}Envelope' % S)
    response = E.SubElement(E.SubElement(root, '{%s}Body' % S), '{%s}findUserResponse' % N)
    for text in json.loads(line): E.SubElement(response, 'return').text = text
    xml = E.tostring(root, encoding='unicode')
    print(json.dumps([xml, [r.text or '' for r in E.fromstring(xml).iter('return')]]))
`;

function python(program: string, lines: readonly unknown[]): readonly unknown[] {
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const output = execFileSync('python3', ['-c', program], { input, encoding: 'utf8' });
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** What XML 1.0 has no way to write. */
const noXml = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '&',
      '<',
      '>',
      ']]>',
      '"',
      "'",
      '\r',
      '\n',
      '\t',
      ' ',
      '&#13;',
      '\u0085',
      '\u2028',
      'ä',
      '😀',
    ),
  }),
  fc.string({ unit: fc.constantFrom('a', '\0', '\ud800', '\udfff', '\u000b', '\ufffe') }),
);

describeWith('python3', 'XML of others', () => {
  it('reads every text as it was given, and a text that XML cannot hold is not written', () => {
    const texts = fc.sample(fc.tuple(anyText, anyText, anyText), { numRuns: 1000, seed: 17 });
    const written = texts.map(([a, b, c]) => writeEnvelope('editUser', [a, { name: b, list: ['', c] }]));
    const writable = texts.filter((all) => !all.some((text) => noXml.test(text)));
    expect(writable.length).toBeGreaterThan(200);
    expect(written.filter((xml) => xml !== undefined)).toHaveLength(writable.length);
    const read = python(
      reader,
      written.filter((xml) => xml !== undefined),
    );
    expect(read).toStrictEqual(
      writable.map(([a, b, c]) => [
        `{${soap}}Envelope`,
        [
          [
            `{${soap}}Body`,
            [
              [
                `{${ejbca}}editUser`,
                [
                  ['arg0', a],
                  [
                    'arg1',
                    [
                      ['name', b],
                      ['list', ''],
                      ['list', c],
                    ],
                  ],
                ],
              ],
            ],
          ],
        ],
      ]),
    );
  });

  it('is read as it was written', () => {
    const texts = fc
      .sample(fc.array(anyText, { maxLength: 4 }), { numRuns: 1000, seed: 17 })
      .filter((all) => !all.some((text) => noXml.test(text)));
    for (const [xml, expected] of python(writer, texts) as readonly (readonly [string, string[]])[]) {
      expect(resultsOf(xml)).toStrictEqual(expected);
    }
  });
});

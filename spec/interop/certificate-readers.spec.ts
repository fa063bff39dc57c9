import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send } from '../support/client.ts';
import {
  certificationRequest,
  generateKeyPair,
  id,
  objectIdentifier,
  sequence,
  set,
  subjectAltName,
  tlv,
} from '../support/csr.ts';
import { basic, certificateOf, enrolment } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

/** The string types of ASN.1, how each writes a text, and what it may hold. */
const stringTypes = [
  [0x0c, 'utf8', 'Gerät-_@*ж'],
  [0x13, 'latin1', "Az09 '()+,-./:=?"],
  [0x13, 'latin1', 'dev_ice@1*'],
  [0x14, 'latin1', 'Gerät'],
  [0x16, 'latin1', 'dev_ice@1'],
  [0x1a, 'latin1', 'dev_ice 1'],
  [0x12, 'latin1', '0123 456'],
  [0x1e, 'ucs2', 'Gerätж'],
  [0x1c, 'ucs4', 'Gerätж'],
] as const;

function encode(text: string, encoding: (typeof stringTypes)[number][1]): Buffer {
  if (encoding === 'utf8' || encoding === 'latin1') return Buffer.from(text, encoding);
  const padded = encoding === 'ucs4' ? text.replaceAll(/./gu, '\0$&') : text;
  return Buffer.from(padded, 'utf16le').swap16();
}

const types = [
  '2.5.4.5',
  '2.5.4.46',
  '2.5.4.10',
  '2.5.4.11',
  '2.5.4.7',
  '2.5.4.12',
  '0.9.2342.19200300.100.1.1',
];

/** An attribute of a name: its type, its text, and the DER of its value. */
const attributes = fc
  .tuple(fc.constantFrom(...types), fc.constantFrom(...stringTypes))
  .chain(([type, [tag, encoding, alphabet]]) =>
    fc
      .string({ unit: fc.constantFrom(...Array.from(alphabet)), minLength: 1, maxLength: 12 })
      .filter((text) => text.trim() === text)
      .map((text) => ({ type, text, value: tlv(tag, encode(text, encoding)) })),
  );

const names = fc
  .uniqueArray(attributes, { minLength: 1, maxLength: 4, selector: ({ type }) => type })
  .map((own) => [{ type: id.commonName, text: 'reader', value: tlv(0x1a, Buffer.from('reader')) }, ...own]);

type Attributes = readonly { readonly type: string; readonly text: string; readonly value: Buffer }[];

const nameOf = (own: Attributes): Buffer =>
  sequence(...own.map(({ type, value }) => set(sequence(objectIdentifier(type), value))));

describeWith('javac', 'certificates whose names were asked for in every string type', () => {
  const asked: readonly Attributes[] = fc.sample(names, { numRuns: 60, seed: 5280 });
  const files = asked.map((_, at) => `${at}.pem`).join(' ');
  let gateway: TestGateway;
  let place: Workplace;

  beforeAll(async () => {
    place = await openWorkplace();
    const subject = [
      'commonName',
      'serialNumber',
      'dnQualifier',
      'organizationName',
      'organizationalUnitName',
    ];
    const policy = {
      names: 'any',
      subject: [...subject, 'localityName', 'title', 'userId'],
      subjectAltName: ['directoryName'],
    };
    gateway = await startTestGateway({ aliases: { est: { policy } } });
    for (const [at, own] of asked.entries()) {
      const csr = await certificationRequest({
        key: await generateKeyPair('P-256'),
        subject: nameOf(own),
        extensions: [subjectAltName(tlv(0xa4, nameOf(own)))],
      });
      const answer = await send(`${gateway.url}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(csr, { Authorization: basic }),
      });
      if (answer.status !== 200) throw new Error(`${answer.body} ${csr.toString('base64')}`);
      await writeFile(join(place.directory, `${at}.pem`), await certificateOf(answer));
    }
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), place.remove()]);
  });

  const linesOf = async (command: string): Promise<readonly string[]> =>
    (await place.bash(command)).trimEnd().split('\n');

  it('are read by Go, every text as it was asked for', async () => {
    const lines = await linesOf(
      `go run ${join(import.meta.dirname, 'certificate-readers/read.go')} ${files}`,
    );
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      asked.map((own) => own.map(({ type, text }) => [type, text])),
    );
  });

  it('are read by Java', async () => {
    const lines = await linesOf(
      `java ${join(import.meta.dirname, 'certificate-readers/Read.java')} ${files}`,
    );
    expect(lines).toHaveLength(asked.length);
    for (const line of lines) expect(line).toMatch(/CN=reader$/);
  });

  it('are read by OpenSSL as UTF8String and PrintableString alone', async () => {
    const lines = await linesOf(`for file in ${files}; do openssl asn1parse -in $file; done`);
    const found = lines.flatMap((line) => / prim: +(\w+STRING) /.exec(line)?.[1] ?? []);
    const strings = new Set(found.filter((type) => !/^(?:BIT|OCTET)/.test(type)));
    expect(strings).toEqual(new Set(['UTF8STRING', 'PRINTABLESTRING']));
  });
});

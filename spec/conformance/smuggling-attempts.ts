/** Requests that one reader of HTTP may take for something else than another one does. */
import { basic } from '../support/device.ts';

/** What an attempt is made of. */
export interface Parts {
  /** A whole request of a user, which gets a certificate when the gateway sees it. */
  readonly smuggled: string;
  /** A CSR in base64. */
  readonly csr: string;
  /** A good client certificate, as proxies hand it on. */
  readonly certificate: { readonly percentEncoded: string; readonly byteSequence: string };
}

/**
 * The rows that an attempt proves, what it is, its octets, the statuses with which the gateway answers, and those of nginx
 * that ends TLS where they are others.
 */
export type Attempt = readonly [
  rows: string,
  what: string,
  octets: (parts: Parts) => string,
  gateway: readonly number[],
  nginx?: readonly number[],
];

const eol = '\r\n';

function post(fields: readonly string[], body = '', version = '1.1'): string {
  const line = `POST /.well-known/est/certificate/simpleenroll HTTP/${version}`;
  return [line, 'Host: localhost', 'Content-Type: application/pkcs10', ...fields, '', body].join(eol);
}

function get(target: string, ...fields: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join(eol);
}

const cacerts = '/.well-known/est/cacerts';
const chunked = 'Transfer-Encoding: chunked';
const length = (body: string): string => `Content-Length: ${body.length}`;
const chunk = (data: string, extension = ''): string =>
  `${data.length.toString(16)}${extension}${eol}${data}${eol}`;
const lastChunk = `0${eol}${eol}`;

/** The smuggled request inside the body of another one. */
const inside = (fields: (body: string) => readonly string[]) => (parts: Parts) =>
  post(fields(parts.smuggled), parts.smuggled);
/** Behind what ends a chunked body, inside one of that length. */
const behindLastChunk = (fields: (body: string) => readonly string[]) => (parts: Parts) => {
  const body = lastChunk + parts.smuggled;
  return post(fields(body), body);
};
/** A request that the certificate in its fields would allow. */
const enrolment = (fields: (certificate: Parts['certificate']) => readonly string[]) => (parts: Parts) =>
  post([...fields(parts.certificate), length(parts.csr)], parts.csr);

const refused = [400];
/** Read as one request, which is refused for want of a client certificate; what follows it is the next one. */
const asOne = [403, 404];
/** The same; the connection ends, since the gateway does not read what is left of the body. */
const asTheLast = [403];

const transferCodings: readonly (readonly [field: string, nginx: readonly number[]])[] = [
  ['Transfer-Encoding: xchunked', [501]],
  ['Transfer-Encoding: "chunked"', [501]],
  ['Transfer-Encoding: chunked, identity', [501]],
  ['Transfer-Encoding: identity, chunked', [501]],
  ['Transfer-Encoding: chunked, chunked', [501]],
  ['Transfer-Encoding: chunked;q=1', [501]],
  ['Transfer-Encoding:\x0bchunked', [501]],
  ['Transfer-Encoding : chunked', refused],
  [`Transfer-Encoding:${eol} chunked`, refused],
  [`X: x${eol} Transfer-Encoding: chunked`, refused],
  ['X: x\rTransfer-Encoding: chunked', refused],
  [`${chunked}${eol}Transfer-Encoding: identity`, refused],
  [`Transfer-Encoding: identity${eol}${chunked}`, refused],
  [`${chunked}${eol}${chunked}`, refused],
  ['Transfer-Encoding: gzip', [501]],
  ['Transfer-Encoding:', [501]],
];

const lengths: readonly ((length: number) => readonly string[])[] = [
  (n) => ['Content-Length: 0', `Content-Length: ${n}`],
  (n) => [`Content-Length: ${n}`, 'Content-Length: 0'],
  (n) => [`Content-Length: ${n}`, `Content-Length: ${n}`],
  (n) => [`Content-Length: ${n}, ${n}`],
  (n) => [`Content-Length: 0, ${n}`],
  (n) => [`Content-Length: +${n}`],
  (n) => [`Content-Length: -${n}`],
  (n) => [`Content-Length: 0x${n.toString(16)}`],
  (n) => [`Content-Length: ${n}.0`],
  (n) => [`Content-Length: ${n} 0`],
  (n) => [`Content-Length: ${2n ** 64n + BigInt(n)}`],
  (n) => [`Content-Length : ${n}`],
  (n) => [`Content-Length:${eol} ${n}`],
  () => ['Content-Length:'],
];

const chunkSizes: readonly (readonly [
  what: string,
  size: (hex: string) => string,
  nginx: readonly number[],
])[] = [
  ['0x before it', (hex) => `0x${hex}`, refused],
  ['a space before it', (hex) => ` ${hex}`, refused],
  ['a space behind it', (hex) => `${hex} `, asOne],
  ['a plus sign', (hex) => `+${hex}`, refused],
  ['a minus sign', (hex) => `-${hex}`, refused],
  ['an underscore', (hex) => `${hex}_`, refused],
  ['more than 64 bits', (hex) => `1${hex.padStart(16, '0')}`, refused],
  ['no digits', () => '', refused],
];

const framing: readonly Attempt[] = [
  ['V-45', 'CL.TE', behindLastChunk((body) => [length(body), chunked]), refused],
  [
    'V-45',
    'TE.CL',
    ({ smuggled }) => post([chunked, 'Content-Length: 4'], chunk(smuggled) + lastChunk),
    refused,
  ],
  ...transferCodings.flatMap(([field, nginx]): readonly Attempt[] => {
    const what = JSON.stringify(field);
    return [
      ['V-46', what, ({ smuggled }) => post([field], chunk(smuggled) + lastChunk), refused, nginx],
      [
        'V-45 V-46',
        `${what} and Content-Length`,
        behindLastChunk((body) => [length(body), field]),
        refused,
        nginx,
      ],
    ];
  }),
  [
    'V-46 V-47',
    'a coding behind a bare LF',
    ({ smuggled }) => post(['X: x\nTransfer-Encoding: chunked'], chunk(smuggled) + lastChunk),
    refused,
    asOne,
  ],
  [
    'V-45 V-47',
    'a coding behind a bare LF and Content-Length',
    behindLastChunk((body) => [length(body), 'X: x\nTransfer-Encoding: chunked']),
    refused,
  ],
  [
    'V-46 S-02',
    'Transfer_Encoding',
    behindLastChunk((body) => ['Transfer_Encoding: chunked', length(body)]),
    asOne,
  ],
  ...lengths.map((fields): Attempt => [
    'V-45 V-47',
    JSON.stringify(fields(99)),
    inside((body) => fields(body.length)),
    refused,
  ]),
  ...chunkSizes.map(([what, size, nginx]): Attempt => [
    'S-03',
    `a chunk whose size has ${what}`,
    ({ smuggled }) =>
      post([chunked], `${size(smuggled.length.toString(16))}${eol}${smuggled}${eol}${lastChunk}`),
    refused,
    nginx,
  ]),
  [
    'S-03',
    'a chunk that is longer than it says',
    ({ smuggled }) => post([chunked], `5${eol}abcdef${eol}${lastChunk}${smuggled}`),
    asTheLast,
    refused,
  ],
  [
    'S-03',
    'a chunk extension',
    ({ smuggled }) => post([chunked], chunk(smuggled, ';a=b') + lastChunk),
    asTheLast,
    asOne,
  ],
  [
    'S-03 V-47',
    'chunks whose lines end in bare LF',
    ({ smuggled }) => post([chunked], (chunk(smuggled) + lastChunk).replaceAll(eol, '\n')),
    refused,
  ],
  [
    'S-03',
    'a chunk extension that ends in bare LF',
    ({ smuggled }) => post([chunked], chunk(smuggled, ';a').replace(eol, '\n') + lastChunk),
    refused,
    asOne,
  ],
  [
    'V-47',
    'lines that end in bare LF',
    ({ smuggled }) => post([length(smuggled)]).replaceAll(eol, '\n') + smuggled,
    refused,
    asOne,
  ],
  [
    'V-47',
    'an empty line of bare LF',
    ({ smuggled }) => `${post([length(smuggled)]).slice(0, -2)}\n${smuggled}`,
    refused,
    asOne,
  ],
  ['V-47', 'a folded field', inside((body) => ['X: a', ' b', length(body)]), refused],
  [
    'V-47',
    'a folded first field',
    () => `GET ${cacerts} HTTP/1.1${eol} Host: localhost${eol}${eol}`,
    refused,
  ],
  ['V-47', 'a space before the colon', inside((body) => ['X : a', length(body)]), refused],
  ['V-47', 'no colon', inside((body) => ['X', length(body)]), refused, asOne],
  ['V-47', 'NUL in a field', inside((body) => ['X: a\0b', length(body)]), refused],
  ['V-48 H-17', 'two Hosts', inside((body) => ['Host: other', length(body)]), refused],
  [
    'V-46 H-21',
    'an unknown coding and an unknown expectation',
    ({ smuggled }) => post(['Expect: x', 'Transfer-Encoding: gzip, chunked'], lastChunk + smuggled),
    [417],
    [501],
  ],
  [
    'V-48 H-21',
    'two Hosts and an unknown expectation',
    ({ smuggled }) => post(['Expect: x', 'Host: other', 'Content-Length: 0']) + smuggled,
    [417],
    refused,
  ],
  ['S-03', 'GET with a body', ({ smuggled }) => get(cacerts, length(smuggled)) + smuggled, [200, 404]],
  [
    'S-03',
    'an upgrade',
    ({ smuggled }) => get(cacerts, 'Connection: Upgrade, close', 'Upgrade: h2c', length(smuggled)) + smuggled,
    [200],
  ],
  [
    'S-03',
    'chunks in HTTP/1.0',
    ({ smuggled }) => post([chunked, 'Connection: keep-alive'], lastChunk + smuggled, '1.0'),
    refused,
  ],
  ['S-03 H-28', 'HTTP/1.0', () => get(cacerts, 'Connection: keep-alive').replace('1.1', '1.0'), [200, 404]],
  ['S-03', 'HTTP/0.9', ({ smuggled }) => `GET ${cacerts}${eol}${smuggled}`, refused, []],
  ['S-03', 'HTTP/2.0', ({ smuggled }) => post([length(smuggled)], smuggled, '2.0'), refused, [505]],
  ['S-03', 'HTTP/1.2', ({ smuggled }) => post([length(smuggled)], smuggled, '1.2'), refused, asOne],
  [
    'S-03',
    'the preface of HTTP/2',
    ({ smuggled }) => `PRI * HTTP/2.0${eol}${eol}SM${eol}${eol}${smuggled}`,
    refused,
  ],
  [
    'S-03',
    'CONNECT',
    ({ smuggled }) => get('localhost:443').replace('GET', 'CONNECT') + smuggled,
    refused,
    refused,
  ],
  ['S-03', 'TRACE', () => get(cacerts).replace('GET', 'TRACE'), [405, 404], [405]],
];

const paths: readonly Attempt[] = [
  ...[
    '/.well-known//est/cacerts',
    '//.well-known/est/cacerts',
    '/.well-known/est//smuggled/cacerts',
    '/.well-known/est/smuggled//cacerts',
    '/.well-known/est%2fcacerts',
    '/.well-known/est/smuggled%2fcacerts',
    '/.well-known/est/est/../smuggled/cacerts',
    '/.well-known/est/%2e%2e/smuggled/cacerts',
    '/x/../.well-known/est/smuggled/cacerts',
    '/.well-known/est/./smuggled/cacerts',
    '/',
    '/explanation',
    '/.well-known/est/../../admin',
    '/.well-known/est/cacerts;x',
    '/.well-known/est\\smuggled\\cacerts',
    '/.well-known/est/cacerts/',
    '/.well-known/EST/smuggled/cacerts',
  ].map((path): Attempt => ['X-14', path, () => get(path), [404, 404]]),
  ...['/.well-known/est/est%00/cacerts', '/.well-known/est/%zz/cacerts'].map((path): Attempt => [
    'X-14',
    path,
    () => get(path),
    refused,
  ]),
  [
    'X-14',
    '/.well-known/est/%2e%2e/cacerts',
    () => get('/.well-known/est/%2e%2e/cacerts'),
    refused,
    [404, 404],
  ],
  [
    'X-14',
    'a target with line ends',
    () => get('/.well-known/est/x%20HTTP/1.1%0d%0aX-SSL-Client-Cert:%20x'),
    refused,
    [400, 404],
  ],
  ['X-14 V-48 H-17', 'an absolute target', () => get(`https://other${cacerts}`), refused, [200, 404]],
  ['X-14', 'a target that is no path', () => get('.well-known/est/cacerts'), refused],
  ['X-14', 'two spaces before the target', () => get(` ${cacerts}`), [200, 404]],
];

const large = 'A'.repeat(70_000);
const enrolmentOfUser = (fields: readonly string[], body: string): string =>
  post([`Authorization: ${basic}`, ...fields], body).replace('/certificate/', '/');

const sizes: readonly Attempt[] = [
  ['V-55 X-08', 'a field of 17 KB', () => get(cacerts, `X-SSL-Client-Cert: ${'A'.repeat(17_000)}`), [431]],
  ['S-05', 'a target of 17 KB', () => get(`${cacerts}?${'a'.repeat(17_000)}`), [431]],
  [
    'S-05',
    'many fields',
    () => get(cacerts, ...Array.from({ length: 1500 }, (_, n) => `X-${n}: a`)),
    refused,
    [431],
  ],
  ['H-24 X-15', 'a body of 70 KB', () => enrolmentOfUser([length(large)], large), [413]],
  ['H-24 X-15', 'a chunked body of 70 KB', () => enrolmentOfUser([chunked], chunk(large) + lastChunk), [413]],
];

/**
 * Fields with which a client would say who it is, and what becomes of them behind nginx: it sets or drops those that its
 * configuration names, and the gateway refuses the other ones.
 */
const forgedFields: readonly (readonly [name: string, nginx: readonly number[]])[] = [
  ...['Client-Cert', 'client-cert', 'CLIENT-CERT', 'Client_Cert', 'Client-Cert-Chain'],
  ...['X-SSL-Client-Cert', 'x-ssl-client-cert', 'X_SSL_Client_Cert', 'X-SSL_Client-Cert'],
  ...['X-Forwarded-Client-Cert', 'X-SSL-Cipher', 'X-SSL-Client-Verify', 'X-Forwarded-For', 'Forwarded'],
]
  .map((name) => [name, asOne] as const)
  .concat([
    ['SSL-Client-Cert', [400, 404]],
    ['X-Client-Cert', [400, 404]],
  ]);

const forged: readonly Attempt[] = [
  ...forgedFields.flatMap(([name, nginx]): readonly Attempt[] => [
    [
      'X-02 X-05 V-55',
      `${name}, PEM`,
      enrolment((cert) => [`${name}: ${cert.percentEncoded}`]),
      asOne,
      nginx,
    ],
    [
      'X-02 X-05 V-55',
      `${name}, a byte sequence`,
      enrolment((cert) => [`${name}: ${cert.byteSequence}`]),
      asOne,
      nginx,
    ],
    [
      'X-04 S-02 V-55',
      `${name} twice`,
      enrolment((cert) => [`${name}: ${cert.percentEncoded}`, `${name}: ${cert.percentEncoded}`]),
      asOne,
      nginx,
    ],
    [
      'X-10 S-02',
      `Connection: ${name}`,
      enrolment((cert) => [`Connection: keep-alive, ${name}`, `${name}: ${cert.percentEncoded}`]),
      asOne,
      nginx,
    ],
    [
      'X-02',
      `${name} in a trailer`,
      ({ csr, certificate }) => {
        const trailer = `${name}: ${certificate.percentEncoded}`;
        return post([chunked, `Trailer: ${name}`], `${chunk(csr)}0${eol}${trailer}${eol}${eol}`);
      },
      asTheLast,
      asOne,
    ],
  ]),
  ...['X-SSL-Client-Cert ', ' X-SSL-Client-Cert', 'X-SSL-Client-Cert\t', 'X-SSL-Client-Cert\0'].map(
    (name): Attempt => [
      'X-02 V-47',
      JSON.stringify(name),
      enrolment((cert) => [`${name}: ${cert.percentEncoded}`]),
      refused,
    ],
  ),
  [
    'X-02 V-47',
    'a bare CR',
    enrolment((cert) => [`X: a\rX-SSL-Client-Cert: ${cert.percentEncoded}`]),
    refused,
  ],
  [
    'X-02 V-47',
    'a bare LF',
    enrolment((cert) => [`X: a\nX-SSL-Client-Cert: ${cert.percentEncoded}`]),
    refused,
    asOne,
  ],
];

/** About where a request ends and what it asks for: also for a listener whose proxy is believed to name its clients. */
export const framingAttempts: readonly Attempt[] = [...framing, ...paths, ...sizes.slice(3)];

/** All. */
export const attempts: readonly Attempt[] = [...framing, ...paths, ...sizes, ...forged];

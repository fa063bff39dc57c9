import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EstError } from '../../src/errors.ts';
import { forwardedAddress } from '../../src/http/client-address.ts';

const isTrusted = (address: string): boolean => address.startsWith('10.');

/** The address, or the code of the refusal. */
function read(field: 'X-Forwarded-For' | 'Forwarded', ...lines: readonly string[]): string | undefined {
  const headers = { host: ['a'], ...(lines.length > 0 && { [field.toLowerCase()]: [...lines] }) };
  try {
    return forwardedAddress(headers, { clientAddress: field, isTrusted });
  } catch (error) {
    if (error instanceof EstError) return error.code;
    throw error;
  }
}
const refused = 'malformed_request';

describe('The address of the client in X-Forwarded-For', () => {
  it.each<readonly [expected: string | undefined, ...lines: readonly string[]]>([
    [undefined],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7', '203.0.113.9, 192.0.2.7'],
    ['192.0.2.7', '203.0.113.9', ' 192.0.2.7 '],
    ['192.0.2.7', '192.0.2.7:4711'],
    ['2001:db8::7', '2001:db8::7'],
    ['2001:db8::7', '[2001:db8::7]'],
    ['2001:db8::7', '[2001:db8::7]:4711'],
    ['::ffff:192.0.2.7', '::ffff:192.0.2.7'],
    // Behind a proxy that is trusted.
    ['192.0.2.7', '203.0.113.9, 192.0.2.7:1, 10.1.2.3:443, 10.9.9.9'],
    ['10.1.2.3', '10.1.2.3'],
    [refused, 'unknown, 10.1.2.3'],
    // Nobody's address.
    ...['', ' ', 'junk', 'unknown', '_hidden', '192.0.2.7, ', '192.0.2.7, unknown', '192.0.2.7,,'].map(
      (line) => [refused, line] as const,
    ),
    ...['192.0.2.300', '192.0.2.7:', '192.0.2.7:x', '192.0.2', '1', '0x7f000001', '017700000001'].map(
      (line) => [refused, line] as const,
    ),
    ...[
      '[192.0.2.7]',
      '[2001:db8::7',
      '2001:db8::7]',
      'fe80::1%eth0',
      '"192.0.2.7"',
      'unix:',
      'for=192.0.2.7',
    ].map((line) => [refused, line] as const),
  ])('is %s', (expected, ...lines) => {
    expect(read('X-Forwarded-For', ...lines)).toBe(expected);
  });

  it('X-06 is the one that the proxy adds, whatever the client writes before it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.ipV4(), fc.boolean(), (written, own, inOneLine) => {
        fc.pre(!isTrusted(own));
        const lines = inOneLine ? [`${written}, ${own}`] : [written, own];
        expect(read('X-Forwarded-For', ...lines)).toBe(own);
      }),
    );
  });
});

describe('The address of the client in Forwarded (RFC 7239)', () => {
  it.each<readonly [expected: string | undefined, ...lines: readonly string[]]>([
    [undefined],
    ['192.0.2.7', 'for=192.0.2.7'],
    ['192.0.2.7', 'For="192.0.2.7:4711";proto=https'],
    ['192.0.2.7', 'for="192.0.2.7:_port"'],
    ['192.0.2.7', 'proto=https;by=203.0.113.1;FOR=192.0.2.7'],
    ['2001:db8::7', 'by=_nginx; for="[2001:db8::7]:4711"'],
    ['2001:db8::7', 'for="[2001:db8::7]"'],
    ['192.0.2.7', 'for="192\\.0.2.7"'],
    ['192.0.2.7', 'host="a, for=203.0.113.9";for=192.0.2.7;ext="\\""'],
    ['192.0.2.7', ', for=192.0.2.7'],
    ['192.0.2.7', 'for=203.0.113.9', 'for=192.0.2.7'],
    ['192.0.2.7', 'for="', 'for=192.0.2.7'],
    // Behind a proxy that is trusted.
    ['192.0.2.7', 'for=203.0.113.9', 'for=192.0.2.7', 'for="10.1.2.3:443"'],
    ['10.1.2.3', 'for=10.1.2.3'],
    [refused, 'for=unknown', 'for=10.1.2.3'],
    [refused, 'for=203.0.113.9, for=192.0.2.7', 'for=10.1.2.3'],
    // Entries that do not stand alone.
    ...[
      'for=203.0.113.9, for=192.0.2.7',
      'for=192.0.2.7;host=a, for=203.0.113.9',
      'for=192.0.2.7, proto=https',
    ].map((line) => [refused, line] as const),
    // Nobody's address.
    ...[
      '',
      ',',
      'for=unknown',
      'for=_hidden',
      'for="_hidden:1"',
      'proto=https',
      'by=192.0.2.7',
      'for=junk',
    ].map((line) => [refused, line] as const),
    // What is not of the form.
    ...[
      'for=192.0.2.7:80',
      'for=[2001:db8::7]',
      'for="192.0.2.7',
      'for = 192.0.2.7',
      'for=',
      'for',
      '192.0.2.7',
    ].map((line) => [refused, line] as const),
    ...['for=192.0.2.7;for=203.0.113.9', 'for=192.0.2.7;For="192.0.2.7"', 'for=192.0.2.7 proto=https'].map(
      (line) => [refused, line] as const,
    ),
    ...['for="192.0.2.7"x', 'x"for=192.0.2.7', 'for="2001:db8::7"x=1', 'for=\u0000192.0.2.7'].map(
      (line) => [refused, line] as const,
    ),
  ])('is %s', (expected, ...lines) => {
    expect(read('Forwarded', ...lines)).toBe(expected);
  });

  const written = fc.oneof(
    fc.string({ unit: 'binary-ascii' }),
    fc
      .array(
        fc.constantFrom('for=203.0.113.9', ';', ',', '"', '\\', 'x=', ' ', '=', 'host', '[', ']', 'for="'),
        {
          maxLength: 8,
        },
      )
      .map((parts) => parts.join('')),
  );

  it('X-06 is the one that the proxy adds in a line of its own', () => {
    fc.assert(
      fc.property(written, (line) => {
        expect(read('Forwarded', line, 'for=192.0.2.7')).toBe('192.0.2.7');
      }),
    );
  });

  it.each<readonly [string, (written: string) => string]>([
    ['before the address', (host) => `host=${host};for=192.0.2.7`],
    ['after the address', (host) => `for=192.0.2.7;host=${host};proto=https`],
    ['at the end', (host) => `for="192.0.2.7:4711";host=${host}`],
    ['before what is quoted', (host) => `host=${host};for="192.0.2.7";by="[::1]"`],
    ['after what the client sent', (host) => `${host}, for=192.0.2.7`],
  ])('X-06 is never one that the client writes into an entry of the proxy, %s', (_where, entry) => {
    fc.assert(
      fc.property(written, (host) => {
        expect(['192.0.2.7', refused]).toContain(read('Forwarded', entry(host)));
      }),
      { numRuns: 2000 },
    );
  });

  it('S-10 takes no time for hostile values', () => {
    for (const line of ['for="'.repeat(10_000), ' ;'.repeat(20_000), `for="${'\\"'.repeat(20_000)}`]) {
      const start = performance.now();
      expect(read('Forwarded', line)).toBe(refused);
      expect(performance.now() - start).toBeLessThan(500);
    }
  });
});

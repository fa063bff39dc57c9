import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFile } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLog, type Log, type LogFields, type LogOptions } from '../../src/ops/log.ts';

/** What a log writes to a stream. */
async function written(
  options: Partial<LogOptions> & { isTTY?: boolean },
  use: (log: Log) => void,
): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? false });
  use(createLog({ level: 'info', format: 'json', ...options }, stream));
  await new Promise((resolve) => setImmediate(resolve));
  return String(stream.read() ?? '');
}

async function jsonOf(fields: LogFields, message = 'request'): Promise<Record<string, unknown>> {
  const text = await written({}, (log) => {
    log.info(message, fields);
  });
  return JSON.parse(text) as Record<string, unknown>;
}

async function textOf(fields: LogFields): Promise<string> {
  return await written({ format: 'text' }, (log) => {
    log.info('request', fields);
  });
}

const hostile =
  'CN=a\n{"level":"error"}\r\t\u0000\u001b[31m\u007f\u009b\u061c\u200b\u202e\u2066\u2028\u2029\ufeff\u{e0041}\ud800';

describe('createLog', () => {
  it('writes one line of JSON: time, level, message, fields', async () => {
    const line = await jsonOf({
      alias: 'est',
      status: 200,
      milliseconds: 3.2,
      nothing: undefined,
      list: ['a', 1],
      none: null,
    });
    expect(line).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'info',
      message: 'request',
      alias: 'est',
      status: 200,
      milliseconds: 3.2,
      list: ['a', 1],
      none: null,
    });
  });

  it('writes one line of text', async () => {
    expect(await textOf({ alias: 'est', subject: 'CN=a b', nothing: undefined, n: 5 })).toMatch(
      /^\S{23}Z info {2}request alias=est subject="CN=a b" n=5\n$/,
    );
  });

  it.each([
    [true, /^\d{4}/],
    [false, /^\{/],
  ])('chooses by whether the stream is a terminal (%s)', async (isTTY, start) => {
    const text = await written({ format: 'auto', isTTY }, (log) => {
      log.info('x');
    });
    expect(text).toMatch(start);
  });

  it('S-30 lets a client neither start a line nor steer the terminal nor reorder text', async () => {
    const json = await written({}, (log) => {
      log.info(hostile, { [hostile]: hostile, error: new Error(hostile) });
    });
    const text = await textOf({ [hostile]: hostile, error: new Error(hostile) });
    expect([json, text].map((line) => /^[ -~]+\n$/.test(line))).toEqual([true, true]);
    expect(JSON.parse(json)).toMatchObject({ level: 'info', message: hostile, [hostile]: hostile });
  });

  it('S-30 keeps any text in one line of JSON that gives it back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 1000 }), async (value) => {
        expect((await jsonOf({ value }))['value']).toBe(value);
      }),
    );
  });

  it('S-30 shortens long texts and long lists', async () => {
    const line = await jsonOf({ subject: 'x'.repeat(100_000), names: Array(1000).fill('y') });
    expect(line['subject']).toBe(`${'x'.repeat(1000)}... (99000 more)`);
    expect(line['names']).toHaveLength(100);
  });

  it('lets no field pass for the level, the time or the message', async () => {
    expect(await jsonOf({ level: 'error', message: 'forged', time: 'never' })).toMatchObject({
      level: 'info',
      message: 'request',
      time: expect.stringMatching(/Z$/),
    });
  });

  it('S-31 shows message, code, stack and causes of an error, and nothing else that hangs on it', async () => {
    const cause = Object.assign(new Error('refused'), {
      code: 'ECONNREFUSED',
      headers: { authorization: 'hunter2' },
    });
    const line = await jsonOf({ error: new Error('The CA cannot be reached.', { cause }) });
    expect(line['error']).toEqual({
      message: 'The CA cannot be reached.',
      stack: expect.stringContaining('log.spec'),
      cause: { message: 'refused', code: 'ECONNREFUSED', stack: expect.stringContaining('log.spec') },
    });
    expect(JSON.stringify(line)).not.toContain('hunter2');
  });

  it('writes whatever it is given without throwing, bytes by their number', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const line = await jsonOf({
      circle,
      big: 12n,
      date: new Date(NaN),
      der: Buffer.from('hunter2'),
      toJSON: () => 'x',
      s: Symbol('s'),
    });
    expect(line).toMatchObject({ big: '12', date: 'invalid date', der: '7 octets', s: 'Symbol(s)' });
  });

  it('writes the levels down to the chosen one', async () => {
    const text = await written({ level: 'warn', format: 'text' }, (log) => {
      log.error('e');
      log.warn('w');
      log.info('i');
      log.debug('d');
    });
    expect(text.match(/Z (\w+)/g)).toEqual(['Z error', 'Z warn']);
  });

  it('loses no line when the process ends', async () => {
    const module = join(import.meta.dirname, '../../src/ops/log.ts');
    const script = `const { createLog } = await import(${JSON.stringify(module)});
      const log = createLog({ level: 'info', format: 'json' });
      for (let i = 0; i < 5000; i++) log.info('line', { i });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(5000);
  });
});

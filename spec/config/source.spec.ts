import { describe, expect, it } from '@jest/globals';
import { tmpdir } from 'node:os';
import { loadConfiguration } from '../../src/config/load.ts';
import { problemsOf } from '../support/configuration-file.ts';

describe('A configuration file that cannot be read', () => {
  it.each([
    ['empty', '', ': the file is empty; "est-gateway init" writes one to start from'],
    ['of comments alone', '# nothing\n', ': the file is empty; "est-gateway init" writes one to start from'],
    ['indented with a tab', 'a:\n\tb: 1\n', ':2: the line is indented with a tab; YAML wants spaces'],
    [
      'with a key twice',
      'a: 1\nb: 2\na: 3\n',
      ':3: this key is here twice in one mapping; remove one of them',
    ],
    [
      'of two documents',
      'a: 1\n---\nb: 2\n',
      ':2: a second YAML document begins here (---); expected one document',
    ],
    [
      'with a tag',
      'a: !secret b\n',
      ':1: YAML tags (!name) are not used here; remove it, or put the value in quotation marks',
    ],
    [
      'with an alias to nothing',
      'a: *b\n',
      ':1: a YAML alias (*name) leads nowhere; put the value in quotation marks if it is none',
    ],
    [
      'with an open quotation mark',
      'a: "b\n',
      ':2: a closing quotation mark or bracket, a comma or a colon is missing here or before',
    ],
    ['with a list as a key', '? [a]\n: b\n', ':1: a key must be a plain text'],
    ['that is a list', '- a\n', ':1: expected a mapping, found a list'],
    ['that is a text', 'hello\n', ':1: expected a mapping, found "hello"'],
    [
      'in UTF-16',
      Buffer.from('\uFEFFa: 1\n', 'utf16le'),
      ': the file is not text in UTF-8; save it as UTF-8',
    ],
  ])('%s', async (_name, content, problem) => {
    expect(await problemsOf(content)).toEqual([`est-gateway.yaml${problem}`]);
  });

  it.each([
    [
      'missing',
      '/nowhere/est-gateway.yaml',
      'there is no such file; "est-gateway init" writes one to start from',
    ],
    ['a directory', tmpdir(), 'this is a directory; name the YAML file in it'],
    ['below a file', '/dev/null/est-gateway.yaml', 'the file cannot be read (ENOTDIR)'],
  ])('%s', async (_name, file, sentence) => {
    await expect(loadConfiguration(file)).rejects.toMatchObject({ problems: [`${file}: ${sentence}`] });
  });
});

import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  freePorts,
  output,
  run,
  start,
  temporaryFolder,
  type Outcome,
  type RunningCommand,
} from './command-line.ts';

const execute = promisify(execFile);
const root = join(import.meta.dirname, '../..');

type Program = readonly [string, ...string[]];

/** The source on this Node, which is made to say that it is 20. */
const pretended: Program = [
  process.execPath,
  '--import',
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.9.0"}})',
  join(root, 'src/main.ts'),
];

/** The built program on a Node of the machine that is older than 24, if there is one. */
async function olderNode(): Promise<Program | undefined> {
  for (const node of ['/usr/bin/node', '/usr/local/bin/node']) {
    const version = await execute(node, ['--version']).catch(() => undefined);
    if (version !== undefined && /^v(20|22)\./.test(version.stdout))
      return [node, join(root, 'dist/main.js')];
  }
  return undefined;
}

describe('the executable on an older Node', () => {
  let programs: readonly Program[];

  beforeAll(async () => {
    await access(join(root, 'dist/main.js')).catch(async () => {
      await execute('npm', ['run', 'build'], { cwd: root });
    });
    const older = await olderNode();
    programs = older === undefined ? [pretended] : [pretended, older];
  }, 120_000);

  it('runs on the Node that it brings, with the same arguments and input', async () => {
    const folder = await temporaryFolder();
    for (const [index, program] of programs.entries()) {
      const data = join(folder.path, String(index));
      await output(['init', '--directory', data], { program });
      const config = ['--config', join(data, 'est-gateway.yaml')];
      await output(['user', 'add', 'a b', '--code-stdin', ...config], {
        program,
        input: 'none but mine own\n',
      });
      expect(await output(['user', 'list', ...config], { program })).toMatch(/^est +a b /m);
    }
    await folder.remove();
  });

  it('ends with the same exit code', async () => {
    for (const program of programs) {
      expect(await run(['nonsense'], { program })).toMatchObject({ code: 2, stdout: '' });
      expect(await run(['check', '--config', '/nowhere'], { program })).toMatchObject({ code: 1 });
    }
  });

  /** What comes of a gateway that each program serves, after something was done to it. */
  async function outcomesAfter(act: (gateway: RunningCommand) => Promise<void>): Promise<readonly Outcome[]> {
    const folder = await temporaryFolder();
    const port = await freePorts();
    await output(['init', '--directory', folder.path, '--port', String(port)]);
    const outcomes: Outcome[] = [];
    for (const program of programs) {
      const gateway = start(['serve', '--config', join(folder.path, 'est-gateway.yaml')], { program });
      await gateway.stdoutWith('EST is served at');
      await act(gateway);
      outcomes.push(await gateway.outcome);
    }
    await folder.remove();
    return outcomes;
  }

  it('passes signals on, and ends as the gateway ends', async () => {
    const outcomes = await outcomesAfter(async (gateway) => {
      gateway.process.kill('SIGHUP');
      await gateway.stdoutWith('The configuration was reloaded.');
      gateway.process.kill('SIGTERM');
    });
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 0, signal: null });
  });

  it('ends by the same signal', async () => {
    const outcomes = await outcomesAfter(async ({ process: { pid = 0 } }) => {
      process.kill(Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGKILL');
    });
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: null, signal: 'SIGKILL' });
  });
});

describe('the command line', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await output(['--version'])).toBe(`${version}\n`);
  });

  it.each([
    [['srve'], '(Did you mean serve?)'],
    [['user', 'ad'], '(Did you mean add?)'],
    [['user', 'list', '--jsn'], '(Did you mean --json?)'],
    [['init'], "required option '-d, --directory <folder>' not specified"],
    [['ca', 'revoke', 'xyz'], 'Expected hexadecimal digits'],
    [['schema', 'extra'], 'too many arguments'],
    [[], 'Usage: est-gateway'],
    [['user'], 'Usage: est-gateway user'],
  ])('exits with 2 after %j, and helps', async (words, sentence) => {
    const { code, stdout, stderr } = await run(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(sentence);
  });

  it.each([
    ['init'],
    ['quickstart'],
    ['serve'],
    ['check'],
    ['user', 'add'],
    ['user', 'remove'],
    ['user', 'list'],
    ['ca', 'list'],
    ['ca', 'revoke'],
    ['ca', 'crl'],
    ['ca', 'import'],
    ['ca', 'record'],
    ['alias', 'rename'],
    ['enrollments', 'list'],
    ['enrollments', 'forget'],
    ['schema'],
  ])('explains %s %s with an example', async (...words) => {
    const help = await output([...words, '--help']);
    expect(help).toContain(`Usage: est-gateway ${words.join(' ')}`);
    expect(help).toMatch(new RegExp(`Examples?:\\n(.*\\n)?.*est-gateway ${words.join(' ')}`));
  });

  it('ends quietly when nobody reads its output', async () => {
    const command = start(['schema']);
    command.process.stdout?.destroy();
    await once(command.process, 'exit');
    expect(command.process.exitCode).not.toBe(1);
    expect((await command.outcome).stderr).toBe('');
  });

  it('prints the schema', async () => {
    expect(JSON.parse(await output(['schema']))).toMatchObject({ $id: 'urn:est-gateway:configuration' });
  });
});

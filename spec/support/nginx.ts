/** The real nginx with a configuration as it is shipped. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { answers } from './programs.ts';

const execute = promisify(execFile);

/** Starts nginx with the file as it is, but for its user, its port, its places of logs, and the given texts. */
export async function startNginx(
  shipped: string,
  folder: string,
  port: number,
  replacements: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const common = {
    '/run/nginx-est-gateway.pid': join(folder, 'nginx.pid'),
    '/var/log/nginx/': `${folder}/`,
  };
  const text = Object.entries({ ...common, ...replacements }).reduce(
    (configuration, [from, to]) => configuration.replaceAll(from, to),
    await readFile(shipped, 'utf8'),
  );
  const file = join(folder, 'nginx.conf');
  const onPort = text.replaceAll(/^( *listen .*)8443( ssl)?;$/gm, `$1${port}$2;`);
  // The test may run as root, whose folder no other user may read.
  const asRoot = `user root;\n${onPort.replace(/^user .*;\n/m, '')}`;
  await writeFile(file, `daemon off;\n${asRoot}`);
  // As docs/nginx.md says; where to write until the file is read is for tests alone.
  const words = ['-c', file, '-e', join(folder, 'start.log')];
  await execute('nginx', ['-t', ...words]);
  const process = spawn('nginx', words, { stdio: 'inherit' });
  while (!(await answers(port))) {
    if (process.exitCode !== null)
      throw new Error(`nginx ended: ${await readFile(join(folder, 'start.log'), 'utf8')}`);
    await setTimeout(20);
  }
  return process;
}

/** Stops it and waits for its end. */
export async function stopNginx(nginx: ChildProcess): Promise<void> {
  if (nginx.exitCode !== null) return;
  nginx.kill('SIGTERM');
  await once(nginx, 'exit');
}

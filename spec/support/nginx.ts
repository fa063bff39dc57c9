/** The real nginx with a configuration as it is shipped. */
import { execFile, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startServer } from './programs.ts';

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
  return await startServer('nginx', words, port).catch(async (cause: unknown) => {
    throw new Error(await readFile(join(folder, 'start.log'), 'utf8'), { cause });
  });
}

/** The real HAProxy as docs/nginx.md shows it. */
import type { ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestGateway } from './gateway.ts';
import { startServer, type Workplace } from './programs.ts';

const page = join(import.meta.dirname, '../../docs/nginx.md');

/**
 * Writes the configuration of the page's section and runs its commands, as they are but for the accounts, the port and
 * the places of files.
 */
export async function startHaproxy(
  gateway: Pick<TestGateway, 'directory' | 'proxyPlace'>,
  place: Workplace,
  port: number,
): Promise<ChildProcess> {
  const places = {
    '/etc/est-gateway/tls/': `${gateway.directory}/`,
    '/etc/est-gateway/trust-anchor.pem': `${gateway.directory}/root.pem`,
    '/run/est-gateway/est.sock': gateway.proxyPlace,
    '/etc/haproxy/': `${place.directory}/`,
    'bind :8443': `bind :${port}`,
  };
  const [, section = ''] = /^## HAProxy\n([^]*?)^## /m.exec(await readFile(page, 'utf8')) ?? [];
  const here = Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), section);
  const [before = '', configuration = '', after = ''] = here.split(/^```.*\n/m);
  const text = configuration.replaceAll(/^ +(user|group) .*\n/gm, '');
  await writeFile(join(place.directory, 'est-gateway.cfg'), text);
  const commands = (before + after).match(/(?<=^ {4})\S.*$/gm) ?? [];
  for (const command of commands.slice(0, -1)) await place.bash(command);
  const [program = '', ...words] = commands.at(-1)?.split(' ') ?? [];
  return await startServer(program, words, port);
}

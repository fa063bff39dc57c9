import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../../src/config/configuration-error.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { withBuiltInDrivers, type Drivers } from '../../src/config/drivers.ts';
import { loadConfiguration } from '../../src/config/load.ts';

/** The shortest configuration that is valid; listeners are lines 1 to 4, the alias `est` is lines 7 to 9. */
export const shortest = `listeners:
  est:
    certificate: tls/server.pem
    privateKey: file:tls/server.key
store: { driver: sqlite, file: state.sqlite }
backends: { test: { driver: mock } }
aliases:
  est:
    backend: test
    authentication: basic
`;

/** Loads a file with this content from a folder of its own; `others` are drivers beside the built-in ones. */
export async function load(content: string | Buffer, others: Partial<Drivers> = {}): Promise<Configuration> {
  return await withFile(content, async (file) => await loadConfiguration(file, withBuiltInDrivers(others)));
}

/** What a file with this content is told, without the folder's name; empty when it is valid. */
export async function problemsOf(
  content: string | Buffer,
  others: Partial<Drivers> = {},
): Promise<readonly string[]> {
  return await withFile(content, async (file) => {
    try {
      await loadConfiguration(file, withBuiltInDrivers(others));
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.problems.map((problem) => problem.replace(file, 'est-gateway.yaml'));
    }
  });
}

async function withFile<Result>(
  content: string | Buffer,
  use: (file: string) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  try {
    const file = join(directory, 'est-gateway.yaml');
    await writeFile(file, content);
    return await use(file);
  } finally {
    await rm(directory, { recursive: true });
  }
}

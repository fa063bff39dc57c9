import { access, constants } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';

/** A file that the configuration names. */
export interface NamedFile {
  /** The key of the configuration, such as `aliases.est.implicitTrustAnchors[0]`. */
  readonly place: string;
  /** Absolute, as the schema makes those of files. */
  readonly path: string;
}

/** All files that the configuration names and that must be there: of secrets (`file:`) too, but neither store nor socket. */
export function namedFiles({
  file: _file,
  drivers: _drivers,
  store: _store,
  ...settings
}: Configuration): readonly NamedFile[] {
  return pathsIn(settings, '').filter(({ place }) => place !== 'listeners.proxy.socket');
}

function pathsIn(value: unknown, place: string): readonly NamedFile[] {
  if (typeof value === 'string') {
    const path = /^(?:file:)?(\/[^\0]*)$/s.exec(value)?.[1];
    return path === undefined ? [] : [{ place, path }];
  }
  if (Array.isArray(value)) return value.flatMap((entry, index) => pathsIn(entry, `${place}[${index}]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) =>
    pathsIn(entry, place === '' ? key : `${place}.${key}`),
  );
}

/** What this user may not read, a sentence for each. That a file is not there is for who opens it. */
export async function objectionsToModes(configuration: Configuration): Promise<readonly string[]> {
  const found = await Promise.all(
    namedFiles(configuration).map(async ({ place, path }) =>
      (await isForbidden(path))
        ? `${place}: this user may not read ${path}; change the owner or the mode of it or of a folder above it.`
        : undefined,
    ),
  );
  return found.filter((objection) => objection !== undefined);
}

async function isForbidden(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}

import { readFile } from 'node:fs/promises';

/** The texts of files, joined by line feeds. */
export async function readTexts(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(async (file) => await readFile(file, 'utf8')))).join('\n');
}

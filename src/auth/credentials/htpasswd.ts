import { readFile, stat } from 'node:fs/promises';
import type { Log } from '../../ops/log.ts';
import { createBcrypt } from './bcrypt.ts';
import { readHtpasswd, type Htpasswd } from './htpasswd-file.ts';
import type { CredentialDriver } from './source.ts';

/** The options, as the schema completes them. */
interface HtpasswdOptions {
  /** Absolute path. */
  readonly file: string;
}

/** bcrypt looks at no octet beyond these; two codes that differ only there would be the same. */
const longestCode = 72;

/** Users of a file as Apache's htpasswd writes it, with bcrypt alone. */
export const htpasswdCredentials: CredentialDriver<HtpasswdOptions> = {
  name: 'htpasswd',
  optionsSchema: {
    type: 'object',
    title: 'htpasswd file',
    description: "Users of a file that Apache's htpasswd -B has written: bcrypt, and nothing weaker.",
    properties: {
      file: {
        type: 'string',
        format: 'file',
        title: 'File',
        description: 'Lines of NAME:HASH. It is read again when it has changed.',
      },
    },
    required: ['file'],
    additionalProperties: false,
  },
  async open({ file }, { log }) {
    const current = await openFile(file, log);
    const bcrypt = createBcrypt();
    return {
      name: `htpasswd ${file}`,
      takesEqualTime: false,
      async prove({ name, code }, signal, networks) {
        const users = await current();
        if (users === undefined) return { state: 'unavailable', reason: 'the file cannot be read' };
        const hash = users.hashes.get(name);
        const matches = await bcrypt.compare(code, hash ?? users.dummyHash, signal, networks);
        if (hash === undefined) return { state: 'unknown' };
        return matches && Buffer.byteLength(code) <= longestCode
          ? { state: 'proved', user: { name, isLimited: false } }
          : { state: 'wrong' };
      },
      close: async () => {
        await bcrypt.close();
      },
    };
  },
};

/**
 * Reads a file now, and gives what is in it at any later time; undefined while it cannot be read. At the start every line
 * must be right; of a file that has changed, wrong lines are left out and logged, so that nobody stays who was removed.
 */
async function openFile(file: string, log: Log): Promise<() => Promise<Htpasswd | undefined>> {
  let known = await version(file);
  let users: Htpasswd | undefined = readHtpasswd(await readFile(file, 'utf8'));
  const [problem] = users.problems;
  if (problem !== undefined) throw new Error(`${file}: ${problem}`);

  return async function current() {
    try {
      const found = await version(file);
      if (found === known && users !== undefined) return users;
      users = readHtpasswd(await readFile(file, 'utf8'));
      known = found;
      for (const reason of users.problems)
        log.warn('A line of an htpasswd file is left out.', { file, reason });
    } catch (error) {
      users = undefined;
      log.error('An htpasswd file cannot be read.', { file, error });
    }
    return users;
  };
}

async function version(file: string): Promise<string> {
  const { mtimeNs, size, ino } = await stat(file, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

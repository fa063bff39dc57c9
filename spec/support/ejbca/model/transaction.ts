/** Transactions as EJBCA's database has them: what is read has been committed, what is written counts from the commit on. */
import { refusals, type Refusal } from '../refusal.ts';
import { saveEndEntity, type Database, type EndEntity, type IssuedCertificate } from './database.ts';

/** Where an operation can be held up. */
export type Step =
  'before the end entity' | 'after the end entity' | 'before the commit' | 'after the commit';

/** Called at each step; the operation goes on when the promise is fulfilled, and fails with it. */
export type Pause = (step: Step) => Promise<void>;

/** One transaction. What is thrown before its commit leaves nothing behind. */
export interface Transaction {
  /** As it is committed now; the commit remembers which version was read. */
  endEntity(username: string): EndEntity | undefined;
  /** To be written with the commit. */
  save(endEntity: Omit<EndEntity, 'rowVersion'>): void;
  /** To be written with the commit. */
  add(certificate: IssuedCertificate): void;
  /** Writes all of it, or throws a Refusal and writes nothing. */
  commit(): void;
}

/** Whether a commit fails where another one has changed the end entity since it was read. */
export type Locking = 'row version' | 'last one wins';

/** Begins a transaction. */
export function begin(database: Database, locking: Locking = 'row version'): Transaction {
  const read = new Map<string, number | undefined>();
  const saved = new Map<string, Omit<EndEntity, 'rowVersion'>>();
  const added: IssuedCertificate[] = [];

  function check(username: string): Refusal | undefined {
    const before = read.get(username);
    const now = database.endEntities.get(username)?.rowVersion;
    if (before === undefined) return now === undefined ? undefined : refusals.userExists(username);
    return before === now || locking === 'last one wins' ? undefined : refusals.general();
  }

  return {
    endEntity(username) {
      const endEntity = database.endEntities.get(username);
      read.set(username, endEntity?.rowVersion);
      return endEntity;
    },
    save(endEntity) {
      saved.set(endEntity.username, endEntity);
    },
    add(certificate) {
      added.push(certificate);
    },
    commit() {
      for (const username of saved.keys()) {
        const failure = check(username);
        if (failure !== undefined) throw failure;
      }
      for (const endEntity of saved.values()) saveEndEntity(database, endEntity);
      database.certificates.push(...added);
    },
  };
}

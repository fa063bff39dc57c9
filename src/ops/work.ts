/** Jobs that must have ended before what they use is closed. */
export interface Work {
  /** Does a job, and gives what becomes of it. */
  do<Value>(job: () => Promise<Value>): Promise<Value>;
  /** Resolves when no job is under way. */
  readonly ended: () => Promise<void>;
}

/** Work of which nothing is under way yet. */
export function createWork(): Work {
  const jobs = new Set<Promise<unknown>>();
  return {
    async do(job) {
      const doing = job();
      jobs.add(doing);
      try {
        return await doing;
      } finally {
        jobs.delete(doing);
      }
    },
    async ended() {
      while (jobs.size > 0) await Promise.allSettled(jobs);
    },
  };
}

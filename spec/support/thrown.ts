/** What the work throws, or undefined when it throws nothing. */
export function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/**
 * How much CPU time of this thread the work takes in milliseconds, the best of three: other processes share the machine, and
 * others of this one collect garbage.
 */
export function milliseconds(work: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const before = process.threadCpuUsage();
    thrownBy(work);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

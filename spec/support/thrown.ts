/** What the work throws, or undefined when it throws nothing. */
export function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** How long the work takes in milliseconds, the best of three: other processes share the machine. */
export function milliseconds(work: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const start = performance.now();
    thrownBy(work);
    return performance.now() - start;
  });
  return Math.min(...times);
}

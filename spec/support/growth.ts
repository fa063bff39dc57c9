/** Microseconds of CPU time in which the clock that is read below is sure to have ticked often enough. */
const enough = 60_000;

/** Microseconds of this thread's CPU time that the work takes: what else the machine does meanwhile does not count. */
function cpuTime(work: () => unknown): number {
  const before = process.threadCpuUsage();
  for (let runs = 1; ; runs += 1) {
    work();
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= enough) return (user + system) / runs;
  }
}

/**
 * How many times longer the work takes for eight times as much: about 8 where time grows with size, 64 where it grows
 * with the square.
 */
export function growthOf(prepare: (size: number) => () => unknown, size: number): number {
  const [small, large] = [prepare(size), prepare(8 * size)];
  // Compiles it.
  cpuTime(large);
  return cpuTime(large) / cpuTime(small);
}

/** More than linear growth ever shows, and less than quadratic growth does. */
export const linearGrowth = 24;

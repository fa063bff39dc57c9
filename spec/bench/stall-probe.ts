/** Loaded into a gateway by `--import`: says how long its event loop stood still, to who asks over the channel of the process. */
import { setImmediate } from 'node:timers';

let isMeasuring = false;
let last = 0;
let longest = 0;

function lookAgain(): void {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
  if (isMeasuring) setImmediate(lookAgain);
}

process.on('message', (message) => {
  if (message === 'begin') {
    isMeasuring = true;
    last = performance.now();
    longest = 0;
    setImmediate(lookAgain);
  } else {
    isMeasuring = false;
    process.send?.(longest);
  }
});
// The gateway's own end must not wait for the channel.
process.channel?.unref();

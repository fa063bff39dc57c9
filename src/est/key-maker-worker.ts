import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { generateRsaKey } from '../pkix/private-keys.ts';

/** Bits of the modulus. */
export type RsaKeyOrder = number;

// There this is the priority of the thread alone, which then makes way for the event loop (setpriority(2), "NOTES").
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

parentPort?.postMessage(generateRsaKey(workerData as RsaKeyOrder));

/** Imported before the store, this leaves its log where it is: to move it takes a thread, and no run writes that much. */
import { jest } from '@jest/globals';
import type { Checkpoints } from '../../../src/store/checkpoints.ts';

jest.mock('../../../src/store/checkpoints.ts', () => ({
  createCheckpoints: (): Checkpoints => ({
    copy: () => Promise.resolve(),
    written: () => undefined,
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }),
}));

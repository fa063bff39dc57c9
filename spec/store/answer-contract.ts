import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';

/** What every store must do with the answers of CAs elsewhere; part of `stateStoreContract`. */
export function answerContract(open: () => Promise<StateStore>): void {
  describe('answers of a CA elsewhere', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('are kept by their questions, the last one of each', async () => {
      const { answers } = store;
      expect(await answers.last('chain')).toBeUndefined();
      await answers.keep('chain', [Buffer.from([0, 255]), Buffer.from('second')]);
      await answers.keep('name', []);
      expect(await answers.last('chain')).toEqual([Buffer.from([0, 255]), Buffer.from('second')]);
      await answers.keep('chain', [Buffer.from('other')]);
      expect(await answers.last('chain')).toEqual([Buffer.from('other')]);
      expect(await answers.last('name')).toEqual([]);
    });
  });
}

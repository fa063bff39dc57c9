import type { Kysely } from 'kysely';
import type { AnswerRegistry } from './store.ts';
import type { Tables } from './tables.ts';

/** The answers of CAs over any database that kysely speaks to. */
export function createAnswerRegistry(database: Kysely<Tables>): AnswerRegistry {
  return {
    async keep(question, answer) {
      const octets = JSON.stringify(answer.map((part) => part.toString('base64')));
      await database
        .insertInto('answers')
        .values({ question, answer: octets })
        .onConflict((conflict) => conflict.column('question').doUpdateSet({ answer: octets }))
        .execute();
    },

    async last(question) {
      const row = await database
        .selectFrom('answers')
        .select('answer')
        .where('question', '=', question)
        .executeTakeFirst();
      return row && (JSON.parse(row.answer) as readonly string[]).map((part) => Buffer.from(part, 'base64'));
    },
  };
}

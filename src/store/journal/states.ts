import { sql } from '../kysely.ts';

/** In the letters of the partial indexes, since with bound values the planner could not use them. */
export const isUnfinished = sql<boolean>`state in ('open', 'pending', 'failed')`;
export const isIssued = sql<boolean>`state = 'issued'`;
export const isAnswered = sql<boolean>`state in ('issued', 'rejected')`;
export const isPending = sql<boolean>`state = 'pending'`;

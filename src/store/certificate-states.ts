import { sql } from './kysely.ts';

// In the letters of the partial indexes, since with bound values the planner could not use them.

/** It tells of a key that no client may have. */
export const isReserving = sql<boolean>`(revocation_reason in ('keyCompromise', 'cACompromise', 'aACompromise') or operator_role is not null)`;

export const isRevoked = sql<boolean>`revoked_at is not null`;

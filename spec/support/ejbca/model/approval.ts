/** What an administrator has to decide about. */
import { Refusal } from '../refusal.ts';
import type { Database } from './database.ts';

/** Thrown instead of doing what needs approval; the REST API answers it with 202 (1.5). */
export class WaitingForApproval extends Error {
  readonly requestId: number;

  constructor(requestId: number, message: string) {
    super(message);
    this.requestId = requestId;
  }
}

/** What is to be done, with EJBCA's words for it. */
const actions = {
  add: 'Add Entity request',
  edit: 'Edit Entity request',
  revoke: 'Revocation request',
} as const;

/** Keeps what shall happen until an administrator decides; the same again is refused as long as it waits. */
export function putUpForApproval(
  { approvalRequests }: Database,
  username: string,
  action: keyof typeof actions,
  execute: () => void | Promise<void>,
): WaitingForApproval {
  const waiting = [...approvalRequests.values()].find(
    (request) => request.state === 'waiting' && request.username === username && request.action === action,
  );
  if (waiting !== undefined) {
    throw new Refusal(
      400,
      `Approval request with approvalID ${waiting.approvalId} already exists.`,
      'approval',
    );
  }
  const id = 1_000_000 + approvalRequests.size + 1;
  const approvalId = 1_000_000_000 + approvalRequests.size;
  approvalRequests.set(id, { id, approvalId, action, state: 'waiting', execute, username });
  const message = `${actions[action]} has been added for approval by authorized administrators.`;
  return new WaitingForApproval(id, message);
}

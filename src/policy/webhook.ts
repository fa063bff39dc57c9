import type { SchemaObject } from 'ajv';
import { EstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { webhookOptionsSchema, type WebhookOptions } from '../ops/webhook-options.ts';
import type { RequestView } from './request-view.ts';

/** JSON Schema of `policy.webhook`. */
export const policyWebhookSchema: SchemaObject = {
  ...webhookOptionsSchema,
  title: 'Webhook',
  description:
    'A service of your own that is asked last about each request, as JSON over HTTPS; without its word nothing is granted (503). docs/policy.md has question and answer.',
};

/**
 * Asks about a request that passed every other check. Throws `refused_by_policy`, and `policy_unavailable` when the
 * service says nothing that counts.
 */
export type PolicyWebhook = (view: RequestView, requestId: string, signal: AbortSignal) => Promise<void>;

/** Seconds after which a service that is out of order may be back. */
const retryAfter = 30;

const rule = 'policy.webhook';

/** Reads the files; rejects with a plain sentence when the options make no sense. */
export async function openPolicyWebhook(options: WebhookOptions, log: Log): Promise<PolicyWebhook> {
  const { openWebhook } = await import('../ops/webhook.ts');
  const webhook = await openWebhook(options, ['permit', 'refuse'], log);
  return async function askWebhook(view, requestId, signal) {
    const answer = await webhook.ask({ ...view, requestId }, signal);
    if (answer.state === 'unavailable') {
      throw new EstError('policy_unavailable', answer.reason, { retryAfter, refusedBy: { rule } });
    }
    if (answer.decision === 'permit') return;
    throw new EstError(
      'refused_by_policy',
      'The policy of this alias does not allow this request; ask its operator.',
      { refusedBy: { rule: answer.reason === undefined ? rule : `${rule}: ${answer.reason}` } },
    );
  };
}

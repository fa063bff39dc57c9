import { webhookOptionsSchema, type WebhookOptions } from '../../ops/webhook-options.ts';
import type { CredentialDriver } from './source.ts';

/** Users that a service of the operator's knows. */
export const webhookCredentials: CredentialDriver<WebhookOptions> = {
  name: 'webhook',
  optionsSchema: {
    ...webhookOptionsSchema,
    title: 'Webhook',
    description:
      'A service of your own that is asked about each user and code, as JSON over HTTPS (docs/authentication.md).',
  },
  async open(options, { alias, log }) {
    const { openWebhook } = await import('../../ops/webhook.ts');
    const webhook = await openWebhook(options, ['permit', 'refuse', 'unknown'], log);
    return {
      name: `webhook ${options.url}`,
      takesEqualTime: false,
      async prove({ name, code }, signal, networks) {
        const answer = await webhook.ask({ alias, username: name, code }, signal, networks);
        if (answer.state === 'unavailable') return answer;
        switch (answer.decision) {
          case 'permit':
            return { state: 'proved', user: { name, isLimited: false } };
          case 'unknown':
            return { state: 'unknown' };
          case 'refuse':
            return { state: 'wrong', ...reasonWithout(code, answer.reason) };
        }
      },
    };
  },
};

/** What a service says may quote what it was asked. */
function reasonWithout(code: string, reason: string | undefined): { readonly reason?: string } {
  if (reason === undefined) return {};
  return { reason: code === '' ? reason : reason.replaceAll(code, '...') };
}

/** The OAuth 2.0 identity provider that an EJBCA trusts: tokens by client credentials (RFC 6749, section 4.4). */
import { randomBytes } from 'node:crypto';
import type { AccessRules, Administrators } from './administrator.ts';
import { json, type Reply } from './rest/call.ts';

/** Where the provider is, on the stand-in's own server. */
export const tokenPath = '/idp/token';

/** A client that may ask for tokens. */
export interface OAuthClient {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Of the role that EJBCA gives to its tokens. */
  readonly rules: AccessRules;
  /** How long a token is good. */
  readonly seconds: number;
}

/** Answers a request for a token; its client shows its secret by HTTP Basic or in the form. */
export function answerTokenRequest(
  administrators: Administrators,
  clients: readonly OAuthClient[],
  authorization: string | undefined,
  body: string,
): Reply {
  const form = new URLSearchParams(body);
  const [, basic = ''] = /^Basic (\S+)$/i.exec(authorization ?? '') ?? [];
  const shown =
    basic === ''
      ? `${form.get('client_id') ?? ''}:${form.get('client_secret') ?? ''}`
      : Buffer.from(basic, 'base64').toString('utf8');
  const client = clients.find(({ clientId, clientSecret }) => `${clientId}:${clientSecret}` === shown);
  if (client === undefined) return json(401, { error: 'invalid_client' });
  if (form.get('grant_type') !== 'client_credentials') return json(400, { error: 'unsupported_grant_type' });
  const token = randomBytes(24).toString('base64url');
  const { rules, seconds } = client;
  administrators.bearerTokens.set(token, { rules, expiresAt: Date.now() + seconds * 1000 });
  return json(200, { access_token: token, token_type: 'Bearer', expires_in: seconds });
}

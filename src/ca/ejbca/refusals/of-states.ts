import { pages, type KnownText } from './known-text.ts';

/** EJBCA, or a CA of it, is not available at the moment. */
export const refusalsOfStates: readonly KnownText[] = [
  {
    texts: ['signsession.canotactive, {ca}', 'Signing CA {ca} is not active.', 'CA {ca} is off-line{more}'],
    code: 'ca_unavailable',
    outage: 'ca',
    sentence: 'The CA is not active, or has expired.',
    advice: 'Activate the CA, or renew it where it has expired.',
    page: pages.activation,
  },
  {
    texts: [
      `CA token is offline for CA '{ca}'.`,
      'Device was unavailable.',
      '{said}crypto token{more} off-line{rest}',
    ],
    code: 'ca_unavailable',
    outage: 'ca',
    sentence: "The CA's key is not available.",
    advice: 'Activate the crypto token of the CA.',
    page: pages.cryptoTokens,
  },
  {
    texts: [`User {user} already exists.`, `End entity '{user}' already exists.`],
    code: 'ca_unavailable',
    outcome: 'lostRace',
    sentence: 'Another request for the same end entity was faster.',
    advice: 'None: the gateway or the device asks again.',
  },
  {
    // The second of two requests for one end entity fails so, and so does a request when the database is down.
    texts: ['General failure.'],
    call: 'certificaterequest',
    code: 'ca_unavailable',
    outcome: 'lostRace',
    sentence: 'Another request for the same end entity was faster, or EJBCA failed.',
    advice: "None where it happens once; else look into EJBCA's server.log.",
  },
  {
    // The web service says no more of what the container has rolled back.
    texts: ['Transaction rolled back'],
    code: 'ca_unavailable',
    outcome: 'lostRace',
    sentence: 'Another request for the same end entity was faster, or EJBCA failed.',
    advice: "None where it happens once; else look into EJBCA's server.log.",
  },
  {
    texts: ['General failure.'],
    code: 'ca_unavailable',
    outage: 'ejbca',
    sentence: 'EJBCA failed.',
    advice: "Look into EJBCA's server.log; mostly its database does not answer.",
  },
];

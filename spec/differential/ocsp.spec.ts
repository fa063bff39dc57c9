import { createOcspGenerator, judgeOcspByGateway, type OcspJudgement } from './ocsp.ts';
import { judgeOcspByOpenssl } from './judges.ts';
import { times } from './random.ts';
import { describeRevocationSuite, type RevocationDisagreement } from './revocation-suite.ts';

const disagreements: readonly RevocationDisagreement<OcspJudgement>[] = [
  {
    what: 'OpenSSL ignores critical extensions that it does not know',
    section: 'RFC 6960, section 4.1.2',
    right: 'gateway',
    covers: (features, gateway) => features.has('critical extension') && gateway === 'undetermined',
  },
  {
    what: 'OpenSSL lets a responder answer whose key is not for signatures',
    section: 'RFC 5280, section 4.2.1.3',
    right: 'gateway',
    covers: (features, gateway) => features.has('responder enciphering') && gateway === 'undetermined',
  },
  {
    what: 'to OpenSSL an answer without nextUpdate never gets old',
    section: 'RFC 6960, section 4.2.2.1',
    right: 'both: the RFC leaves it open',
    covers: (features, gateway) => features.has('dates old, no end') && gateway === 'undetermined',
  },
  {
    what: 'OpenSSL refuses an answer altogether that speaks of certificates of another issuer, too',
    section: 'RFC 6960, section 3.2, item 4',
    right: 'gateway',
    covers: (features, _gateway, openssl) =>
      features.has('about another issuer, too') && openssl === 'undetermined',
  },
];

describeRevocationSuite({
  title: 'OCSP answers',
  // About ten clients each.
  lists: 15 * times,
  createGenerator: createOcspGenerator,
  byGateway: judgeOcspByGateway,
  byOpenssl: judgeOcspByOpenssl,
  disagreements,
  judgements: ['good', 'revoked', 'unknown', 'undetermined'],
});

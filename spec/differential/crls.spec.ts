import { createCrlGenerator, judgeCrlsByGateway, type CrlJudgement } from './crls.ts';
import { judgeCrlsByOpenssl } from './judges.ts';
import { times } from './random.ts';
import { describeRevocationSuite, type RevocationDisagreement } from './revocation-suite.ts';

const disagreements: readonly RevocationDisagreement<CrlJudgement>[] = [
  {
    what: 'OpenSSL takes the first CRL of the name of the CA, and tries no other when the key does not fit',
    section: 'RFC 5280, section 6.3.3, step f',
    right: 'gateway',
    covers: (features, gateway, openssl) =>
      features.has('CRL of a namesake') && gateway !== 'undetermined' && openssl === 'undetermined',
  },
  {
    what: 'OpenSSL takes a CRL for all points for the first that is named, also where it was found elsewhere',
    section: 'RFC 5280, section 6.3.3, last paragraph',
    right: 'gateway',
    covers: (features, gateway, openssl) =>
      features.has('points by reasons') && gateway !== 'undetermined' && openssl === 'undetermined',
  },
  {
    what: 'OpenSSL hears the newest CRL alone, although an older one of another scope, in force as well, lists the certificate',
    section: 'RFC 5280, section 6.3.3, step a',
    right: 'gateway',
    covers: (features, gateway, openssl) =>
      [...features].filter((feature) => feature.startsWith('CRL ')).length > 1 &&
      gateway === 'revoked' &&
      openssl !== 'revoked',
  },
];

describeRevocationSuite({
  title: 'CRLs',
  // Of one CA each, with ten clients.
  lists: 15 * times,
  createGenerator: createCrlGenerator,
  byGateway: judgeCrlsByGateway,
  byOpenssl: judgeCrlsByOpenssl,
  disagreements,
  judgements: ['good', 'revoked', 'undetermined'],
});

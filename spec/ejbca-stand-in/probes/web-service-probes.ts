import { answerText } from './answer-text.ts';
import type { Probe } from './enrollment-probes.ts';
import type { ProbeEndEntity } from './site.ts';

const edit =
  (endEntity: ProbeEndEntity = {}): Probe =>
  async (site) =>
    answerText(await site.editUser(endEntity));

const waiting = { ca: 'Approval CA', endEntityProfile: 'DeviceAny', by: 'wide' } as const;

const find =
  (written: (username: string) => string, by?: 'nobody'): Probe =>
  async (site) => {
    const username = site.newUser();
    await site.editUser({ username });
    return answerText(await site.findUser(written(username), by));
  };

/** The SOAP web service. */
export const webServiceProbes: Readonly<Record<string, Probe>> = {
  'editUser new': edit(),
  'editUser approval CA': edit(waiting),
  'editUser approval CA again': async (site) => {
    const username = site.newUser();
    await site.editUser({ username, ...waiting });
    return answerText(await site.editUser({ username, ...waiting }));
  },
  'editUser EEP not authorised': edit({ endEntityProfile: 'DeviceStrict', by: 'gateway' }),
  'editUser no role': edit({ by: 'nobody' }),
  'editUser CP unknown': edit({ certificateProfile: 'NoSuch' }),
  'editUser EEP unknown': edit({ endEntityProfile: 'NoSuch' }),
  'editUser CA unknown': edit({ ca: 'NoSuch' }),
  'editUser DN not allowed': edit({ subject: 'CN=x,OU=1,OU=2,OU=3' }),
  'editUser token': edit({ token: 'FOO' }),
  findUser: find((username) => username),
  'findUser other case': find((username) => username.toUpperCase()),
  'findUser %': find(() => 'x%'),
  'findUser unknown': find(() => 'nob'),
  'findUser no role': find(() => 'nob', 'nobody'),
  'isAuthorized no role': async (site) =>
    answerText(await site.soap('isAuthorized', '<arg0>/ra_functionality/view_end_entity</arg0>', 'nobody')),
  'findUser after pkcs10enroll': async (site) => {
    const username = site.newUser();
    await site.pkcs10Enroll({ username });
    return answerText(await site.findUser(username));
  },
};

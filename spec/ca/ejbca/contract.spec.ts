import { startEjbca } from '../../support/ejbca/start.ts';
import { certificationAuthorityContract } from '../contract.ts';
import { openForContract, optionsFor, settingsFor } from './setup.ts';

certificationAuthorityContract('EJBCA', async () => {
  const ejbca = await startEjbca();
  // The suite has one key of each kind, and EJBCA gives a key to one end entity alone.
  const nameGeneration = { scheme: 'FIXED', parameters: 'device-1', prefix: '', postfix: '' } as const;
  return await openForContract(optionsFor(ejbca), settingsFor({ nameGeneration }), async () => {
    await ejbca.stop();
  });
});

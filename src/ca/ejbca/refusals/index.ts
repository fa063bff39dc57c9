import type { KnownText } from './known-text.ts';
import { refusalsOfDevices } from './of-devices.ts';
import { refusalsOfOperators } from './of-operators.ts';
import { refusalsOfStates } from './of-states.ts';

/** Every refusal of EJBCA that is known by its text; the first that fits counts. */
export const knownTexts: readonly KnownText[] = [
  ...refusalsOfStates,
  ...refusalsOfDevices,
  ...refusalsOfOperators,
];

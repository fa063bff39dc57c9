#!/usr/bin/env node
/**
 * The executable. The gateway needs Node 24 whatever the machine's own Node is: the package `node` brings it. So
 * nothing is imported here at once that an older Node could not load.
 */
import { setFlagsFromString } from 'node:v8';
import { runOnOwnNode } from './cli/own-node.ts';

if (Number.parseInt(process.versions.node, 10) < 24) {
  runOnOwnNode(process.argv.slice(1));
} else {
  // V8 lets its young generation grow to 64 MB while modules load, and keeps them resident. What a request makes is
  // small and gone with it, so that a small one serves as well.
  setFlagsFromString('--semi-space-growth-factor=1');
  const { runCommandLine } = await import('./cli/program.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
}

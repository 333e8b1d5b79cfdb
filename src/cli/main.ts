#!/usr/bin/env node
// The program's entry: arguments in, exit code out. Never ends the process in the middle of output.
import { setFlagsFromString } from 'node:v8';

// every user of the machine sees the arguments of a process, and some of ours are ids of orgs
const daemon = ['worker', 'scheduler', 'up'].find((verb) => process.argv.includes(verb));
process.title = ['credit-rollout', ...(daemon === undefined ? [] : [daemon])].join(' ');

// Both before the program is loaded. V8's nursery would grow to 3 × 16 MB while it loads and never shrink again,
// although our objects are few and short-lived.
setFlagsFromString('--semi-space-growth-factor=1');
// pg creates a Response to find out where it runs, unless there is a navigator to ask. Node 20 has none, and loads all
// of fetch for it. Newer Nodes have this navigator themselves.
if (!('navigator' in globalThis))
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent: `Node.js/${process.versions.node}` } });
const [{ createProcessIo }, { runCli, showFailure }] = await Promise.all([
  import('./terminal/io.js'),
  import('./run-cli.js'),
]);

/** A connection that does not close must not keep a finished command alive, in ms. */
const GRACE_MS = 1_500;

const args = process.argv.slice(2);
const io = createProcessIo();
// Node would print the error with everything that a server sent
process.on('uncaughtException', (error) => process.exit(showFailure(args, io, error)));
process.exitCode = await runCli(args, io);
setTimeout(() => process.exit(), GRACE_MS).unref();

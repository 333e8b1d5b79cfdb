#!/usr/bin/env node
// The program's entry: arguments in, exit code out. Never ends the process in the middle of output.
import { setFlagsFromString } from 'node:v8';

// Both before the program is loaded. V8's nursery would grow to 3 × 16 MB while it loads and never shrink again,
// although our objects are few and short-lived.
setFlagsFromString('--semi-space-growth-factor=1');
// pg creates a Response to find out where it runs, unless there is a navigator to ask. Node 20 has none, and loads all
// of fetch for it. Newer Nodes have this navigator themselves.
if (!('navigator' in globalThis))
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent: `Node.js/${process.versions.node}` } });
const [{ createProcessIo }, { runCli }] = await Promise.all([import('./terminal/io.js'), import('./run-cli.js')]);

/** A connection that does not close must not keep a finished command alive, in ms. */
const GRACE_MS = 1_500;

process.exitCode = await runCli(process.argv.slice(2), createProcessIo());
setTimeout(() => process.exit(), GRACE_MS).unref();

#!/usr/bin/env node
// The program's entry: arguments in, exit code out. Never ends the process in the middle of output.
import { setFlagsFromString } from 'node:v8';

// V8's nursery would grow to 3 × 16 MB, although our objects are few and short-lived, and never shrink again. Before
// the program is loaded, because loading alone makes it grow.
setFlagsFromString('--semi-space-growth-factor=1');
const [{ createProcessIo }, { runCli }] = await Promise.all([import('./terminal/io.js'), import('./run-cli.js')]);

/** A connection that does not close must not keep a finished command alive, in ms. */
const GRACE_MS = 1_500;

process.exitCode = await runCli(process.argv.slice(2), createProcessIo());
setTimeout(() => process.exit(), GRACE_MS).unref();

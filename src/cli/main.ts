#!/usr/bin/env node
// The program's entry: arguments in, exit code out. Never ends the process in the middle of output.
import { createProcessIo } from './cli-io.js';
import { runCli } from './run-cli.js';

/** A connection that does not close must not keep a finished command alive, in ms. */
const GRACE_MS = 1_500;

process.exitCode = await runCli(process.argv.slice(2), createProcessIo());
setTimeout(() => process.exit(), GRACE_MS).unref();

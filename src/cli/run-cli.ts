// Reads the arguments, runs one command, and turns what it threw into a sentence and an exit code. Knows no command.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { explainFailure } from '../engine/database-errors.js';
import { quoteValue } from '../kernel/quote-value.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { projectFolder } from '../platform/project-folder.js';
import { explainArguments, rejectRepeats } from './arguments/explain-arguments.js';
import { parseText } from './arguments/parse-options.js';
import { readOrgs } from './arguments/read-org.js';
import { REGISTRATIONS } from './commands/index.js';
import type { CliIo } from './terminal/io.js';
import { type CliSession, createSession, type Execute, readGlobalOptions } from './terminal/session.js';
import { wrapToWidth } from './terminal/wrap.js';
import { showError } from './views/show-error.js';

/** Runs one command line (without node and script); never throws, never ends the process. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const exitCode = await runLine(args, io);
  const code = io.lostBy();
  if (code === undefined) return exitCode;
  return showFailure(
    args,
    io,
    new RolloutError('output_lost', {
      message: `Standard output could not be written (${code}): some of what this command printed is missing.`,
    }),
  );
}

async function runLine(args: readonly string[], io: CliIo): Promise<number> {
  const cli = createCli(io, await readVersion());
  let exitCode = 0;
  const open = (values: Readonly<Record<string, unknown>>): CliSession => createSession(io, readGlobalOptions(values));
  const execute: Execute = async (action) => {
    exitCode = await action(open(cli.opts()));
  };
  for (const register of REGISTRATIONS) register(cli, execute);
  rejectRepeats(cli);
  readOrgs(cli, io);
  try {
    rejectUnstorable(args);
    await cli.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return showFailure(args, io, error instanceof CommanderError ? explainArguments(error, cli, args) : error);
  }
}

/** No database stores a NUL, and no file is named with one: later it would be an error of a server. */
function rejectUnstorable(args: readonly string[]): void {
  const found = args.find((arg) => arg.includes('\0'));
  if (found === undefined) return;
  throw new RolloutError('invalid_argument', {
    message: `The argument ${quoteValue(found)} has a NUL in it.`,
    next: 'Leave that character out.',
  });
}

/** Shows what a command line threw, also one that ended in the middle of something; returns the exit code. */
export function showFailure(args: readonly string[], io: CliIo, error: unknown): number {
  return showError(createSession(io, readGlobalOptions(readFlags(args))), explainFailure(error));
}

async function readVersion(): Promise<string> {
  const { version }: { version: string } = JSON.parse(await readFile(join(projectFolder, 'package.json'), 'utf8'));
  return version;
}

/** Columns: a help text beside its option is broken into lines down to this width. */
const MIN_WRAPPED = 16;

function createCli(io: CliIo, version: string): Command {
  return new Command('credit-rollout')
    .description('Moves every org of every data center from the API limit to API credits, one data center at a time.')
    .version(version, '-v, --version', 'print the version')
    .option('--config <file>', 'the configuration; default rollout.config.yaml here, else the embedded servers')
    .option('--json', 'one JSON document on standard output')
    .option('--reason <text>', 'why, for the audit', parseText('--reason'))
    .option(
      '--exit-code',
      'plan and dry apply return 2 when something is pending; status returns 1 or 4 when it needs you',
    )
    .option('--debug', 'show stack traces and the text of database servers, which may hold data of orgs')
    .option('--no-color', 'no colours')
    .helpCommand(false)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: MIN_WRAPPED })
    .configureOutput({
      getOutHelpWidth: () => io.width(),
      writeOut: (text) => io.out(wrapToWidth(text, io.width())),
      writeErr: () => undefined, // shown by showError, in our own words
    });
}

/** The flags that matter for showing an error, when parsing stopped before it reached them. */
function readFlags(args: readonly string[]): Readonly<Record<string, unknown>> {
  const at = args.indexOf('--config');
  const joined = args.find((arg) => arg.startsWith('--config='))?.slice('--config='.length);
  return {
    json: args.includes('--json'),
    debug: args.includes('--debug'),
    color: !args.includes('--no-color'),
    config: at < 0 ? joined : args[at + 1],
  };
}

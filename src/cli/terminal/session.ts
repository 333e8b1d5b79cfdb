// What every command gets beside its own arguments: the global options, the terminal, and how it prints.
import { readEnvironment } from '../../platform/environment.js';
import { type CommandNames, createCommandNames } from './command-names.js';
import type { CliIo } from './io.js';
import { createPaint, type Paint } from './paint.js';
import { toJson } from './to-json.js';

export interface GlobalOptions {
  /** Path of a configuration; undefined: the default. */
  readonly config: string | undefined;
  readonly json: boolean;
  readonly debug: boolean;
  readonly exitCode: boolean;
  readonly reason: string | null;
  readonly color: boolean;
}

export interface CliSession {
  readonly io: CliIo;
  readonly options: GlobalOptions;
  readonly commands: CommandNames;
  readonly paint: Paint;
  /** Text for a person; nothing with --json, whose standard output is one document. */
  print(text: string): void;
  /** One sentence on standard error, in every mode. */
  warn(sentence: string): void;
  /** The command's result: the document with --json, else the text. */
  report(document: Readonly<Record<string, unknown>>, text: string): void;
}

/** What a command does; returns the exit code. */
export type Action = (session: CliSession) => Promise<number>;

/** Hands an action to the command line. */
export type Execute = (action: Action) => Promise<void>;

export function readGlobalOptions(values: Readonly<Record<string, unknown>>): GlobalOptions {
  return {
    config: typeof values.config === 'string' ? values.config : undefined,
    json: values.json === true,
    debug: values.debug === true,
    exitCode: values.exitCode === true,
    reason: typeof values.reason === 'string' ? values.reason : null,
    color: values.color !== false,
  };
}

export function createSession(io: CliIo, options: GlobalOptions): CliSession {
  const print = (text: string): void => (options.json ? undefined : io.out(`${text}\n`));
  return {
    io,
    options,
    commands: createCommandNames({
      script: readEnvironment('npm_lifecycle_event'),
      config: options.config,
    }),
    paint: createPaint(options.color && io.isTerminal && readEnvironment('NO_COLOR') === undefined),
    print,
    warn: (sentence) => io.err(`warning: ${sentence}\n`),
    report: (document, text) => (options.json ? io.out(`${JSON.stringify(toJson(document), null, 2)}\n`) : print(text)),
  };
}

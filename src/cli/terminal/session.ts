// What every command gets beside its own arguments: the global options, the terminal, and how it prints. A text that
// somebody else wrote goes into a view as withPrintableTexts gives it, so that it cannot look like a line of ours. Of
// anything else the control characters of a terminal are removed.
import { cutText, toPrintable, withPrintableTexts } from '../../kernel/printable.js';
import { readEnvironment } from '../../platform/environment.js';
import { isCalledElsewhere, projectFolder } from '../../platform/project-folder.js';
import { type CommandNames, createCommandNames } from './command-names.js';
import { keepDirection } from './directions.js';
import type { CliIo } from './io.js';
import { createPaint, keepColours, type Paint } from './paint.js';
import { formatJson } from './to-json.js';
import { wrapToWidth } from './wrap.js';

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
  /** Columns that a line may take. */
  width(): number;
  /** The lines of a text as they fit, commands in one piece. */
  toLines(text: string, width?: number): readonly string[];
  /** Text for a person, as it fits; nothing with --json, whose standard output is one document. */
  print(text: string): void;
  /** Lines on standard error, in every mode. */
  printError(text: string): void;
  /** One sentence on standard error, in every mode. */
  warn(sentence: string): void;
  /** What goes out as it is, such as CSV: exact for a file or a program, printable where a terminal shows it. */
  asShown<T>(value: T): T;
  /** The command's result: the document with --json, else the text; `lines`: as it is, for a log. */
  report(document: Readonly<Record<string, unknown>>, text: string, form?: 'fitted' | 'lines'): void;
}

/** Of a warning, in characters: no value of a configuration may fill a screen. */
const MAX_SENTENCE = 2_000;

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
  const coloured = options.color && io.isTerminal && readEnvironment('NO_COLOR') === undefined;
  const safe = (text: string): string => keepColours(text, coloured ? 'coloured' : 'plain');
  const commands = createCommandNames({
    script: readEnvironment('npm_lifecycle_event'),
    project: isCalledElsewhere() ? projectFolder : undefined,
    config: options.config,
  });
  const toFitting = (text: string, width = io.width()): string =>
    keepDirection(wrapToWidth(safe(text), width, commands.shown));
  const print = (text: string): void => (options.json ? undefined : io.out(`${toFitting(text)}\n`));
  const printError = (text: string): void => io.err(`${toFitting(text)}\n`);
  return {
    io,
    options,
    commands,
    paint: createPaint(coloured),
    width: io.width,
    toLines: (text, width) => toFitting(text, width).split('\n'),
    print,
    printError,
    asShown: (value) => (io.isTerminal ? withPrintableTexts(value) : value),
    warn: (sentence) => printError(`warning: ${cutText(toPrintable(sentence), MAX_SENTENCE)}`),
    report: (document, text, form = 'fitted') => {
      if (options.json) io.out(formatJson(document));
      else if (form === 'lines') io.out(`${safe(text)}\n`);
      else print(text);
    },
  };
}

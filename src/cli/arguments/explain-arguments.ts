// What commander says of a command line that it cannot read, in our words and with a way out. Reads arguments only.

import { type Command, type CommanderError, InvalidArgumentError, type Option } from 'commander';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { findNearest } from '../../kernel/nearest-word.js';
import { cutText } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** commander's "error: unknown command 'aply'\n(Did you mean apply?)" as an error of ours. */
export function explainArguments(error: CommanderError, cli: Command, args: readonly string[]): RolloutError {
  if (error.code === 'commander.help')
    return new RolloutError('invalid_argument', { message: 'No command was given.', next: adviseHelp([]) });
  const unknown = error.code === 'commander.excessArguments' ? findUnknownAction(cli, args) : undefined;
  if (unknown !== undefined) return unknown;
  const text = error.message.replace(/^error: /u, '');
  const [hint] = SUGGESTION.exec(text) ?? [];
  const first = cutText(text.slice(0, text.length - (hint?.length ?? 0)), MAX_SHOWN);
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1)}`.replace(/\.?$/u, '.');
  const next = hint?.trim().replaceAll(/^\(|\)$/gu, '') ?? adviseHelp(findCommand(cli, args));
  return new RolloutError('invalid_argument', { message: sentence, next });
}

/** In characters. */
const MAX_SHOWN = 300;
/** commander's own last line. What is in quotes before it is an argument, which may have lines and pretend anything. */
const SUGGESTION = /\n\(Did you mean (?:one of )?[a-z-][a-z, -]{0,200}\?\)$/u;

/** The help of the command that was meant: `cutover postpone --help`. */
const adviseHelp = (names: readonly string[]): Advice => advise`Run: ${command`${names} --help`}`;

/** The names of the command that a command line reaches, as far as it can be read. */
function findCommand(cli: Command, args: readonly string[]): readonly string[] {
  const takesValue = (arg: string, within: readonly Command[]): boolean =>
    within.some(({ options }) =>
      options.some((option) => (option.short === arg || option.long === arg) && takesOneValue(option)),
    );
  const path: Command[] = [cli];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg.startsWith('-')) {
      if (takesValue(arg, path)) at += 1;
      continue;
    }
    const inner = path.at(-1)?.commands.find((one) => one.name() === arg);
    if (inner === undefined) break;
    path.push(inner);
  }
  return path.slice(1).map((one) => one.name());
}

/** `cutover exceute` reaches what `cutover` alone does, which only counts too many arguments. */
function findUnknownAction(cli: Command, args: readonly string[]): RolloutError | undefined {
  const groups = cli.commands.filter(({ commands }) => commands.length > 0);
  const names = groups.map((group) => group.name());
  const at = args.findIndex((arg) => names.includes(arg));
  const group = groups.find((candidate) => candidate.name() === args[at]);
  const word = args[at + 1];
  if (group === undefined || word === undefined || word.startsWith('-')) return undefined;
  const actions = group.commands.map((action) => action.name());
  if (actions.includes(word)) return undefined;
  const meant = findNearest(word, actions);
  return new RolloutError('invalid_argument', {
    message: `Unknown command '${group.name()} ${word}'.`,
    next:
      meant === undefined
        ? `Write one of: ${actions.map((action) => `${group.name()} ${action}`).join(', ')}.`
        : `Did you mean ${group.name()} ${meant}?`,
  });
}

/**
 * Makes every option of `command`, and of the commands in it, take its value once: of `pause --dc in --dc eu` the last
 * would win in silence, and `in` would go on.
 */
export function rejectRepeats(command: Command): void {
  for (const option of command.options) if (takesOneValue(option)) rejectRepeat(command, option);
  for (const inner of command.commands) rejectRepeats(inner);
}

const takesOneValue = ({ required, optional, variadic }: Option): boolean => (required || optional) && !variadic;

function rejectRepeat(command: Command, option: Option): void {
  const parse = option.parseArg;
  option.argParser((value: string, previous: unknown) => {
    if (command.getOptionValueSource(option.attributeName()) === 'cli')
      throw new InvalidArgumentError('It may be given only once.');
    return parse === undefined ? value : parse(value, previous);
  });
}

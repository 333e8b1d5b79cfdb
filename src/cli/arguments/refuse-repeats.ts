// An option with one value that is given twice is refused. Never does the last one win in silence:
// `pause --dc in --dc eu` would leave `in` running.
import { type Command, InvalidArgumentError, type Option } from 'commander';

/** Makes every option of `command`, and of the commands in it, take its value once. */
export function refuseRepeats(command: Command): void {
  for (const option of command.options) if (takesOneValue(option)) refuseRepeat(command, option);
  for (const inner of command.commands) refuseRepeats(inner);
}

const takesOneValue = ({ required, optional, variadic }: Option): boolean => (required || optional) && !variadic;

function refuseRepeat(command: Command, option: Option): void {
  const parse = option.parseArg;
  option.argParser((value: string, previous: unknown) => {
    if (command.getOptionValueSource(option.attributeName()) === 'cli')
      throw new InvalidArgumentError('It may be given only once.');
    return parse === undefined ? value : parse(value, previous);
  });
}

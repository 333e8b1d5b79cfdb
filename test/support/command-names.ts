// The names of all commands, as the program registers them, for tests that must not forget one.
import { Command } from 'commander';
import { REGISTRATIONS } from '../../src/cli/commands/index.js';

const program = new Command();
for (const register of REGISTRATIONS) register(program, async () => undefined);

const listNames = (cli: Command, before = ''): readonly string[] =>
  cli.commands.flatMap((one) =>
    one.commands.length > 0 ? listNames(one, `${before}${one.name()} `) : [`${before}${one.name()}`],
  );

/** `plan`, `plans show`, `meter serve` and so on. */
export const COMMAND_NAMES = listNames(program);

/** Which of them a command line is. */
export const nameCommand = (args: readonly string[]): string =>
  COMMAND_NAMES.find((one) => `${args.join(' ')} `.startsWith(`${one} `)) ??
  `${args[0]} ${args[0] === 'plans' || args[0] === 'exception' ? 'list' : 'show'}`;

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

/** Of these the first command is `list`, of the others `show`. */
const LISTED: readonly string[] = ['plans', 'exception', 'webhooks'];

/** Which of them a command line is. */
export const nameCommand = (args: readonly string[]): string =>
  COMMAND_NAMES.find((one) => `${args.join(' ')} `.startsWith(`${one} `)) ??
  `${args[0]} ${LISTED.includes(args[0] ?? '') ? 'list' : 'show'}`;

// The reference of the commands, from the program itself: usage, description, options, exit codes. Runs no command.
import { Command } from 'commander';
import { REGISTRATIONS } from '../../src/cli/commands/index.js';
import { renderMarkdownTable, splitCell } from './markdown.js';

/** What a command returns beside 0 (it worked) and the exit code of an error. */
const EXIT_CODES: Readonly<Record<string, string>> = {
  doctor: '1 when it finds an error; warnings alone return 0',
  plan: '2 with `--exit-code` when an apply would write something',
  apply: '2 with `--exit-code` and without `--execute` when it would write something; with `--wait` 3, 4, 5 and 1',
  wait: 'as `apply --wait`; 8 where no rollout was ever requested',
  pause: '4 when the fence is not closed within three seconds',
  abort: '4 when the fence is not closed within three seconds',
  freeze: '4 when something that began before has not ended; 1 when a cell was not frozen',
  unfreeze: '1 when a cell could not be reached',
  'cutover execute': '4 when a sign-up that began before still holds the gate',
  verify:
    '5 when the verification finds a mismatch, or the cut-over is not proven; 8 where nothing was rolled out; 3 where orgs cannot be read in the source',
  repair: '8 where no allotment breaks the rule',
  undo: '3 with `--execute` when orgs that somebody changed since are left as they are',
  'rate-card check': '1 when a golden case fails',
  worker: '0 when it is stopped',
  meter: '0 when it is stopped',
  scheduler: '0 when it is stopped',
  up: '0 when it is stopped',
};

/** Every command that is not hidden, in the order of the program; a group is followed by its own commands. */
export function listCommands(): readonly { readonly path: string; readonly command: Command }[] {
  const cli = new Command('credit-rollout').helpCommand(false);
  for (const register of REGISTRATIONS) register(cli, async () => undefined);
  return visible(cli).flatMap((command) => [
    { path: command.name(), command },
    ...visible(command).map((inner) => ({ path: `${command.name()} ${inner.name()}`, command: inner })),
  ]);
}

const visible = (command: Command): readonly Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((inner) => inner.name() !== 'help');

/** One section for each command. */
export function renderCommands(): string {
  const commands = listCommands();
  const unknown = Object.keys(EXIT_CODES).filter((name) => !commands.some(({ path }) => path === name));
  if (unknown.length > 0) throw new Error(`exit codes of commands that do not exist: ${unknown.join(', ')}`);
  return commands.map(({ path, command }) => renderCommand(path, command)).join('\n\n');
}

function renderCommand(path: string, command: Command): string {
  const codes = EXIT_CODES[path];
  return [
    `${path.includes(' ') ? '###' : '##'} ${path}`,
    toSentence(command.description()),
    `\`\`\`\ncredit-rollout ${usageOf(path, command)}\n\`\`\``,
    ...renderOptions(command),
    ...(codes === undefined ? [] : [`Exit codes of its own: ${codes}.`]),
  ].join('\n\n');
}

function usageOf(path: string, command: Command): string {
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, mandatory }) => (mandatory ? flags : `[${flags}]`));
  return wrapUsage([path, ...args, ...options]);
}

/** At most 100 characters a line, the next ones indented. */
function wrapUsage(parts: readonly string[]): string {
  return parts.reduce((text, part) => {
    const line = text.slice(text.lastIndexOf('\n') + 1);
    return line.length + part.length > 80 ? `${text}\n    ${part}` : `${text}${text === '' ? '' : ' '}${part}`;
  }, '');
}

function renderOptions(command: Command): readonly string[] {
  const rows = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description, defaultValue, mandatory }) => ({
      flags,
      ...splitCell(
        `${description}${mandatory ? ' (needed)' : ''}${defaultValue === undefined ? '' : ` (default ${String(defaultValue)})`}`,
      ),
    }));
  if (rows.length === 0) return [];
  const table = renderMarkdownTable(
    ['option', 'meaning'],
    rows.map(({ flags, cell }) => [`\`${flags}\``, cell]),
  );
  const notes = rows.flatMap(({ flags, rest }) => (rest === undefined ? [] : [`- \`${flags}\`: ${rest}`]));
  return notes.length === 0 ? [table] : [table, notes.join('\n')];
}

const toSentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/u.test(text) ? '' : '.'}`;

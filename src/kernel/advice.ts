// What a person is to do next: a text with commands of ours in it. A command is data, so that whoever shows the text
// writes the command as this user runs it. Without the name of the program.
import { toPrintable } from './printable.js';

/** The arguments of our program, as one writes them: `status --dc eu`. */
export interface CommandText {
  readonly command: string;
}

export type Advice = readonly (string | CommandText)[];

/** A text that stands in the source: what a program puts together may hold what a shell would run. */
export type SourceText<Text extends string> = Text extends string
  ? Record<never, never> extends Record<Text, 1>
    ? never
    : Text
  : never;

/** What may stand in a command: a value becomes one argument, a list one for each, `undefined` and false none. */
export type CommandPart = string | number | bigint | CommandText | false | undefined | readonly CommandPart[];

/** The one way to make a command. Each value in a template is quoted, so that a shell takes it as one argument. */
export function command<Text extends string>(text: Text & SourceText<Text>): CommandText;
export function command(texts: TemplateStringsArray, ...parts: readonly CommandPart[]): CommandText;
export function command(texts: string | TemplateStringsArray, ...parts: readonly CommandPart[]): CommandText {
  if (typeof texts === 'string') return { command: texts };
  const text = parts.reduce<string>((before, part, index) => {
    const shown = showPart(part);
    return `${shown === '' ? before.trimEnd() : before}${shown}${texts[index + 1]}`;
  }, texts[0] ?? '');
  return { command: text.trim() };
}

function showPart(part: CommandPart): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'number' || typeof part === 'bigint') return String(part);
  if (typeof part === 'string') return quoteArgument(part, 'VALUE').command;
  return 'command' in part ? part.command : part.map(showPart).filter(Boolean).join(' ');
}

/** A value as a shell takes it; `otherwise` for one that cannot be shown as it is, or that would be an option. */
export const quoteArgument = (value: string, otherwise: string): CommandText => ({
  command: value.startsWith('-') ? otherwise : quoteUnlessHidden(value, otherwise),
});

/** What toPrintable made of a character, and what was cut: a view does not know the value itself. */
const ALREADY_SHOWN = /\\u(?:[0-9a-f]{4}|\{)|…$/u;

/** The same for the value of an option that may begin as another does. */
export const quoteUnlessHidden = (value: string, otherwise: string): string =>
  toPrintable(value) === value && !ALREADY_SHOWN.test(value) ? quoteText(value) : otherwise;

export const quoteText = (text: string): string =>
  /^[\w./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The text of a template, with each `command(…)` among its values kept as data. */
export function advise(texts: TemplateStringsArray, ...values: readonly (string | CommandText)[]): Advice {
  return texts.flatMap((text, index) => [text, values[index] ?? '']).filter((part) => part !== '');
}

const CREDIT_ROLLOUT = (text: string): string => `credit-rollout ${text}`;

/** As one text. `show`: how a command is written; without it as `credit-rollout status --dc eu`. */
export function formatAdvice(advice: string | Advice, show: (text: string) => string = CREDIT_ROLLOUT): string {
  if (typeof advice === 'string') return advice;
  return advice.map((part) => (typeof part === 'string' ? part : show(part.command))).join('');
}

/** With its texts changed, and its commands: alike, where they get no change of their own. */
export function mapAdvice(
  advice: string | Advice,
  change: (text: string) => string,
  changeCommand: (text: string) => string = change,
): Advice {
  const parts = typeof advice === 'string' ? [advice] : advice;
  return parts.map((part) => (typeof part === 'string' ? change(part) : { command: changeCommand(part.command) }));
}

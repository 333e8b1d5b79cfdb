// What a person is to do next: a text with commands of ours in it. A command is data, so that whoever shows the text
// writes the command as this user runs it. Without the name of the program.

/** The arguments of our program, as one writes them: `status --dc eu`. */
export interface CommandText {
  readonly command: string;
}

export type Advice = readonly (string | CommandText)[];

export const command = (text: string): CommandText => ({ command: text });

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
  return parts.map((part) => (typeof part === 'string' ? change(part) : command(changeCommand(part.command))));
}

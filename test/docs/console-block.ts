// The console blocks of a tutorial: commands after `$ `, and the lines that each shows. In a shown line a number
// matches any number and `…` any text; a line `…` matches any number of lines.

export interface ShownCommand {
  /** Arguments of the program. */
  readonly args: readonly string[];
  /** As it is in the document. */
  readonly text: string;
  readonly shown: readonly string[];
}

const PREFIX = 'npm run -s rollout -- ';

/** The commands of all blocks in order. Throws for a command that is not one of the program. */
export function parseConsole(blocks: readonly string[]): readonly ShownCommand[] {
  const lines = blocks.flatMap((block) => block.trimEnd().split('\n'));
  const commands: { args: readonly string[]; text: string; shown: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('$ ')) commands.push({ args: toArguments(line.slice(2)), text: line.slice(2), shown: [] });
    else commands.at(-1)?.shown.push(line);
  }
  return commands;
}

function toArguments(text: string): readonly string[] {
  if (text === 'npm start') return ['demo'];
  if (!text.startsWith(PREFIX)) throw new Error(`the tutorial shows "${text}", which is no command of the program`);
  return [...text.slice(PREFIX.length).matchAll(/"([^"]*)"|(\S+)/gu)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/** One pattern for everything that a command shows. */
export function toPattern(shown: readonly string[]): RegExp {
  const lines = shown.map((line) => {
    if (line === '…') return '(?:.*\\n)*?';
    const parts = line.split('…').map((part) => {
      const escaped = part.replaceAll(/[\\^$.*+?()[\]{}|]/gu, '\\$&');
      return escaped.replaceAll(/\d(?:[\d,]|\\\.(?=\d))*/gu, '\\d[\\d,.]*').replaceAll(/ +/gu, ' +');
    });
    return `${parts.join('.*')} *\\n`;
  });
  return new RegExp(`^${lines.join('')}\\s*$`, 'u');
}

/** The shown lines that appear nowhere, for a message that helps. */
export function findMissing(shown: readonly string[], output: string): readonly string[] {
  return shown.filter(
    (line) => line !== '…' && !output.split('\n').some((real) => toPattern([line]).test(`${real}\n`)),
  );
}

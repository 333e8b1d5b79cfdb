// Text that fits into so many columns of a terminal: broken between words, with what continues a line further in. What
// a person pastes stays in one piece, or goes on after a backslash, as a shell reads it. Never cuts anything.
import { displayWidth, takeColumns } from './display-width.js';
import { SGR } from './paint.js';

/** In place of a space where a command may go on after a backslash; a text that is printed has none. */
const JOINT = '\u0000';
/** In place of a space in quotes, where a backslash would be one of the argument. */
const KEPT = '\u0001';
/** What a shell takes as it is. */
const QUOTED = /(\\.|'[^']*')/u;
const CONTINUED = ' \\';
const INDENT = 2;
/** Of a line, before the text that goes on below itself. */
const MAX_BEFORE = 0.6;
/** The end of what stands before a gap, as in `  --dc <ids>   the data centers`. */
const GAP = /^(?: *\S+(?: \S+)*?)? {2,}(?=\S)/u;

/** Every line that is too long as several. `commands`: what is kept in one piece. */
export function wrapToWidth(text: string, width: number, commands: Iterable<string> = []): string {
  const lines = text.split('\n');
  if (lines.every((line) => widthOf(line) <= width)) return text;
  const longestFirst = [...commands].sort((a, b) => b.length - a.length);
  return lines.flatMap((line) => wrapLine(line, width, longestFirst)).join('\n');
}

/** One text as lines of a cell: nothing further in. */
export function wrapCell(text: string, width: number): readonly string[] {
  if (displayWidth(text) <= width) return [text];
  return fill(splitWords(text), { width, hang: 0 });
}

/** Of a text with colours, which take none. */
const widthOf = (text: string): number => displayWidth(text.split(SGR).filter(isText).join(''));
const isText = (part: string): boolean => !SGR.test(part);

function wrapLine(line: string, width: number, commands: readonly string[]): readonly string[] {
  if (widthOf(line) <= width) return [line];
  const joined = commands.reduce((text, command) => text.replaceAll(command, () => joinCommand(command)), line);
  return fill(splitWords(joined), { width, hang: findHang(joined, width) }).map((one) =>
    one.replaceAll(JOINT, ' ').replaceAll(KEPT, ' '),
  );
}

const joinCommand = (command: string): string =>
  command
    .split(QUOTED)
    .map((part) => part.replaceAll(' ', QUOTED.test(part) ? KEPT : JOINT))
    .join('');

/** Under the beginning of the sentence, where enough is left there; else a little further in than the line. */
function findHang(line: string, width: number): number {
  const gap = GAP.exec(line)?.[0] ?? '';
  const begins = widthOf(gap);
  const leading = /^ */u.exec(line)?.[0].length ?? 0;
  if (begins > leading && begins <= width * MAX_BEFORE) return begins;
  return Math.min(leading + INDENT, Math.floor(width / 2));
}

/** At each last space of a row of spaces; the others stay with the word before. */
const splitWords = (text: string): readonly string[] => text.split(/ (?=[^ ])/u);

interface Space {
  readonly width: number;
  readonly hang: number;
}

function fill(words: readonly string[], space: Space): readonly string[] {
  const done: string[] = [];
  let line: string | undefined;
  for (const word of words) {
    const longer: string = line === undefined ? word : `${line} ${word}`;
    if (widthOf(longer.trimEnd()) <= space.width) {
      line = longer;
      continue;
    }
    const begun = line?.trimEnd() ?? '';
    if (begun !== '') done.push(begun);
    // where nothing but its indentation is on the line, the word stands there
    const begin = begun !== '' ? space.hang : line === undefined ? 0 : line.length + 1;
    const lines = breakWord(word, begin, space);
    done.push(...lines.slice(0, -1));
    line = lines.at(-1);
  }
  return line === undefined ? done : [...done, line.trimEnd()];
}

/** A word on lines of its own, the first of them `begin` columns in. */
function breakWord(word: string, begin: number, { width, hang }: Space): readonly string[] {
  const alone = `${' '.repeat(begin)}${word}`;
  if (widthOf(alone) <= width) return [alone];
  if (word.includes(JOINT)) return breakCommand(word, width, begin);
  // the code of a colour must stay whole; no word of ours that has one is so long
  return SGR.test(word) ? [alone] : cutWord(word, width, begin, hang);
}

/** After a backslash a shell reads on. A part that is longer than the line is left to the terminal. */
function breakCommand(command: string, width: number, begin: number): readonly string[] {
  const lines: string[] = [];
  let line = ' '.repeat(begin);
  for (const part of command.split(JOINT)) {
    const empty = line.trim() === '';
    const longer = empty ? `${line}${part}` : `${line} ${part}`;
    if (empty || displayWidth(longer) <= width - CONTINUED.length) line = longer;
    else {
      lines.push(`${line}${CONTINUED}`);
      line = `${' '.repeat(begin + INDENT)}${part}`;
    }
  }
  return [...lines, line];
}

/** A key in its two halves is read more easily where it is broken after a dot. */
function cutBetween(part: string, word: string): string {
  const at = part === word ? 0 : part.lastIndexOf('.') + 1;
  return at > part.length / 2 ? part.slice(0, at) : part;
}

function cutWord(word: string, width: number, begin: number, hang: number): readonly string[] {
  const indent = ' '.repeat(begin);
  const part = cutBetween(takeColumns(word, Math.max(1, width - begin)), word);
  // a character that is wider than the whole line
  if (part === '' || part === word) return [`${indent}${word}`];
  return [`${indent}${part}`, ...cutWord(word.slice(part.length), width, hang, hang)];
}

// A text of somebody else in lines that fit a terminal. Knows nothing of what it says.
import { toPrintable } from '../../kernel/printable.js';
import { cutToWidth, displayWidth } from './display-width.js';

/** A longer text is cut: no text of anybody's may fill a screen. */
const MAX_LINES = 12;

/** At most so many columns a line; a longer word is cut. */
export function wrapText(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of toPrintable(text)
    .split(/ +/u)
    .filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (displayWidth(longer) <= columns) line = longer;
    else {
      if (line !== '') lines.push(line);
      line = cutToWidth(word, columns);
    }
  }
  const all = line === '' ? lines : [...lines, line];
  return all.length <= MAX_LINES ? all : [...all.slice(0, MAX_LINES), '…'];
}

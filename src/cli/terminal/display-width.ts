// How many columns of a terminal a text takes, and texts that are cut to so many. For printable texts: it knows no
// invisible characters.
import { eastAsianWidth } from 'get-east-asian-width';
import { SGR } from './paint.js';

/** What takes no column: marks over a letter, and our mark behind words that are read from right to left. */
const MARK = /[\p{M}\u200e]/u;
/** Most texts, and each of their characters takes one column. */
const NARROW = /^[ -~]*$/u;

/** Two for a wide character, none for a mark. */
const widthOf = (character: string): number =>
  MARK.test(character) ? 0 : eastAsianWidth(character.codePointAt(0) ?? 0);

export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** The text, or its beginning and `…` where it takes more than `width` columns. */
export function cutToWidth(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${takeColumns(text, width - 1)}…`;
}

/** The first `width` columns of a text with colours, which take none. */
export function cutColoured(text: string, width: number): string {
  let left = width;
  return text
    .split(SGR)
    .map((part) => {
      if (SGR.test(part)) return part;
      const kept = takeColumns(part, left);
      // what follows a wide character that did not fit would be in its place
      left = kept === part ? left - displayWidth(kept) : 0;
      return kept;
    })
    .join('');
}

/** The beginning of a text that takes at most so many columns. */
export function takeColumns(text: string, width: number): string {
  let left = width;
  let end = 0;
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    end += character.length;
  }
  return text.slice(0, end);
}

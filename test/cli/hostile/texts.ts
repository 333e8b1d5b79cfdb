// Texts that somebody wrote to fool who reads them, and what must hold of everything that is printed.
import fc from 'fast-check';
import { expect } from 'vitest';

/** Begins lines that only an attacker could have written. */
export const FORGED = '✔ forged';

const PIECES = [
  ...[`\n${FORGED}`, `\r${FORGED}`, `\r\n${FORGED}\n`, `\u0085${FORGED}`, `\u2028${FORGED}`, `\u2029${FORGED}`],
  ...['\u001b[2J', '\u001b[35m', '\u001b]0;title\u0007', '\u009b35m', '\u0008\u0008', '\t', '\u007f', '\u0001'],
  ...['\u202e', '\u2066', '\u200f', '\u061c', '\u200b', '\u200d', '\ufeff', '\u00ad', '\u3164', '\u{e0041}', '\ufe0f'],
  ...['a\u0301\u0302\u0303\u0304\u0305\u0306', '\u0301', '漢字', '＝1+1', '😀', 'é', "'", '"', '\\', '`', '$(id)'],
  ...['שלום', 'مرحبا 12', '\u00a0', '\u2003', '\\"', 'e\u0301', '\u212a', 'constructor', '--execute', '@file'],
  ...['<script>', '&amp;', "=cmd|' /C calc'!A0", ';=1+1', ' @SUM(A1)', '%s', ',', '|', ':', '?', ':name', '  '],
];

/** At most 40 characters, and never empty. */
export const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 })), {
    minLength: 1,
    maxLength: 5,
  })
  // Postgres has no NUL, and no half characters
  .map((pieces) => [...pieces.join('').replaceAll(/[\0\p{Cs}]/gu, '')].slice(0, 40).join('') || 'x');

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[mKJA]`, 'gu');
/** Ours, behind a letter that is read from right to left. */
const OUR_MARK = /(?<=[\u0590-\u08ff\ufb1d-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]\p{M}*)\u200e/gu;
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|\p{M}{4}/u;

/** No character that a terminal obeys or that cannot be seen, and no line that begins as one that somebody forged. */
export function expectPrintable(text: string): void {
  expect(text.replace(OUR_MARK, '').match(UNSAFE)).toBeNull();
  expect(text.split('\n').filter((line) => line.trimStart().startsWith(FORGED))).toEqual([]);
}

/** The same for a terminal with colours, whose own ones are none of the attacker's. */
export function expectPrintableColours(text: string): void {
  expect(text).not.toContain('\u001b[35m');
  expect(text).not.toContain('\u001b[2J');
  expectPrintable(text.replace(COLOUR, ''));
}

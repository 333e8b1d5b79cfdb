// Colours, which never carry a meaning of their own: an icon and a word are beside them.
import { styleText } from 'node:util';
import { toPrintableLines } from '../../kernel/printable.js';

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours a text, or leaves it as it is. */
export type Paint = (text: string, tone: Tone) => string;

/** A colour; written so because linters forbid a control character in a pattern. As a part, so that split keeps it. */
export const SGR = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`, 'u');

/** The caller knows whether its output is a terminal and whether NO_COLOR is set. */
export function createPaint(enabled: boolean): Paint {
  return (text, tone) => (enabled && text !== '' ? styleText(tone, text, { validateStream: false }) : text);
}

export const plainPaint: Paint = (text) => text;

/** What is about to be printed: lines stay, colours where there are any, and nothing else that a terminal obeys. */
export function keepColours(text: string, colours: 'coloured' | 'plain'): string {
  if (colours === 'plain') return toPrintableLines(text);
  return text
    .split(SGR)
    .map((part) => (SGR.test(part) ? part : toPrintableLines(part)))
    .join('');
}

// Colours, which never carry a meaning of their own: an icon and a word are beside them.
import { styleText } from 'node:util';

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours a text, or leaves it as it is. */
export type Paint = (text: string, tone: Tone) => string;

/** The caller knows whether its output is a terminal and whether NO_COLOR is set. */
export function createPaint(enabled: boolean): Paint {
  return (text, tone) => (enabled && text !== '' ? styleText(tone, text, { validateStream: false }) : text);
}

export const plainPaint: Paint = (text) => text;

// Colours, which never carry a meaning of their own: an icon and a word stand beside them.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Tone = keyof typeof CODES;

/** Colours a text, or leaves it as it is. */
export type Paint = (text: string, tone: Tone) => string;

export function createPaint(enabled: boolean): Paint {
  return (text, tone) => (enabled && text !== '' ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text);
}

export const plainPaint: Paint = (text) => text;

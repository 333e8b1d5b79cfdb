// Text that somebody else wrote, made safe to show: what cannot be seen, moves a cursor or turns text around is shown
// as its code. Never for what programs read: there a text is exact.

/** Controls, line separators, marks of direction, zero-width and other invisible characters, broken Unicode. */
const INVISIBLE = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`;
/** Marks over a letter that already has three: they would cover other lines. */
const PILED_MARKS = String.raw`(?<=\p{M}{3})\p{M}`;
/** One without a letter goes over what stands before the text. */
const UNSAFE = new RegExp(String.raw`${INVISIBLE}|${PILED_MARKS}|^\p{M}`, 'gu');
/** The line feeds of a document are its own: in its texts there are none. */
const UNSAFE_IN_JSON = new RegExp(String.raw`(?!\n)${INVISIBLE}|${PILED_MARKS}`, 'gu');

/** On one line, each unsafe character as `\u202e` or `\u{e0001}`; done twice it stays the same. */
export function toPrintable(text: string): string {
  return text.replace(UNSAFE, showCode);
}

/** Blanks that look like a space and are none. */
const OTHER_BLANK = /(?! )[\p{Zs}\u2800]/gu;
/** Not as an option begins; a number below zero does. */
const PLAIN_WORD = /^(?!null$|-(?!\d))[\p{L}\p{N}_.@:/-]+$/u;
/** What ends the quotes would also stand before it or after it. */
const BEFORE_QUOTE = /(\\*)("|$)/gu;

/**
 * A name of somebody else's in a sentence of ours: of an org, an edition, a login. In quotes unless it is one plain
 * word, so that it cannot go on as the sentence would; `null` is none, it stands for nothing. What only looks the same
 * as another name, by its blanks or by how its accents are stored, is told apart.
 */
export function showName(text: string): string {
  const exact = text.replace(OTHER_BLANK, showCode);
  const told = exact === exact.normalize('NFC') ? exact : [...exact].map(showOtherForm).join('');
  if (told === text && PLAIN_WORD.test(text)) return text;
  return `"${told.replace(BEFORE_QUOTE, (_, slashes: string, quote: string) => slashes + slashes + (quote && '\\"'))}"`;
}

/** Of a text that has another form with the same look: its marks, and characters that stand for others. */
const showOtherForm = (character: string): string =>
  /\p{M}/u.test(character) || character !== character.normalize('NFC') ? showCode(character) : character;

function showCode(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** As toPrintable, for a text that may have several lines: its line feeds stay. */
export const toPrintableLines = (text: string): string => text.split('\n').map(toPrintable).join('\n');

/** A document of JSON that a terminal shows and a program reads as the same values. */
export function toPrintableJson(json: string): string {
  return json.replace(UNSAFE_IN_JSON, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** The beginning of a text, with `…` where something is left out; no character is split. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  const begins = text.slice(0, max);
  return `${/[\uD800-\uDBFF]$/u.test(begins) ? begins.slice(0, -1) : begins}…`;
}

/** No text of anybody's may fill a screen. */
const MAX_TEXT = 2_000;

/**
 * A copy of data in which every text is printable, keys too, and cut where it is very long; for a view. Errors, times
 * and numbers stay themselves.
 */
export function withPrintableTexts<T>(value: T): T {
  // the one cast: each value becomes one of its own type
  return copy(value, MAX_TEXT) as T;
}

/** The same with every text whole, for what a person decides on. */
export function withWholeTexts<T>(value: T): T {
  return copy(value, Number.POSITIVE_INFINITY) as T;
}

function copy(value: unknown, most: number): unknown {
  const inner = (part: unknown): unknown => copy(part, most);
  if (typeof value === 'string') return cutText(toPrintable(value), most);
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Map) return new Map([...value].map(([key, part]) => [inner(key), inner(part)]));
  return isPlain(value)
    ? Object.fromEntries(Object.entries(value).map(([key, part]) => [toPrintable(key), inner(part)]))
    : value;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

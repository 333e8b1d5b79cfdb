// HTML text that is escaped unless it was made here. Nothing else in the report writes a tag.
import { toPrintable } from './printable.js';

/** Markup that may be put into a document as it is. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and quoted attributes, printable and on one line. */
const escapeHtml = (text: string): string =>
  toPrintable(text).replaceAll(/[&<>"']/gu, (character) => ENTITIES[character] ?? '');

/** A template whose texts are markup and whose values are escaped; markup among the values stays. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return {
    markup: texts.map((text, index) => `${index === 0 ? '' : renderPart(parts[index - 1] ?? '')}${text}`).join(''),
  };
}

/** Nothing. */
export const nothing: Markup = { markup: '' };

function renderPart(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('');
}

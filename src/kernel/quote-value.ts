// Shows a wrong value in a message, on one line. Never shows the password of a URL.
import { toPrintable } from './printable.js';

const MAX_LENGTH = 60;
const CREDENTIALS = /:\/\/\S*@/g;

/** The value as a person wrote it, texts in quotes, cut at 60 characters, without the credentials of a URL. */
export function quoteValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const masked = hideCredentials(text);
  const shown = masked.length > MAX_LENGTH ? `${masked.slice(0, MAX_LENGTH)}…` : masked;
  return toPrintable(typeof value === 'string' ? JSON.stringify(shown) : shown);
}

/** The text without what is between `://` and the last `@` of a word. */
export function hideCredentials(text: string): string {
  return text.replace(CREDENTIALS, '://***@');
}

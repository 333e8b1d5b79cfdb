// Shows a wrong value in a message. Never shows a password inside a URL.
const LONGEST = 60;
const CREDENTIALS = /:\/\/\S*@/g;

/** The value in quotes as a person wrote it, cut at 60 characters, without the credentials of a URL. */
export function quoteValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const masked = hideCredentials(text);
  const shown = masked.length > LONGEST ? `${masked.slice(0, LONGEST)}…` : masked;
  return typeof value === 'string' ? JSON.stringify(shown) : shown;
}

/** The text without what stands between `://` and the last `@` of a word. */
export function hideCredentials(text: string): string {
  return text.replace(CREDENTIALS, '://***@');
}

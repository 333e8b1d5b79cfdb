// Any value of ours as a JSON document: keys in snake_case as in SQL, bigints as decimal text, instants in ISO 8601.
import { toPrintableJson } from '../../kernel/printable.js';

/** The document as text; a terminal shows it, and a program reads every value as it is. */
export const formatJson = (document: unknown): string =>
  `${toPrintableJson(JSON.stringify(toJson(document), null, 2))}\n`;

/** A copy that JSON.stringify shows as documented; undefined becomes null, so that a key never goes missing. */
export function toJson(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Map) return toJson(Object.fromEntries(value));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [toSnakeCase(key), toJson(part)]));
}

const toSnakeCase = (key: string): string => key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);

// The configuration and the rate card for editors, as JSON Schema, and for people, as tables of keys. Both come from
// the zod schemas that read these files. Reads and writes no file.
import { createConfigSchema } from '../../src/domain/config/config-schema.js';
import { cardSchema } from '../../src/domain/rate-card/card-schema.js';
import { type JsonSchema, toJsonSchema } from '../../src/domain/yaml/schema-keys.js';
import { renderMarkdownTable } from './markdown.js';

const configJson = (): JsonSchema => toJsonSchema(createConfigSchema(() => undefined));
const cardJson = (): JsonSchema => toJsonSchema(cardSchema);

/** The text of docs/reference/rollout.config.schema.json. */
export const renderConfigSchema = (): string => `${JSON.stringify(configJson(), null, 2)}\n`;

/** The text of docs/reference/rate-card.schema.json. */
export const renderRateCardSchema = (): string => `${JSON.stringify(cardJson(), null, 2)}\n`;

/** A Markdown table of every key of the configuration that holds a value: key, default, meaning. */
export function renderConfigReference(): string {
  const rows = listKeys(configJson()).map(({ path, needed, schema }) => {
    const [meaning = '', leftOut = 'none'] = (schema.description ?? '').split('. Left out: ');
    const fallback = schema.default === undefined ? leftOut : String(schema.default);
    return [`\`${path}\``, needed ? 'needed' : fallback, meaning];
  });
  return renderMarkdownTable(['key', 'default', 'meaning'], rows);
}

/** The path of every key of the configuration that holds a value, in the order of the schema. */
export const listConfigKeys = (): readonly string[] => listKeys(configJson()).map(({ path }) => path);

/** A key that holds a value or a list of values; sections and lists of sections are named by their keys. */
interface DocumentedKey {
  /** `rollout.windows[].from`, `editions.NAME.credits.base`. */
  readonly path: string;
  readonly needed: boolean;
  readonly schema: JsonSchema;
}

function listKeys(json: JsonSchema, path = ''): readonly DocumentedKey[] {
  const below = path === '' ? '' : `${path}.`;
  const named = typeof json.additionalProperties === 'object' ? { NAME: json.additionalProperties } : {};
  return Object.entries({ ...json.properties, ...named }).flatMap(([key, schema]) => {
    const inner = schema.items?.properties ? listKeys(schema.items, `${below}${key}[]`) : listKeys(schema, below + key);
    const needed = json.required?.includes(key) ?? false;
    return inner.length > 0 ? inner : [{ path: below + key, needed, schema }];
  });
}

// What may be written in a document, from its zod schema: as JSON Schema for editors, and as sections with their keys.
import * as z from 'zod';
import { joinPath } from './yaml-tree.js';

/** The parts of JSON Schema that are read here; there may be more. */
export interface JsonSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | false;
}

/** A mapping of the document. */
export interface SchemaSection {
  readonly keys: readonly string[];
  /** Whether it takes any name as a key. */
  readonly open: boolean;
}

/** JSON Schema (draft 7, which editors know best) of what is written, before defaults and conversions. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { '~standard': _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-07',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'bigint') jsonSchema.type = 'integer';
      // an empty section: its keys have the defaults
      if (zodSchema._zod.def.type === 'prefault' && jsonSchema.properties) delete jsonSchema.default;
    },
  });
  return json as JsonSchema;
}

/** The sections by path, '' for the top; `[]` is any entry of a list, NAME any key of an open section. */
export function listSections(json: JsonSchema, path = ''): ReadonlyMap<string, SchemaSection> {
  if (json.items) return listSections(json.items, `${path}[]`);
  const { properties = {}, additionalProperties } = json;
  const open = typeof additionalProperties === 'object';
  if (!open && json.properties === undefined) return new Map();
  const children = open ? { ...properties, NAME: additionalProperties } : properties;
  const below = Object.entries(children).flatMap(([key, child]) => [...listSections(child, joinPath(path, key))]);
  return new Map([[path, { keys: Object.keys(properties), open }], ...below]);
}

// A validator for the part of JSON Schema that our schemas use, so that a test can tell what an editor would mark.
// Throws for a keyword that it does not know: then it must learn it first.

type Json = Readonly<Record<string, unknown>>;

/** Where and why a value does not match, one line each; nothing when it matches. */
export function checkJson(schema: Json, value: unknown, path = ''): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => checkKeyword(keyword, wanted, { schema, value, path }));
}

interface Case {
  readonly schema: Json;
  readonly value: unknown;
  readonly path: string;
}

function checkKeyword(keyword: string, wanted: unknown, { schema, value, path }: Case): readonly string[] {
  const fail = (passes: boolean): readonly string[] =>
    passes ? [] : [`${path}: ${keyword} ${JSON.stringify(wanted)}`];
  const object = isObject(value) ? value : undefined;
  switch (keyword) {
    case '$schema':
    case 'title':
    case 'description':
    case 'default':
      return [];
    case 'type':
      return fail([wanted].flat().some((type) => hasType(value, type)));
    case 'enum':
      return fail(Array.isArray(wanted) && wanted.includes(value));
    case 'pattern':
      return fail(typeof value !== 'string' || new RegExp(String(wanted), 'u').test(value));
    case 'minimum':
      return fail(typeof value !== 'number' || value >= Number(wanted));
    case 'maximum':
      return fail(typeof value !== 'number' || value <= Number(wanted));
    case 'minItems':
      return fail(!Array.isArray(value) || value.length >= Number(wanted));
    case 'maxItems':
      return fail(!Array.isArray(value) || value.length <= Number(wanted));
    case 'minProperties':
      return fail(!object || Object.keys(object).length >= Number(wanted));
    case 'maxProperties':
      return fail(!object || Object.keys(object).length <= Number(wanted));
    case 'required':
      return fail(!object || (Array.isArray(wanted) && wanted.every((key) => key in object)));
    case 'anyOf':
      return fail(countMatches(wanted, value) > 0);
    case 'oneOf':
      return fail(countMatches(wanted, value) === 1);
    case 'items':
      return Array.isArray(value) && isObject(wanted)
        ? value.flatMap((item, index) => checkJson(wanted, item, `${path}[${index}]`))
        : [];
    case 'properties':
      return Object.entries(object ?? {}).flatMap(([key, item]) =>
        isObject(wanted) && isObject(wanted[key]) ? checkJson(wanted[key], item, `${path}.${key}`) : [],
      );
    case 'additionalProperties': {
      const known = isObject(schema.properties) ? schema.properties : {};
      const others = Object.entries(object ?? {}).filter(([key]) => !(key in known));
      if (!isObject(wanted)) return others.map(([key]) => `${path}.${key}: is not a key`);
      return others.flatMap(([key, item]) => checkJson(wanted, item, `${path}.${key}`));
    }
    case 'propertyNames':
      return Object.keys(object ?? {}).flatMap((key) => (isObject(wanted) ? checkJson(wanted, key, path) : []));
    default:
      throw new Error(`the validator does not know ${keyword}`);
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const countMatches = (schemas: unknown, value: unknown): number =>
  Array.isArray(schemas) ? schemas.filter((one) => checkJson(one, value).length === 0).length : 0;

function hasType(value: unknown, type: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

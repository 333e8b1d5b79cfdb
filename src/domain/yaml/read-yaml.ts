// Reads a YAML text as what a zod schema describes, or throws one RolloutError that names the place. Never shows what
// follows `://`, and never the value of a variable: messages show what is written. Of a text that is something else, a
// file that was named by mistake, they show nothing.
import * as z from 'zod';
import type { ErrorCode } from '../../kernel/error-codes.js';
import { findNearest } from '../../kernel/nearest-word.js';
import { hideCredentials, quoteValue } from '../../kernel/quote-value.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { listSections, type SchemaSection, toJsonSchema } from './schema-keys.js';
import { joinPath, openYaml, type WrittenValue, type YamlPath, type YamlPlace, YamlSyntaxError } from './yaml-tree.js';

/** A kind of document: how messages call it, the codes of its errors, and how its numbers are read. */
export interface DocumentKind {
  readonly name: 'configuration' | 'rate card';
  /** The key at the top that none does without. */
  readonly mainKey: string;
  readonly syntax: ErrorCode;
  readonly unknownKey: ErrorCode;
  readonly invalid: ErrorCode;
  /** A number that some parser would read as another one; left out: numbers are read as doubles. */
  readonly inexact?: ErrorCode;
  /** Whether a text names variables, whose values a message must not show; left out: none does. */
  readonly namesVariables?: (text: string) => boolean;
}

/**
 * The value that `schema` makes of the text. The texts of its checks are what follows "it": `must be a list`. Of
 * several errors it throws a key that does not exist, else the first in the text.
 */
export function readYaml<S extends z.ZodType>(text: string, schema: S, kind: DocumentKind): z.output<S> {
  const tree = openDocument(text, schema, kind);
  if (tree.badKey && !looksLike(tree.topKeys, schema, kind))
    throw rejectOther(tree.place(tree.badKey).line, kind.unknownKey, schema, kind);
  if (tree.badKey) throw explainKey(tree.place(tree.badKey), tree.badKey, schema, kind);
  const parsed = schema.safeParse(tree.value, { error: describeRule });
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map((issue) => {
    const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
    return { issue, path, place: tree.place(path) };
  });
  const first = found.sort((one, other) => weigh(one) - weigh(other))[0];
  if (first === undefined) throw new Error('a schema failed without an issue');
  const unknown = first.issue.code === 'unrecognized_keys';
  if (!looksLike(tree.topKeys, schema, kind))
    throw rejectOther(first.place.line, unknown ? kind.unknownKey : kind.invalid, schema, kind);
  if (unknown) throw explainKey(first.place, first.path, schema, kind);
  throw explainIssue(first.issue, first.place, kind);
}

/**
 * A step of a schema. `parse` may throw a RolloutError of any code, and gets the place for its message: the path and
 * line of the value, such as `rollout.bake (line 7)`. It is called a second time then, so it must be pure.
 */
export function located<I, O>(parse: (value: I, where: string) => O): (value: I, ctx: z.RefinementCtx<I>) => O {
  return (value, ctx) => attemptAt(ctx, [], (where) => parse(value, where));
}

/** As located, for a check of the value at `path` below the one that is checked. */
export function attemptAt<T>(ctx: z.RefinementCtx, path: PropertyKey[], parse: (where: string) => T): T {
  try {
    return parse('');
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    ctx.addIssue({ code: 'custom', path, params: { at: (where: string) => errorOf(() => parse(where)) } });
    return z.NEVER;
  }
}

/** For located: runs `parse` and puts the place before the message of the error it throws. */
export function placed<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    const { code, message, next } = error;
    throw new RolloutError(code, { message: `${where}: ${message}`, next, cause: error });
  }
}

function openDocument(text: string, schema: z.ZodType, kind: DocumentKind): ReturnType<typeof openYaml> {
  try {
    return openYaml(text, kind.inexact === undefined ? 'double' : 'exact');
  } catch (error) {
    if (!(error instanceof YamlSyntaxError)) throw error;
    if (error.topKeys !== undefined && !looksLike(error.topKeys, schema, kind))
      throw rejectOther(error.line, kind.syntax, schema, kind);
    const [first = ''] = hideAddresses(error.message).split(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    throw new RolloutError(kind.syntax, {
      message: `Line ${error.line} of the ${kind.name} is not valid YAML: ${first.slice(0, 160).replace(/[:.]$/, '')}.`,
      next: 'Correct the line that is named.',
    });
  }
}

type Issue = z.core.$ZodIssue;

const weigh = ({ issue, place }: { issue: Issue; place: YamlPlace }): number =>
  issue.code === 'unrecognized_keys' ? place.line - Number.MAX_SAFE_INTEGER : place.line;

/** What follows "it" for checks that have no text of their own. */
function describeRule(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code !== 'invalid_type') return 'is not valid here';
  switch (issue.expected) {
    case 'object':
    case 'record':
      return 'must hold keys and values';
    case 'array':
      return 'must be a list';
    case 'boolean':
      return 'must be true or false';
    default:
      return 'must be a text';
  }
}

function explainIssue(issue: Issue, place: YamlPlace, kind: DocumentKind): RolloutError {
  const { written } = place;
  if (written === undefined) return explainMissing(place, kind);
  const where = describePlace(place, kind);
  if (issue.code === 'invalid_key') return rejectName(where, kind);
  if (issue.code === 'custom' && typeof issue.params?.at === 'function') {
    return hideVariables(issue.params.at(where), where, written, kind);
  }
  const exact =
    issue.code === 'invalid_type' ? issue.expected === 'bigint' : 'origin' in issue && issue.origin === 'bigint';
  const code = exact && looksNumeric(written) ? (kind.inexact ?? kind.invalid) : kind.invalid;
  const next = issue.code === 'custom' ? issue.params?.next : suggestValue(issue, written);
  return new RolloutError(code, {
    message: `${where}${describeWritten(issue, written)} ${issue.message}.`,
    ...(typeof next === 'string' ? { next } : {}),
  });
}

/** An error about a value that a variable gave shows the text that names the variable, not the value. */
function hideVariables(error: RolloutError, where: string, written: WrittenValue, kind: DocumentKind): RolloutError {
  if (error.code === 'missing_environment_variable' || written.kind !== 'scalar') return error;
  const { value } = written.scalar;
  if (typeof value !== 'string' || kind.namesVariables?.(value) !== true) return error;
  return new RolloutError(error.code, {
    message: `${where} is ${quoteValue(hideAddresses(value))}, and what the environment gives for it is not valid here.`,
    next:
      error.code === kind.invalid
        ? error.next
        : 'Correct the variable. To see what is wrong with its value, write the value itself for once.',
  });
}

function describePlace({ path, line }: YamlPlace, { name }: DocumentKind): string {
  if (path === '') return `The ${name}`;
  return name === 'configuration' ? `${path} (line ${line})` : `${path} (line ${line} of the ${name})`;
}

function rejectName(where: string, { invalid }: DocumentKind): RolloutError {
  const next =
    'Write a text of at most 200 characters without control characters, in quotes where YAML reads another value.';
  return new RolloutError(invalid, { message: `${where} cannot be a name.`, next });
}

function explainMissing({ path, line }: YamlPlace, { name, invalid }: DocumentKind): RolloutError {
  const below = /[.[]/.test(path) ? ` to the section in line ${line}` : '';
  return new RolloutError(invalid, { message: `${path} is missing from the ${name}.`, next: `Add ${path}${below}.` });
}

function suggestValue(issue: Issue, written: WrittenValue): string | undefined {
  if (issue.code !== 'invalid_value' || written.kind !== 'scalar') return undefined;
  const meant = findNearest(String(written.scalar.value), issue.values.map(String));
  return meant === undefined ? undefined : `Write ${meant}.`;
}

/** ` is 33, but it`; nothing for a list or a mapping whose contents are wrong. */
function describeWritten({ code }: Issue, written: WrittenValue): string {
  if (written.kind === 'scalar') return ` is ${showScalar(written.scalar)}, but it`;
  if (written.kind === 'empty') return ' is empty, but it';
  return code === 'custom' || code === 'too_small' ? '' : ` is a ${written.kind}, but it`;
}

type Scalar = Extract<WrittenValue, { kind: 'scalar' }>['scalar'];

/** A number as it is written, before anybody rounds it. */
function showScalar({ value, source }: Scalar): string {
  const number = typeof value === 'number' || typeof value === 'bigint';
  if (number) return (source ?? String(value)).slice(0, 60);
  return quoteValue(typeof value === 'string' ? hideAddresses(value) : value);
}

/** What a person, or another parser, may take for a number. */
function looksNumeric(written: WrittenValue): boolean {
  if (written.kind !== 'scalar') return false;
  const { value, type } = written.scalar;
  if (typeof value === 'number' || typeof value === 'bigint') return true;
  return type === 'PLAIN' && typeof value === 'string' && /^[-+.]?[0-9]/.test(value);
}

/** Documents of one kind have the same keys, and listing them takes longer than reading a document. */
const sectionsOf = new WeakMap<DocumentKind, ReadonlyMap<string, SchemaSection>>();

function findSections(schema: z.ZodType, kind: DocumentKind): ReadonlyMap<string, SchemaSection> {
  const sections = sectionsOf.get(kind) ?? listSections(toJsonSchema(schema));
  sectionsOf.set(kind, sections);
  return sections;
}

/** Whether it was meant to be a document of this kind: it has the key that none does without, or two others. */
function looksLike(topKeys: readonly string[], schema: z.ZodType, kind: DocumentKind): boolean {
  const known = findSections(schema, kind).get('')?.keys ?? [];
  return topKeys.includes(kind.mainKey) || known.filter((key) => topKeys.includes(key)).length > 1;
}

/** For a text that is something else: it may be secret, so no word of it is shown. */
function rejectOther(line: number, code: ErrorCode, schema: z.ZodType, kind: DocumentKind): RolloutError {
  const keys = findSections(schema, kind).get('')?.keys ?? [];
  return new RolloutError(code, {
    message: `Line ${line} of the ${kind.name} has nothing of a ${kind.name}: it looks like another file, without its keys.`,
    next: `Name the right file. A ${kind.name} has the keys ${keys.join(', ')}.`,
  });
}

function explainKey(place: YamlPlace, path: YamlPath, schema: z.ZodType, kind: DocumentKind): RolloutError {
  const sections = findSections(schema, kind);
  const key = String(path.at(-1));
  const section = findSection(path.slice(0, -1), sections);
  const keys = sections.get(section ?? '')?.keys ?? [];
  const meant = suggestKey(key, section ?? '', sections);
  if (section !== undefined && sections.get(section)?.open) return rejectName(describePlace(place, kind), kind);
  const remedy = meant === undefined ? 'Remove the key' : `Write ${meant}, or remove the key`;
  const hint = /^\d+$/.test(key) ? ' Numbers take no thousands separators.' : '';
  const question = meant === undefined ? '.' : `; did you mean ${meant}?`;
  return new RolloutError(kind.unknownKey, {
    message: `${place.path} (line ${place.line}) is not a key of the ${kind.name}${question}`,
    next: `${remedy}. The keys here are ${keys.join(', ')}.${hint}`,
  });
}

function findSection(path: YamlPath, sections: ReadonlyMap<string, SchemaSection>): string | undefined {
  return path.reduce<string | undefined>((parent, step) => {
    if (parent === undefined) return undefined;
    if (typeof step === 'number') return `${parent}[]`;
    return joinPath(parent, sections.get(parent)?.open ? 'NAME' : step);
  }, '');
}

/** The full path of the key that was probably meant: in its own section first, then anywhere. */
function suggestKey(key: string, section: string, sections: ReadonlyMap<string, SchemaSection>): string | undefined {
  const own = findNearest(key, sections.get(section)?.keys ?? []);
  if (own !== undefined) return joinPath(section, own);
  const others = [...sections].flatMap(([path, { keys }]) => keys.map((name) => ({ path, name })));
  const nearest = findNearest(
    key,
    others.map(({ name }) => name),
  );
  const found = others.find(({ name }) => name === nearest);
  return found && joinPath(found.path, found.name);
}

const hideAddresses = (text: string): string => hideCredentials(text).replaceAll(/:\/\/[^\s*]\S*/g, '://***');

function errorOf(parse: () => unknown): RolloutError {
  try {
    parse();
  } catch (error) {
    if (isRolloutError(error)) return error;
    throw error;
  }
  throw new Error('a check failed once, and not when it was run again');
}

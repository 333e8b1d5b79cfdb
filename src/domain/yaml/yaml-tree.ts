// A YAML 1.2 text as plain values for a schema, and where each of them is written. Linear in the text, whatever its
// aliases repeat, and bounded: what is too much is rejected before it is built. Never guesses: keys that are no text,
// keys that are there twice, and unknown tags are errors.
import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Scalar,
} from 'yaml';

/** Keys and list indexes from the top. */
export type YamlPath = readonly PropertyKey[];

/** What is written at a path. */
export interface YamlPlace {
  /** `rollout.windows[0].from`; '' at the top. On one line, at most 120 characters, without what follows `://`. */
  readonly path: string;
  /** Of what is missing: the line of the section that lacks it. */
  readonly line: number;
  /** Undefined: nothing is written there, not even an empty value. */
  readonly written: WrittenValue | undefined;
}

/** A list, a mapping, an empty value, or a single value as YAML understands it. */
export type WrittenValue =
  | { readonly kind: 'list' | 'mapping' | 'empty' }
  | { readonly kind: 'scalar'; readonly scalar: Scalar };

export interface YamlTree {
  /**
   * Mappings are objects without a prototype, lists are arrays; what an alias repeats is the same object again, which
   * may hold itself. With exact integers a plain decimal integer is a bigint, and every other number is NaN.
   */
  readonly value: unknown;
  /** The first key that is no text; undefined: there is none. */
  readonly badKey: YamlPath | undefined;
  /** The texts among the keys at the top. */
  readonly topKeys: readonly string[];
  place(path: YamlPath): YamlPlace;
}

/** Why a text is not the YAML that is read here. Never leaves this folder: readYaml makes a RolloutError of it. */
export class YamlSyntaxError extends Error {
  readonly line: number;
  /** The keys at the top, as far as the text could be read; undefined: the message shows nothing of the text. */
  readonly topKeys: readonly string[] | undefined;

  constructor(line: number, detail: string, topKeys?: readonly string[]) {
    super(detail);
    this.name = 'YamlSyntaxError';
    this.line = line;
    this.topKeys = topKeys;
  }
}

const MAX_DEPTH = 64;
/** Of what is being built at once: a level is a collection, and what stands around it. */
const MAX_OPEN = 2 * MAX_DEPTH + 8;
/** Words, marks, blanks and line ends. Each takes about a microsecond or three. */
const MAX_TOKENS = 100_000;
const MAX_CHARACTERS = 1_000_000;
const MAX_ERRORS = 20;

/** @throws YamlSyntaxError */
export function openYaml(text: string, integers: 'exact' | 'double'): YamlTree {
  const lines = new LineCounter();
  const document = composeDocument(text, integers, lines);
  const topKeys = listTopKeys(document.contents);
  rejectOtherYaml(document, lines, topKeys);
  const lineOf = (node: unknown): number | undefined =>
    (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) && node.range
      ? lines.linePos(node.range[0]).line
      : undefined;
  const conversion: Conversion = {
    ...{ integers, lineOf, topKeys },
    ...{ anchors: new Map(), targets: new Map(), values: new Map(), pairs: new Map() },
  };
  const value = convert(conversion, document.contents, []);
  return {
    value,
    badKey: conversion.badKey,
    topKeys,
    place: (path) => findPlace(document.contents, path, conversion),
  };
}

function composeDocument(text: string, integers: 'exact' | 'double', lines: LineCounter): Document.Parsed {
  if (text.length > MAX_CHARACTERS) throw new YamlSyntaxError(1, 'it is too long: at most 1,000,000 characters');
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    intAsBigInt: integers === 'exact',
    merge: false,
    uniqueKeys: false, // compares every key with every other; convert does it once
    prettyErrors: false,
    logLevel: 'error',
    lineCounter: lines,
  });
  let first: Document.Parsed | undefined;
  for (const document of composer.compose(parseBounded(text, lines), true, text.length)) {
    if (first !== undefined) {
      throw new YamlSyntaxError(lines.linePos(document.range[0]).line, 'a second document begins here');
    }
    first = document as Document.Parsed;
  }
  if (first === undefined) throw new Error('a text without a document');
  return first;
}

/** As a parser gives them, until there are too many or too many within each other. */
function* parseBounded(text: string, lines: LineCounter): ReturnType<Parser['parse']> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let tokens = 0;
  const reject = (detail: string): YamlSyntaxError => new YamlSyntaxError(lines.lineStarts.length, detail);
  let errors = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MAX_TOKENS) throw reject('it has too many parts up to here');
    for (const part of parser.next(token)) {
      if (part.type === 'error') errors += 1;
      yield part;
    }
    // the first one is shown
    if (errors > MAX_ERRORS) return;
    if (parser.stack.length > MAX_OPEN) throw reject('it is nested too deeply');
  }
  yield* parser.end();
}

const listTopKeys = (contents: unknown): readonly string[] =>
  isMap(contents)
    ? contents.items.flatMap(({ key }) => (isScalar(key) && typeof key.value === 'string' ? [key.value] : []))
    : [];

function rejectOtherYaml(document: Document.Parsed, lines: LineCounter, topKeys: readonly string[]): void {
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    throw new YamlSyntaxError(lines.linePos(problem.pos[0]).line, problem.message, topKeys);
  }
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== '1.2') {
    throw new YamlSyntaxError(1, `YAML ${version} reads times and words differently; use YAML 1.2`, topKeys);
  }
}

interface Conversion {
  readonly integers: 'exact' | 'double';
  readonly lineOf: (node: unknown) => number | undefined;
  readonly topKeys: readonly string[];
  /** The latest node with each anchor, in the order of the text. */
  readonly anchors: Map<string, unknown>;
  readonly targets: Map<Alias, unknown>;
  readonly values: Map<unknown, unknown>;
  /** The pairs of each mapping by their names. */
  readonly pairs: Map<unknown, ReadonlyMap<string, PairLike>>;
  badKey?: YamlPath;
}

/** Values are recorded before their contents: an alias inside them leads back to them. */
function convert(conversion: Conversion, node: unknown, path: YamlPath): unknown {
  if (path.length > MAX_DEPTH) throw new YamlSyntaxError(conversion.lineOf(node) ?? 1, 'it is nested too deeply');
  if (isAlias(node)) return followAlias(conversion, node);
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor) conversion.anchors.set(node.anchor, node);
  if (isScalar(node)) return toValue(node, conversion.integers);
  if (isSeq(node)) {
    const list: unknown[] = [];
    conversion.values.set(node, list);
    for (const [index, item] of node.items.entries()) list.push(convert(conversion, item, [...path, index]));
    return list;
  }
  return isMap(node) ? convertMapping(conversion, node, path) : null;
}

function convertMapping(conversion: Conversion, node: { items: readonly PairLike[] }, path: YamlPath): unknown {
  const mapping: Record<string, unknown> = Object.create(null);
  const pairs = new Map<string, PairLike>();
  conversion.values.set(node, mapping);
  conversion.pairs.set(node, pairs);
  for (const pair of node.items) {
    const { key, value } = pair;
    const name = keyName(key);
    // zod passes over __proto__ where any name is allowed
    if (!isScalar(key) || typeof key.value !== 'string' || name === '__proto__') conversion.badKey ??= [...path, name];
    if (name in mapping) throw syntaxAt(conversion, key, `keys must be unique, but ${name} is there twice`);
    pairs.set(name, pair);
    mapping[name] = convert(conversion, value, [...path, name]);
  }
  return mapping;
}

interface PairLike {
  readonly key: unknown;
  readonly value: unknown;
}

function keyName(key: unknown): string {
  if (isScalar(key)) return String(key.value);
  return isSeq(key) ? '[list]' : isMap(key) ? '[mapping]' : String(key);
}

function followAlias(conversion: Conversion, alias: Alias): unknown {
  const target = conversion.anchors.get(alias.source);
  if (target === undefined) throw syntaxAt(conversion, alias, `no anchor &${alias.source} is before it`);
  conversion.targets.set(alias, target);
  return isScalar(target) ? toValue(target, conversion.integers) : conversion.values.get(target);
}

const PLAIN_INTEGER = /^(?:0|-?[1-9][0-9]*)$/;

function toValue(scalar: Scalar, integers: 'exact' | 'double'): unknown {
  const { value } = scalar;
  if (integers === 'double' || (typeof value !== 'number' && typeof value !== 'bigint')) return value;
  return scalar.type === 'PLAIN' && PLAIN_INTEGER.test(scalar.source ?? '') ? value : Number.NaN;
}

function syntaxAt(conversion: Conversion, node: unknown, detail: string): YamlSyntaxError {
  return new YamlSyntaxError(conversion.lineOf(node) ?? 1, detail, conversion.topKeys);
}

function findPlace(contents: unknown, path: YamlPath, { lineOf, targets, pairs }: Conversion): YamlPlace {
  const resolve = (node: unknown): unknown => (isAlias(node) ? targets.get(node) : node);
  let node = resolve(contents);
  let line = lineOf(contents) ?? 1;
  for (const step of path) {
    const pair = typeof step === 'string' ? pairs.get(node)?.get(step) : undefined;
    const item = isSeq(node) && typeof step === 'number' ? node.items[step] : pair?.value;
    line = lineOf(item) ?? lineOf(pair?.key) ?? line;
    node = pair === undefined && item === undefined ? undefined : resolve(item ?? null);
  }
  return { path: showPath(path), line, written: describeWritten(node) };
}

function describeWritten(node: unknown): WrittenValue | undefined {
  if (node === undefined) return undefined;
  if (isMap(node)) return { kind: 'mapping' };
  if (isSeq(node)) return { kind: 'list' };
  return isScalar(node) && node.value !== null ? { kind: 'scalar', scalar: node } : { kind: 'empty' };
}

function showPath(path: YamlPath): string {
  const joined = path.reduce<string>((parent, step) => joinPath(parent, step), '');
  const shown = joined.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').replace(/:\/\/.*/u, '://***');
  return shown.length > 120 ? `${shown.slice(0, 119)}…` : shown;
}

/** `rollout` and `lanes` make `rollout.lanes`, `windows` and 0 make `windows[0]`; at the top the key alone. */
export function joinPath(parent: string, step: PropertyKey): string {
  if (typeof step === 'number') return `${parent}[${step}]`;
  return parent === '' ? String(step) : `${parent}.${String(step)}`;
}

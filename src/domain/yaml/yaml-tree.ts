// A YAML 1.2 text as plain values for a schema, and where each of them is written. Linear in the text, whatever its
// aliases repeat. Never guesses: keys that are no text, keys that are there twice, and unknown tags are errors.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
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
  place(path: YamlPath): YamlPlace;
}

/** Why a text is not the YAML that is read here. Never leaves this folder: readYaml makes a RolloutError of it. */
export class YamlSyntaxError extends Error {
  readonly line: number;

  constructor(line: number, detail: string) {
    super(detail);
    this.name = 'YamlSyntaxError';
    this.line = line;
  }
}

const MAX_DEPTH = 64;

/** @throws YamlSyntaxError */
export function openYaml(text: string, integers: 'exact' | 'double'): YamlTree {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    intAsBigInt: integers === 'exact',
    merge: false,
    uniqueKeys: false, // compares every key with every other; convert does it once
    prettyErrors: false,
    logLevel: 'error',
    lineCounter: lines,
  });
  rejectOtherYaml(document, lines);
  const lineOf = (node: unknown): number | undefined =>
    (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) && node.range
      ? lines.linePos(node.range[0]).line
      : undefined;
  const conversion: Conversion = { integers, lineOf, anchors: new Map(), targets: new Map(), values: new Map() };
  const value = convert(conversion, document.contents, []);
  return {
    value,
    badKey: conversion.badKey,
    place: (path) => findPlace(document.contents, path, conversion),
  };
}

function rejectOtherYaml(document: Document.Parsed, lines: LineCounter): void {
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const detail = problem.message.includes('call stack') ? 'it is nested too deeply' : problem.message;
    throw new YamlSyntaxError(lines.linePos(problem.pos[0]).line, detail);
  }
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== '1.2') {
    throw new YamlSyntaxError(1, `YAML ${version} reads times and words differently; use YAML 1.2`);
  }
}

interface Conversion {
  readonly integers: 'exact' | 'double';
  readonly lineOf: (node: unknown) => number | undefined;
  /** The latest node with each anchor, in the order of the text. */
  readonly anchors: Map<string, unknown>;
  readonly targets: Map<Alias, unknown>;
  readonly values: Map<unknown, unknown>;
  badKey?: YamlPath;
}

/** Values are recorded before their contents: an alias inside them leads back to them. */
function convert(conversion: Conversion, node: unknown, path: YamlPath): unknown {
  if (path.length > MAX_DEPTH) throw syntaxAt(conversion, node, 'it is nested too deeply');
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
  conversion.values.set(node, mapping);
  for (const { key, value } of node.items) {
    const name = keyName(key);
    // zod passes over __proto__ where any name is allowed
    if (!isScalar(key) || typeof key.value !== 'string' || name === '__proto__') conversion.badKey ??= [...path, name];
    if (name in mapping) throw syntaxAt(conversion, key, `keys must be unique, but ${name} is there twice`);
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
  return new YamlSyntaxError(conversion.lineOf(node) ?? 1, detail);
}

function findPlace(contents: unknown, path: YamlPath, { lineOf, targets }: Conversion): YamlPlace {
  const resolve = (node: unknown): unknown => (isAlias(node) ? targets.get(node) : node);
  let node = resolve(contents);
  let line = lineOf(contents) ?? 1;
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => keyName(key) === step) : undefined;
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

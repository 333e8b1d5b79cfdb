// Reads one YAML node as the one thing the card may have there. Never lets a parser round a number or guess a type.
import { type Document, isAlias, isMap, isScalar, isSeq, type Scalar } from 'yaml';
import { suggestKey } from '../../kernel/nearest-word.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** A place in the card: the node and how a person would name it, such as `editions.free.credits.base`. */
export interface CardNode {
  readonly document: Document;
  readonly path: string;
  readonly node: unknown;
}

/** The entries of a mapping whose keys are all known. */
export interface CardFields {
  readonly path: string;
  readonly entries: ReadonlyMap<string, CardNode>;
}

/** Both ends belong to the range. */
export interface Bounds {
  readonly least: bigint;
  readonly most: bigint;
}

/** An error at a place: what is wrong there, and the way out. */
export function invalidAt(path: string, wrong: string, next?: string): RolloutError {
  const message = `The rate card is wrong at ${path === '' ? 'its top level' : path}: ${wrong}.`;
  return new RolloutError('invalid_rate_card', next === undefined ? { message } : { message, next });
}

/** The entries of a mapping, keys as written. @throws invalid_rate_card for anything but a mapping with text keys. */
export function readEntries(place: CardNode): ReadonlyMap<string, CardNode> {
  const node = resolveAlias(place);
  if (!isMap(node)) throw invalidAt(place.path, `it is ${describeNode(node)}, not a mapping of keys to values`);
  const entries = new Map<string, CardNode>();
  for (const pair of node.items) {
    const key = readKey(pair.key, place.path);
    const path = place.path === '' ? key : `${place.path}.${key}`;
    if (entries.has(key)) throw invalidAt(path, 'the key stands twice', 'Remove one of the two.');
    entries.set(key, { document: place.document, path, node: pair.value });
  }
  return entries;
}

/** The entries of a mapping that may have only `known` keys. @throws invalid_rate_card for another key, with a suggestion. */
export function readFields(place: CardNode, known: readonly string[]): CardFields {
  const entries = readEntries(place);
  for (const [key, entry] of entries) {
    if (!known.includes(key)) throw unknownKey(entry.path, key, known);
  }
  return { path: place.path, entries };
}

/** The entry that must be there. @throws invalid_rate_card naming its path when it is missing. */
export function requireField(fields: CardFields, key: string): CardNode {
  const entry = fields.entries.get(key);
  if (entry !== undefined) return entry;
  throw invalidAt(fields.path === '' ? key : `${fields.path}.${key}`, 'it is missing', `Add ${key}.`);
}

/** The items of a sequence. */
export function readList(place: CardNode): readonly CardNode[] {
  const node = resolveAlias(place);
  if (!isSeq(node)) throw invalidAt(place.path, `it is ${describeNode(node)}, not a list`);
  return node.items.map((item, index) => ({ ...place, path: `${place.path}[${index}]`, node: item }));
}

/** A name: not empty, no control characters, no broken Unicode; Postgres could not store those as they are written. */
export function readText(place: CardNode): string {
  const { value } = readScalar(place);
  if (typeof value !== 'string')
    throw invalidAt(place.path, `${describeValue(value)} is not text`, 'Put it in quotes.');
  if (!isName(value)) throw invalidAt(place.path, 'the text is empty or has control characters');
  return value;
}

export function readFlag(place: CardNode): boolean {
  const { value } = readScalar(place);
  if (typeof value === 'boolean') return value;
  throw invalidAt(place.path, `${describeValue(value)} is not true or false`);
}

/** True for an explicit null (also an empty value). */
export function isNull(place: CardNode): boolean {
  const node = resolveAlias(place);
  return node === null || (isScalar(node) && node.value === null);
}

/**
 * A plain decimal integer within bounds, exactly as written: `50000`. Quoted numbers are text and refused.
 * @throws inexact_number for what some parser would read as another number: 1e5, 5.0, 0x10, 010, 1_000, +5, beyond bounds.
 * @throws invalid_rate_card for what is no number at all.
 */
export function readInteger(place: CardNode, bounds: Bounds): bigint {
  const scalar = readScalar(place);
  const written = shorten(scalar.source ?? String(scalar.value));
  const wrong = `${describeValue(scalar.value)} is not a plain integer`;
  if (!looksNumeric(scalar)) throw invalidAt(place.path, wrong, 'Write digits only, without quotes.');
  const exact = scalar.type === 'PLAIN' && typeof scalar.value === 'bigint' && PLAIN_INTEGER.test(scalar.source ?? '');
  if (!exact || typeof scalar.value !== 'bigint') throw inexact(`${place.path} is written ${written}`);
  if (scalar.value >= bounds.least && scalar.value <= bounds.most) return scalar.value;
  const range = `from ${bounds.least} to ${bounds.most}`;
  throw inexact(`${place.path} is ${written}, which is outside its limits`, `Write a plain integer ${range}.`);
}

const PLAIN_INTEGER = /^(?:0|-?[1-9][0-9]*)$/;

function inexact(wrong: string, next = 'Write it as a plain decimal integer, such as 50000.'): RolloutError {
  return new RolloutError('inexact_number', { message: `In the rate card ${wrong}.`, next });
}

function looksNumeric(scalar: Scalar): boolean {
  if (typeof scalar.value === 'bigint' || typeof scalar.value === 'number') return true;
  return scalar.type === 'PLAIN' && typeof scalar.value === 'string' && /^[-+.]?[0-9]/.test(scalar.value);
}

function resolveAlias(place: CardNode): unknown {
  if (!isAlias(place.node)) return place.node;
  const target = place.node.resolve(place.document);
  if (target === undefined) throw invalidAt(place.path, `no anchor &${place.node.source} stands before it`);
  return target;
}

function readScalar(place: CardNode): Scalar {
  const node = resolveAlias(place);
  if (!isScalar(node) || node.value === null) throw invalidAt(place.path, `it is ${describeNode(node)}`);
  return node;
}

function readKey(key: unknown, path: string): string {
  if (isScalar(key) && typeof key.value === 'string' && isName(key.value)) return key.value;
  const shown = isScalar(key) ? describeValue(key.value) : describeNode(key);
  throw invalidAt(path, `a key is ${shown}, not text`, 'Put the key in quotes; numbers take no thousands separators.');
}

function unknownKey(path: string, key: string, known: readonly string[]): RolloutError {
  const suggestion = suggestKey(key, known);
  const hint = suggestion === undefined ? '' : `Did you mean ${suggestion}? `;
  return invalidAt(path, 'there is no such key', `${hint}The keys here are ${known.join(', ')}.`);
}

const isName = (text: string): boolean => text.trim() !== '' && !/[\p{Cc}\p{Cs}]/u.test(text);

function describeNode(node: unknown): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  return isScalar(node) && node.value !== null ? describeValue(node.value) : 'empty';
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? `the text "${shorten(value)}"` : shorten(String(value));
}

function shorten(text: string): string {
  const line = text.replaceAll(/\p{Cc}+/gu, ' ');
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}

// Reads one value of the configuration as one type. Each throws invalid_config (or the code it names) with path and line.
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { DAY_MS, parseDuration } from '../time/duration.js';
import { type ConfigNode, invalidValue, isEmpty, readScalar, readWritten } from './config-node.js';
import { resolveConfigText } from './config-text.js';
import type { ConfigUrl } from './rollout-config.js';

/** Inclusive limits of a number. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

const NUMBER = /^\d{1,15}(?:\.\d{1,6})?$/;

/** A text that is not empty, variables replaced. */
export function readText(node: ConfigNode): string {
  const value = isEmpty(node) ? null : readScalar(node);
  if (typeof value !== 'string' || value.trim() === '') throw invalidValue(node, 'must be a text');
  return value;
}

/** A URL whose variables stay unresolved until it is used. Its text never enters a message. */
export function readUrl(node: ConfigNode): ConfigUrl {
  const value = isEmpty(node) ? null : readWritten(node);
  if (typeof value === 'string' && value.trim() !== '') return { text: value };
  throw new RolloutError('invalid_config', {
    message: `${node.path} (line ${node.line}) must be a URL.`,
    next: `Write ${node.path}: \${VARIABLE}, and set the variable.`,
  });
}

const QUEUE_SCHEMES = ['redis', 'rediss', 'postgres', 'postgresql'];

/** A URL whose scheme a queue can have. While a variable of it is not set, nobody can say; its use does. */
export function readQueueUrl(node: ConfigNode): ConfigUrl {
  const url = readUrl(node);
  const scheme = findScheme(node, url.text);
  if (scheme === 'unset' || QUEUE_SCHEMES.includes(scheme)) return url;
  const found = scheme === '' ? 'is no URL with a scheme' : `has the scheme "${scheme}"`;
  throw new RolloutError('invalid_config', {
    message: `${node.path} (line ${node.line}) ${found}, but it must have one of ${QUEUE_SCHEMES.join(', ')}.`,
    next: `Write ${node.path}: redis://HOST:PORT, a direct postgres:// URL, or \${VARIABLE} with one of them.`,
  });
}

function findScheme(node: ConfigNode, text: string): string {
  try {
    const resolved = resolveConfigText(text, node.file.lookup, node.path);
    return /^([a-z][a-z0-9+.-]{0,30}):\/\//iu.exec(resolved)?.[1] ?? '';
  } catch (error) {
    if (isRolloutError(error) && error.code === 'missing_environment_variable') return 'unset';
    throw error;
  }
}

/** A whole number within `range`; digits from a variable count as a number. */
export function readInteger(node: ConfigNode, range: NumberRange): number {
  const value = toNumber(readScalar(node));
  if (Number.isSafeInteger(value) && value >= range.min && value <= range.max) return value;
  throw invalidValue(node, `must be a whole number ${describeRange(range)}`);
}

/** A number within `range`, fractions allowed. */
export function readNumber(node: ConfigNode, range: NumberRange): number {
  const value = toNumber(readScalar(node));
  if (value >= range.min && value <= range.max) return value;
  throw invalidValue(node, `must be a number ${describeRange(range)}`);
}

/** One of `choices`. */
export function readChoice<T extends string>(node: ConfigNode, choices: readonly T[]): T {
  const value = readScalar(node);
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw invalidValue(node, `must be one of ${choices.join(', ')}`);
  return choice;
}

/** Milliseconds of an ISO 8601 duration. Throws invalid_duration with the path. */
export function readDurationMs(node: ConfigNode): number {
  const value = readScalar(node);
  if (typeof value !== 'string') throw invalidValue(node, 'must be a duration such as PT12H');
  return atPath(node, () => parseDuration(value));
}

/** Whole days of an ISO 8601 duration, at least `min`. Throws invalid_duration with the path. */
export function readDays(node: ConfigNode, min: number): number {
  const days = readDurationMs(node) / DAY_MS;
  if (!Number.isInteger(days) || days < min) {
    throw invalidValue(
      node,
      `must be a duration of ${min === 0 ? '' : `at least ${min} and `}whole days, such as P30D`,
    );
  }
  return days;
}

/** Runs `parse` and puts the path and line before the message of the failure it throws. */
export function atPath<T>(node: ConfigNode, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    const { code, message, next } = error;
    throw new RolloutError(code, { message: `${node.path} (line ${node.line}): ${message}`, next, cause: error });
  }
}

function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && NUMBER.test(value) ? Number(value) : Number.NaN;
}

function describeRange({ min, max }: NumberRange): string {
  return max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
}

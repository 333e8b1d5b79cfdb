// The kinds of value that a configuration holds, as zod schemas. The text of each check is what follows "it" in a
// message.
import * as z from 'zod';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { parseClockTime } from '../time/clock-time.js';
import { DAY_MS, parseDuration } from '../time/duration.js';
import { parseLocalDate } from '../time/local-date.js';
import { located, placed } from '../yaml/read-yaml.js';
import { resolveConfigText, type VariableLookup } from './config-text.js';
import { parseZone } from './parse-zone.js';
import type { ConfigUrl } from './rollout-config.js';

const QUEUE_SCHEMES = ['redis', 'rediss', 'postgres', 'postgresql'];
const NUMBER = /^\d{1,15}(?:\.\d{1,6})?$/;
/** A text that is or becomes a number: digits, or a variable of the environment. */
const NUMBER_TEXT = /^\d{1,15}(?:\.\d{1,6})?$|\$\{/;
/** For editors: a variable of the environment may replace any value. */
const VARIABLE = '\\$\\{';
/** The greatest number that every program reads exactly. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** Values whose `${NAME}` pieces `lookup` resolves when the configuration is read; of URLs only the queue's scheme. */
export function configFields(lookup: VariableLookup) {
  const resolve = located((text: string, where) => resolveConfigText(text, lookup, where));
  const text = (rule: string) => z.string(rule).regex(/\S/, rule).transform(resolve).pipe(z.string().regex(/\S/, rule));
  const parsed = <T>(rule: string, parse: (text: string) => T) =>
    z
      .string(rule)
      .transform(resolve)
      .transform(located((value: string, where) => placed(where, () => parse(value))));
  const number = (limits: z.ZodNumber, rule: string) =>
    z
      .union([limits, z.string(rule).regex(NUMBER_TEXT, rule)], rule)
      .transform(located((value: number | string, where) => toNumber(value, lookup, where)))
      .pipe(limits);
  return {
    text,
    /** A whole number from `min` to `max`; without `max`, of at least `min`. */
    wholeNumber: (min: number, max = UNBOUNDED) => {
      const rule = `must be a whole number ${describeRange(min, max)}`;
      return number(z.int(rule).min(min, rule).max(max, rule), rule);
    },
    /** `auto`, or a whole number from `min` to `max`. */
    autoOrWholeNumber: (min: number, max: number) => {
      const rule = `must be auto, or a whole number ${describeRange(min, max)}`;
      const limits = z.int(rule).min(min, rule).max(max, rule);
      const written = z.string(rule).regex(new RegExp(`^auto$|${NUMBER_TEXT.source}`, 'u'), rule);
      return z
        .union([limits, written], rule)
        .transform(located((value, where) => toAutoOrNumber(value, lookup, where)))
        .pipe(z.union([z.literal('auto'), limits], rule));
    },
    /** A number from `min` to `max`, fractions allowed; without `max`, of at least `min`. */
    number: (min: number, max = UNBOUNDED) => {
      const rule = `must be a number ${describeRange(min, max)}`;
      return number(z.number(rule).min(min, rule).max(max, rule), rule);
    },
    choice: <T extends string>(choices: readonly [T, ...T[]]) => {
      const rule = `must be one of ${choices.join(', ')}`;
      return z
        .string(rule)
        .meta({ anyOf: [{ enum: choices }, { pattern: VARIABLE }] })
        .transform(resolve)
        .pipe(z.enum(choices, rule));
    },
    /** Milliseconds of an ISO 8601 duration. */
    duration: parsed('must be a duration such as PT12H', parseDuration),
    /** Whole days of an ISO 8601 duration, at least `min`. */
    days: (min: 0 | 1) => {
      const rule = `must be a duration of ${min === 0 ? '' : `at least ${min} and `}whole days, such as P30D`;
      return parsed(rule, (value) => parseDuration(value) / DAY_MS).pipe(z.int(rule).min(min, rule));
    },
    clockTime: parsed('must be a local time such as 22:00', checkedBy(parseClockTime)),
    date: parsed('must be a local date such as 2025-10-06', checkedBy(parseLocalDate)),
    /** A time zone. Any single value, because its own error names what is written. */
    zone: z
      .custom<string | number | boolean | null>(
        (value) => value !== undefined && (value === null || typeof value !== 'object'),
        'must be a single value',
      )
      .meta({ type: 'string' })
      .transform(
        located((value, where) => (typeof value === 'string' ? resolveConfigText(value, lookup, where) : value)),
      )
      .transform(located((value, where) => parseZone(value, where))),
    url,
    queueUrl: url.transform(located((value: ConfigUrl, where) => checkQueueScheme(value, lookup, where))),
  };
}

/** A URL whose variables are resolved when it is used. */
const url = z
  .string('must be a URL')
  .regex(/\S/, 'must be a URL')
  .transform((text): ConfigUrl => ({ text }));

/** A mapping with these keys only. Left out or empty: every key has its default. */
export const section = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z
    .preprocess((value) => value ?? {}, z.strictObject(shape).meta({ type: ['object', 'null'] }))
    .prefault({} as z.input<z.ZodObject<S>>);

/** While a variable of the URL is not set, its scheme is not known; its use reports the variable. */
function checkQueueScheme(url: ConfigUrl, lookup: VariableLookup, where: string): ConfigUrl {
  const scheme = findScheme(url.text, lookup, where);
  if (scheme === undefined || QUEUE_SCHEMES.includes(scheme)) return url;
  const found = scheme === '' ? 'is no URL with a scheme' : `has the scheme "${scheme}"`;
  throw new RolloutError('invalid_config', {
    message: `${where} ${found}, but it must have one of ${QUEUE_SCHEMES.join(', ')}.`,
    next: `Write redis://HOST:PORT, a direct postgres:// URL, or \${VARIABLE} with one of them.`,
  });
}

function findScheme(text: string, lookup: VariableLookup, where: string): string | undefined {
  try {
    return /^([a-z][a-z0-9+.-]{0,30}):\/\//iu.exec(resolveConfigText(text, lookup, where))?.[1] ?? '';
  } catch (error) {
    if (isRolloutError(error, 'missing_environment_variable')) return undefined;
    throw error;
  }
}

/** NaN for a text without a number. */
function toNumber(value: number | string, lookup: VariableLookup, where: string): number {
  if (typeof value === 'number') return value;
  const resolved = resolveConfigText(value, lookup, where);
  return NUMBER.test(resolved) ? Number(resolved) : Number.NaN;
}

function toAutoOrNumber(value: number | string, lookup: VariableLookup, where: string): number | 'auto' {
  const isAuto = typeof value === 'string' && resolveConfigText(value, lookup, where) === 'auto';
  return isAuto ? 'auto' : toNumber(value, lookup, where);
}

const checkedBy =
  (parse: (text: string) => unknown) =>
  (text: string): string => {
    parse(text);
    return text;
  };

const describeRange = (min: number, max: number): string =>
  max === UNBOUNDED ? `of at least ${min}` : `from ${min} to ${max}`;

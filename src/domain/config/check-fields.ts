// The key `rollout.checks` of the configuration: what an entry may hold. What a check measures is in the domain's area
// checks.
import * as z from 'zod';
import {
  BUILT_IN_CHECKS,
  CHECK_HOLDS,
  type CheckSpec,
  DEFAULT_CHECKS,
  isBuiltIn,
  isDuration,
  needsLimit,
} from '../checks/check.js';
import { parseDuration } from '../time/duration.js';
import type { configFields } from './config-fields.js';

const NAME = /^[a-z][A-Za-z0-9_-]{0,30}$/;
const NAME_RULE = 'must be a small letter and then up to 30 letters, digits, hyphens or underscores';
const MAX_CHECKS = 20;

/** The list of checks, each as it is written. */
export function checkList({ text, choice }: Pick<ReturnType<typeof configFields>, 'text' | 'choice'>) {
  const limitRule = 'must be a number above 0, or a duration such as PT1S';
  const check = z
    .strictObject({
      name: text(NAME_RULE)
        .pipe(z.string().regex(NAME, NAME_RULE))
        .describe('of a built-in check, such as `probe`; with a query, your own'),
      limit: z
        .union([z.number(limitRule).positive(limitRule), text(limitRule)], limitRule)
        .optional()
        .describe('at it lanes are halved, at twice of it none. Left out of a query: true or false'),
      query: text('must be a text').optional().describe('SQL for the cell: one row, its first column is the value'),
      holds: z
        .array(choice(CHECK_HOLDS))
        .min(1, 'must have an entry, or it holds nothing')
        .optional()
        .describe('of a query: `start`, `write`, `bake`. Left out: `write`'),
    })
    .superRefine((spec, ctx) => {
      const found = findFault(spec);
      if (found !== undefined)
        ctx.addIssue({ code: 'custom', path: [found.key], message: found.message, params: { next: found.next } });
    })
    .transform(
      ({ name, limit, query, holds }): CheckSpec => ({
        name,
        ...(limit !== undefined && { limit: isDuration(name) || typeof limit === 'number' ? limit : Number(limit) }),
        ...(query !== undefined && { query }),
        ...(holds !== undefined && { holds }),
      }),
    );
  return z
    .array(check)
    .max(MAX_CHECKS, `must have at most ${MAX_CHECKS} entries`)
    .superRefine((checks, ctx) => {
      checks.forEach(({ name }, index) => {
        if (checks.findIndex((other) => other.name === name) < index)
          ctx.addIssue({
            code: 'custom',
            path: [index, 'name'],
            message: 'must be used once',
          });
      });
    })
    .prefault(DEFAULT_CHECKS.map(({ name }) => ({ name })));
}

interface Written {
  readonly name: string;
  readonly limit?: number | string | undefined;
  readonly query?: string | undefined;
  readonly holds?: readonly string[] | undefined;
}

interface Fault {
  readonly key: keyof Written;
  readonly message: string;
  readonly next: string;
}

function findFault({ name, limit, query, holds }: Written): Fault | undefined {
  const names = Object.keys(BUILT_IN_CHECKS).join(', ');
  if (!isBuiltIn(name) && query === undefined)
    return {
      key: 'name',
      message: `must be one of ${names} where the check has no query`,
      next: 'Correct the name, or give the check a query.',
    };
  if (isBuiltIn(name) && (query !== undefined || holds !== undefined))
    return {
      key: query === undefined ? 'holds' : 'query',
      message: `must be left out: ${name} is built in and holds writes`,
      next: 'Give a query of your own another name.',
    };
  return findLimitFault(name, limit, query);
}

function findLimitFault(name: string, limit: Written['limit'], query: string | undefined): Fault | undefined {
  const fault = (message: string, next: string): Fault => ({ key: 'limit', message, next });
  if (limit === undefined)
    return needsLimit(name)
      ? fault(`must be written: ${name} has no default`, 'Write what is too much for this database.')
      : undefined;
  if (isDuration(name))
    return typeof limit === 'string' && isLength(limit)
      ? undefined
      : fault('must be a duration above 0, such as PT1S', 'Write limit: PT1S.');
  const number = Number(limit);
  if (!(number > 0 && Number.isFinite(number)))
    return fault('must be a number above 0', 'Write a number without a unit.');
  return name === 'probe' && query === undefined && number <= 1
    ? fault('must be above 1, which is the time of a calm read', 'Write limit: 2.')
    : undefined;
}

function isLength(text: string): boolean {
  try {
    return parseDuration(text) > 0;
  } catch {
    return false;
  }
}

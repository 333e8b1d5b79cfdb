// The keys of a rate card's `costs:`, and of a golden case about a call: what they may hold, and their meaning. Never
// fills in a price and never rounds one.
import * as z from 'zod';
import type { CallCosts, CallShape, IndexStep, KindCost } from './call-costs.js';

const KIND_RULE = 'must be 1 to 40 small letters, digits and underscores, and begin with a letter; not "unknown"';
const kindName = z.string().refine((text) => /^(?!unknown$)[a-z][a-z0-9_]{0,39}$/.test(text), KIND_RULE);
const MAX_KINDS = 100;
const MAX_STEPS = 20;

const price = integer(0n, 1_000_000n);
const size = integer(0n, 1_000_000_000n);

const step = z
  .strictObject({
    to: size.describe('the last index of this step, itself included; counted from 0'),
    credits: price.describe('credits of a list that ends in this step, 0 to 10^6'),
  })
  .transform(({ to, credits }): IndexStep => ({ to: Number(to), credits: Number(credits) }));

const COST_RULE = 'must have credits, or credits and perRecords, or byLastIndex and beyond';
const cost = z
  .strictObject({
    credits: price.optional().describe('credits for one call, or for each group of perRecords records, 0 to 10^6'),
    perRecords: integer(1n, 1_000_000n).optional().describe('records in a group; the last group may be smaller'),
    byLastIndex: z
      .array(step)
      .min(1, 'must have a step')
      .max(MAX_STEPS, `must have at most ${MAX_STEPS} steps`)
      .optional()
      .describe('the price of a list by the last index that it reaches: from + limit − 1'),
    beyond: price.optional().describe('credits of a list that reaches beyond the last step, 0 to 10^6'),
  })
  .meta({
    oneOf: [{ required: ['credits'] }, { required: ['byLastIndex', 'beyond'], maxProperties: 2 }],
  })
  .transform(({ credits, perRecords, byLastIndex, beyond }, ctx): KindCost => {
    const reject = (message: string, next: string, path: PropertyKey[] = []): never => {
      ctx.addIssue({ code: 'custom', message, path, params: { next } });
      return z.NEVER;
    };
    const isList = byLastIndex !== undefined || beyond !== undefined;
    if (isList && (credits !== undefined || perRecords !== undefined))
      return reject(COST_RULE, 'Keep one of the three forms.');
    if (isList) {
      if (byLastIndex === undefined) return reject('', '', ['byLastIndex']);
      if (beyond === undefined) return reject('', '', ['beyond']);
      const wrong = byLastIndex.findIndex(({ to }, at) => at > 0 && to <= (byLastIndex[at - 1]?.to ?? -1));
      if (wrong >= 0)
        return reject('must be above the step before it', 'Order the steps.', ['byLastIndex', wrong, 'to']);
      return { kind: 'byLastIndex', steps: byLastIndex, beyond: Number(beyond) };
    }
    if (credits === undefined) return reject(COST_RULE, 'Add credits.');
    return perRecords === undefined
      ? { kind: 'perCall', credits: Number(credits) }
      : { kind: 'perRecords', credits: Number(credits), records: Number(perRecords) };
  });

/** Prices by kind of call. */
export const costs = z
  .record(kindName, cost)
  .refine((kinds) => Object.keys(kinds).length <= MAX_KINDS, {
    error: `must have at most ${MAX_KINDS} kinds of call`,
    params: { next: 'Join kinds that cost the same.' },
  })
  .prefault({})
  .transform((kinds): CallCosts => new Map(Object.entries(kinds)));

/** The call of a golden case. */
export const goldenCall = z
  .strictObject({
    kind: kindName.describe('one of the kinds of costs'),
    records: size.optional().describe('records that it changes; left out: 1'),
    from: size.optional().describe('of a list: the index of its first record, from 0; left out: 0'),
    limit: size.optional().describe('of a list: how many records it asks for; left out: 1'),
  })
  .transform(
    ({ kind, records, from, limit }): CallShape => ({
      kind,
      ...(records !== undefined && { records: Number(records) }),
      ...(from !== undefined && { from: Number(from) }),
      ...(limit !== undefined && { limit: Number(limit) }),
    }),
  );

/** An exact integer; bounds that a double cannot hold stay out of the JSON Schema. */
export function integer(min: bigint, max: bigint) {
  const rule = `must be a plain whole number from ${min} to ${max}, without quotes`;
  const safe = max <= BigInt(Number.MAX_SAFE_INTEGER);
  return z
    .bigint(rule)
    .min(min, rule)
    .max(max, rule)
    .meta(safe ? { minimum: Number(min), maximum: Number(max) } : {});
}

// Every key of a rate card: what it may hold, and its meaning. The JSON Schema for editors is made of it. Never fills
// in a rate and never rounds one.
import * as z from 'zod';
import { costs, goldenCall, integer } from './cost-schema.js';
import {
  CASE_COLUMNS,
  type CaseColumn,
  type CaseOrg,
  type CaseValue,
  type EditionSpec,
  type LegacyRates,
  type RateCardCase,
} from './rate-card.js';

const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;
/** Credits or calls a day for one agent or user. */
const unitRate = integer(0n, 1_000_000_000n);
/** Credits or calls a day. */
const daily = integer(0n, 1_000_000_000_000_000n);
const anyInteger = integer(INT8_MIN, INT8_MAX);

const MAX_NAME = 200;
const NAME_RULE = `must be a text that is not empty, with at most ${MAX_NAME} characters and no control characters`;
/** Postgres could not store a text with control characters or broken Unicode as it is written. */
const name = z
  .string('must be a text; put it in quotes')
  .refine((text) => text.trim() !== '' && [...text].length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(text), NAME_RULE);

const credits = z.strictObject({
  base: daily.describe('credits a day, 0 to 10^15'),
  perAgent: unitRate.describe('credits a day for each full agent, 0 to 10^9'),
});

const LEGACY_RULE = 'must have either flat or perUser, min and max';
const legacy = z
  .strictObject({
    flat: daily.optional().describe('the limit as one number, 0 to 10^15; without the other keys'),
    perUser: unitRate.optional().describe('calls a day for each user, 0 to 10^9'),
    min: daily.optional().describe('the least limit, 0 to 10^15'),
    max: daily.optional().describe('the greatest limit, 0 to 10^15, not below min'),
  })
  .meta({
    oneOf: [
      { required: ['flat'], maxProperties: 1 },
      { required: ['perUser', 'min', 'max'], maxProperties: 3 },
    ],
  })
  .transform((written, ctx): LegacyRates => {
    const { flat, perUser, min, max } = written;
    const given = Object.keys(written).length;
    const reject = (message: string, next: string, path: PropertyKey[] = []): never => {
      ctx.addIssue({ code: 'custom', message, path, params: { next } });
      return z.NEVER;
    };
    if (given === 0) return reject(LEGACY_RULE, 'Add flat, or perUser, min and max.');
    if (flat !== undefined && given > 1) {
      return reject(LEGACY_RULE, 'Keep flat, or keep perUser, min and max.');
    }
    if (flat !== undefined) return { kind: 'flat', flat };
    if (perUser === undefined) return reject('', '', ['perUser']);
    if (min === undefined) return reject('', '', ['min']);
    if (max === undefined) return reject('', '', ['max']);
    if (min <= max) return { kind: 'perUser', perUser, min, max };
    return reject(`has min ${min} above max ${max}`, 'Exchange them or correct one.');
  });

const edition = z.strictObject({
  credits: credits.describe('what an org gets; an org that does not pay gets those of the unpaid edition'),
  concurrency: integer(1n, 1_000_000n).describe('concurrent calls, 1 to 10^6; not part of the promise'),
  legacy: legacy.describe('what an org had: flat, or perUser between min and max'),
});

const caseOrg = z
  .strictObject({
    edition: name.describe('one of the editions'),
    paid: z.boolean().prefault(true).describe('whether the org pays'),
    agents: anyInteger.prefault(0n).describe('full agents'),
    light_agents: anyInteger.prefault(0n).describe('light agents'),
    additional_credits: anyInteger.prefault(0n).describe('purchased credits a day'),
    legacy_limit: anyInteger.nullable().prefault(null).describe('the negotiated limit; null: none'),
  })
  .transform(
    ({ light_agents, additional_credits, legacy_limit, ...rest }): CaseOrg => ({
      ...rest,
      lightAgents: light_agents,
      additionalCredits: additional_credits,
      negotiatedLimit: legacy_limit,
    }),
  );

const COLUMN_TYPES = {
  flag: z.boolean(),
  text: name,
  textOrNull: name.nullable(),
  integer: anyInteger,
  integerOrNull: anyInteger.nullable(),
} as const;

/** The column of a call's price; every other column is one of an allotment. */
const PRICE = 'credits';

const expected = z
  .strictObject({
    ...Object.fromEntries(CASE_COLUMNS.map(({ column, reads }) => [column, COLUMN_TYPES[reads].optional()])),
    [PRICE]: anyInteger.optional(),
  })
  .refine((columns) => Object.keys(columns).length > 0, {
    error: 'must have a column: a case that expects nothing proves nothing',
    params: { next: 'Add a column, such as total_credits.' },
  })
  .meta({ minProperties: 1 })
  .transform((columns): Readonly<Record<string, CaseValue | undefined>> => columns);

const goldenCase = z
  .strictObject({
    name: name.optional().describe('shown when the case fails'),
    org: caseOrg.optional().describe('the org, in columns of the source; what is left out has its default'),
    call: goldenCall.optional().describe('or a call, whose price is expected as credits'),
    expect: expected.describe('what it must give; what is left out is not compared'),
  })
  .meta({ oneOf: [{ required: ['org'] }, { required: ['call'] }] })
  .transform(({ name: given, org, call, expect }, ctx): RateCardCase => {
    const reject = (message: string, next: string, path: PropertyKey[] = []): never => {
      ctx.addIssue({ code: 'custom', message, path, params: { next } });
      return z.NEVER;
    };
    const named = { name: given ?? null };
    if ((org === undefined) === (call === undefined))
      return reject('must have either org or call', 'Keep org for an allotment, or call for a price.');
    if (org !== undefined) {
      if (expect[PRICE] === undefined) return { kind: 'org', ...named, org, expect: listColumns(expect) };
      return reject('is a price, which only a call has', 'Expect columns of the allotment, such as total_credits.', [
        'expect',
        PRICE,
      ]);
    }
    if (call === undefined || Object.keys(expect).some((column) => column !== PRICE))
      return reject('of a call must have only credits', 'Write for example: expect: { credits: 3 }', ['expect']);
    return { kind: 'call', ...named, call, credits: Number(expect[PRICE]) };
  });

function listColumns(values: Readonly<Record<string, CaseValue | undefined>>): ReadonlyMap<CaseColumn, CaseValue> {
  const listed = CASE_COLUMNS.flatMap(({ column }): readonly (readonly [CaseColumn, CaseValue])[] => {
    const value = values[column];
    return value === undefined ? [] : [[column, value]];
  });
  return new Map(listed);
}

const MAX_EDITIONS = 200;
const editions = z
  .record(name, edition)
  .refine((entries) => Object.keys(entries).length <= MAX_EDITIONS, {
    error: `must have at most ${MAX_EDITIONS} editions`,
    params: { next: 'Join editions with the same rates in a view, under one name.' },
  })
  .refine((entries) => Object.keys(entries).length > 0, {
    error: 'must have an edition',
    params: { next: 'Add every edition that the source has.' },
  })
  .transform((entries) => Object.entries(entries).map(([name, spec]) => toEditionSpec(name, spec)));

/** What a rate card may hold. */
export const cardSchema = z
  .strictObject({
    name: name.describe('a name for people'),
    lightAgentsCountAsUsers: z
      .boolean()
      .describe('whether light agents count as users in the legacy formula; never for credits'),
    unpaid: name.describe('the edition whose credits and concurrency every org gets that does not pay'),
    editions: editions.describe('the editions, by exactly the text that the source has'),
    costs: costs.describe('what calls cost, by kind of call; a kind that is not listed costs 1'),
    cases: z
      .array(goldenCase)
      .prefault([])
      .describe('golden cases: first decisions before the cut-over, and prices of calls; checked before every plan'),
  })
  .meta({ title: 'credit-rollout: rate card' });

function toEditionSpec(name: string, { credits, concurrency, legacy }: z.output<typeof edition>): EditionSpec {
  return { edition: name, base: credits.base, perAgent: credits.perAgent, concurrency: Number(concurrency), legacy };
}

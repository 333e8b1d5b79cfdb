// Compares the SQL rule with the TypeScript rule on golden cases and on random lives, on real Postgres.
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Allotment } from '../../../../src/domain/org/allotment.js';
import { decideOrg } from '../../../../src/domain/org/decide-org.js';
import type { RateCard } from '../../../../src/domain/rate-card/rate-card.js';
import { initCell } from '../../../../src/engine/setup/init-cell.js';
import { toStoredCard } from '../../../../src/engine/stored-card.js';
import { openPostgres } from '../../../../src/platform/postgres.js';
import { type CellDatabase, createCellDatabase } from '../../../../src/stores/cell/cell-database.js';
import { insertRateCard } from '../../../../src/stores/cell/org/rates.js';
import { letOwnerReadSql } from '../../../../src/stores/cell/setup/roles.js';
import { goldenCases } from '../../../domain/org/golden-cases.js';
import { anyCards, anyLife, goodOrg, type Life, wildOrg } from '../../../domain/org/org-lives.js';
import { addDays, CUTOVER, makeOrg } from '../../../domain/org/sample-org.js';
import { sampleCard, secondCard } from '../../../domain/rate-card/sample-card.js';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.js';
import {
  decideHere,
  expected,
  type GateState,
  goldenRow,
  modelAt,
  type Row,
  type Situation,
  text,
  toSituation,
  toStored,
} from './situations.js';

let database: TestDatabase;
let client: pg.Client;
let cell: CellDatabase;
let today: string;

// unique on nothing, so that duplicates can exist
const ORGS = `create table public.orgs (org_id bigint not null, edition text, paid boolean, agents bigint,
  light_agents bigint, additional_credits bigint, legacy_limit bigint, created_at timestamptz)`;

beforeAll(async () => {
  database = await createTestDatabase('decided');
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`${ORGS}; ${letOwnerReadSql('us', 'public.orgs')}`);
  cell = createCellDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 2 }), 'us');
  const dataCenter = { id: 'us', zone: 'UTC', database: { text: database.url }, source: 'public.orgs' };
  await initCell(cell, { dataCenter, card: sampleCard, lapseGraceDays: 30 });
  today = (await client.query(`select (now() at time zone 'UTC')::date::text as today`)).rows[0].today;
});

afterAll(async () => {
  await cell.close();
  await client.end();
  await database.drop();
});

/** Stores the situations in the cell, one org each from id 1 on, and reads what the rule decides. */
async function decideInCell(
  card: RateCard,
  gate: GateState,
  situations: readonly Situation[],
): Promise<readonly Row[]> {
  for (const stored of new Map(
    [card, ...situations.flatMap(({ priorCard }) => priorCard ?? [])].map((one) => [one.hash, one]),
  ).values())
    await cell.asOwner((tx) => insertRateCard(tx, toStoredCard(stored)));
  await client.query(
    `begin; set local session_replication_role = replica;
     truncate public.orgs, credit_rollout.allotments, credit_rollout.allotment_changes, credit_rollout.sign_ups; commit`,
  );
  // no trigger runs here, so that a gate may also go back; what is swept was latched
  await client.query('begin; set local session_replication_role = replica');
  await client.query(
    `update credit_rollout.gate set armed_at = $1, effective_at = $1, swept_at = $2,
       latched_at = case when $2::timestamptz is not null then $1::timestamptz end`,
    [gate.effectiveAt, gate.sweptAt],
  );
  await client.query('truncate credit_rollout.reversals');
  for (const [index, { effectiveAt, reversedAt }] of (gate.reversedPeriods ?? []).entries())
    await client.query(
      `insert into credit_rollout.reversals (
         reversal_id, armed_at, effective_at, latched_at, reversed_at, to_at, to_local, author, approver)
       values ($1, $2, $2, $2, $3, $3::timestamptz + interval '1 day', 'x', 'a', 'b')`,
      [index, effectiveAt, reversedAt],
    );
  await client.query('commit');
  const orgs = situations.map(({ inputs }, index) => ({
    org_id: index + 1,
    edition: inputs.edition,
    paid: inputs.paid,
    agents: text(inputs.agents),
    light_agents: text(inputs.lightAgents),
    additional_credits: text(inputs.additionalCredits),
    legacy_limit: text(inputs.negotiatedLimit),
    created_at: inputs.createdAt,
  }));
  const rows = orgs.flatMap((org, index) => (situations[index]?.inputs.duplicated ? [org, org] : [org]));
  await client.query('insert into public.orgs select * from json_populate_recordset(null::public.orgs, $1)', [
    JSON.stringify(rows),
  ]);
  const priorsOf = (state: 'stored' | 'retired') =>
    JSON.stringify(
      situations.flatMap(({ prior, priorState = 'stored', priorCard = card }, index) =>
        prior === null || priorState !== state ? [] : [toStored(prior, index + 1, priorCard)],
      ),
    );
  await client.query(
    'insert into credit_rollout.allotments select * from json_populate_recordset(null::credit_rollout.allotments, $1)',
    [priorsOf('stored')],
  );
  await client.query(
    `insert into credit_rollout.allotment_changes (org_id, operation, cause, rate_card, version, before)
     select r.org_id, 'delete', 'gone', r.rate_card, r.version, to_jsonb(r)
     from json_populate_recordset(null::credit_rollout.allotments, $1) r`,
    [priorsOf('retired')],
  );
  const signUps = situations.flatMap(({ decidedAt }, index) =>
    decidedAt === null ? [] : [{ org_id: index + 1, model: modelAt(decidedAt), decided_at: decidedAt }],
  );
  await client.query(
    'insert into credit_rollout.sign_ups select * from json_populate_recordset(null::credit_rollout.sign_ups, $1)',
    [JSON.stringify(signUps)],
  );
  const { rows: decided } = await client.query(
    `select distinct on (org_id) *, unpaid_since::text as unpaid_since
     from credit_rollout.decided(null, null, null, $1) order by org_id`,
    [card.hash],
  );
  expect(await listFirstDifferences(card)).toEqual([]);
  expect(await listWrongCapacities()).toEqual([]);
  return decided;
}

/** Orgs that are back whose capacity is not what the rule gives under the cell's card. */
async function listWrongCapacities(): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    `select d.org_id, d.reason, d.total_credits, c.model, c.capacity
     from credit_rollout.decided(null, null, null, null) d join credit_rollout.retired using (org_id)
     join credit_rollout.org_capacity c using (org_id)
     where c.model <> 'credits' or c.capacity is distinct from case when d.reason is null then d.total_credits end`,
  );
  return rows;
}

/** Orgs that never had an allotment for which `decided_first`, which reads no allotments, gives another result. */
async function listFirstDifferences(card: RateCard): Promise<readonly unknown[]> {
  const fresh = `where not exists (select from credit_rollout.allotments a where a.org_id = d.org_id)
    and not exists (select from credit_rollout.retired r where r.org_id = d.org_id)`;
  const { rows } = await client.query(
    `(select d.* from credit_rollout.decided(null, null, null, $1) d ${fresh}
      except all select d.* from credit_rollout.decided_first(null, null, null, $1) d ${fresh})
     union all
     (select d.* from credit_rollout.decided_first(null, null, null, $1) d ${fresh}
      except all select d.* from credit_rollout.decided(null, null, null, $1) d ${fresh})`,
    [card.hash],
  );
  return rows;
}

async function expectAgreement(card: RateCard, gate: GateState, situations: readonly Situation[]): Promise<void> {
  const rows = await decideInCell(card, gate, situations);
  expect(rows).toHaveLength(situations.length);
  for (const [index, situation] of situations.entries())
    expect(rows[index], `org ${index + 1}`).toMatchObject(expected(decideHere(card, gate, situation, today)));
}

/** Runs all but the last visit through the TypeScript rule: it makes the last one's prior. Ends today. */
function liveUntilToday(life: Life): Situation {
  const last = life.steps[life.steps.length - 1];
  const passed = life.steps.reduce((sum, step) => sum + step.days, 0);
  let day = addDays(today, -passed);
  let prior: Allotment | null = null;
  let priorState: 'stored' | 'retired' = 'stored';
  let priorCard = last?.card ?? sampleCard;
  for (const { kind, inputs, card, days, gate } of life.steps.slice(0, -1)) {
    day = addDays(day, days);
    if (kind === 'away' && prior !== null) priorState = 'retired';
    if (kind !== 'seen') continue;
    const decision = decideOrg({ inputs, card, prior, priorState, gate, today: day, lapseGraceDays: 30 });
    if (decision.kind !== 'decided') continue;
    prior = decision.allotment;
    priorState = 'stored';
    priorCard = card;
  }
  return { inputs: last?.inputs ?? makeOrg(), prior, priorState, priorCard, decidedAt: last?.gate.decidedAt ?? null };
}

const near = (ms: number): Date => new Date(CUTOVER.getTime() + ms);
const anyGate = fc.constantFrom<GateState>(
  { effectiveAt: null, sweptAt: null },
  { effectiveAt: CUTOVER, sweptAt: null },
  { effectiveAt: CUTOVER, sweptAt: new Date(CUTOVER.getTime() + 60_000) },
  { effectiveAt: null, sweptAt: null, reversedPeriods: [{ effectiveAt: CUTOVER, reversedAt: near(1) }] },
  { effectiveAt: near(1), sweptAt: null, reversedPeriods: [{ effectiveAt: near(-1), reversedAt: CUTOVER }] },
  {
    effectiveAt: near(2),
    sweptAt: near(60_000),
    reversedPeriods: [
      { effectiveAt: near(-1), reversedAt: CUTOVER },
      { effectiveAt: CUTOVER, reversedAt: near(1) },
    ],
  },
);

describe('credit_rollout.decided', () => {
  test('gives the exact numbers of every golden case', async () => {
    for (const golden of goldenCases) {
      const card = golden.card === 'sample' ? sampleCard : secondCard;
      const gate =
        golden.window === 'open' ? { effectiveAt: null, sweptAt: null } : { effectiveAt: CUTOVER, sweptAt: CUTOVER };
      const [row] = await decideInCell(card, gate, [toSituation(golden, today)]);
      expect(row, golden.id).toMatchObject(goldenRow(golden));
    }
  });

  test.each([
    ['careful', goodOrg],
    ['careless', wildOrg],
  ] as const)('agrees with the TypeScript rule on random lives of %s sources', async (_name, org) => {
    const livesUnder = anyCards.chain((cards) =>
      fc.tuple(fc.constant(cards.at(2)), fc.array(anyLife(org, fc.constant(cards)), { minLength: 1, maxLength: 60 })),
    );
    await fc.assert(
      fc.asyncProperty(livesUnder, anyGate, async ([card, lives], gate) => {
        await expectAgreement(card, gate, lives.map(liveUntilToday));
      }),
      { numRuns: 60 },
    );
  });

  test('reads only its range and only the ids asked for', async () => {
    await decideInCell(
      sampleCard,
      { effectiveAt: null, sweptAt: null },
      Array.from({ length: 9 }, () => ({ inputs: makeOrg(), prior: null, decidedAt: null })),
    );
    const ids = async (sql: string): Promise<readonly string[]> =>
      (await client.query(`select org_id from credit_rollout.decided(${sql}) order by 1`)).rows.map(
        (row) => row.org_id,
      );
    expect(await ids('3, 6, null, null')).toEqual(['3', '4', '5']);
    expect(await ids('null, 3, null, null')).toEqual(['1', '2']);
    expect(await ids('8, null, null, null')).toEqual(['8', '9']);
    expect(await ids('null, null, array[2, 7]::credit_rollout.org_id[], null')).toEqual(['2', '7']);
  });
});

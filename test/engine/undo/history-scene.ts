// Many lives in one cell, and beside it the same product in a cell that is never rolled out. Each step happens in the
// cell and in the model, and then both must say the same of every org.
import { expect } from 'vitest';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../../src/engine/org/override-proposals.js';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { approveFalls, proposeFalls } from '../../../src/engine/reconcile/accept-falls.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import type { Random } from '../../soak/options.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import {
  applyTo,
  capacityOf,
  decide,
  feedTo,
  type Inputs,
  type Life,
  legacyOf,
  nightTo,
  overrideTo,
  showRow,
} from './life-model.js';

export interface World {
  readonly fleet: Fleet;
  readonly ana: TestPerson;
  readonly bob: TestPerson;
  readonly random: Random;
  readonly lives: Life[];
  /** What those had that left the source. */
  readonly away: Map<number, Inputs>;
  /** Counts the steps. */
  now: number;
  drop(): Promise<void>;
}

const EDITIONS = ['free', 'express', 'standard', 'professional', 'enterprise', 'zoho_one'] as const;
const DEEDS: readonly ((org: Inputs, n: number, edition: string) => Inputs)[] = [
  (org, n) => ({ ...org, bought: org.bought + n }),
  (org) => ({ ...org, bought: 0 }),
  (org, n) => ({ ...org, agents: org.agents + (n % 200) }),
  (org, n) => ({ ...org, agents: Math.floor(org.agents / (2 + (n % 3))) }),
  (org, n) => ({ ...org, light: n % 100 }),
  (org) => ({ ...org, paid: !org.paid }),
  (org) => ({ ...org, paid: !org.paid }),
  (org, _, edition) => ({ ...org, edition }),
  (org, _, edition) => ({ ...org, edition }),
  (org, n) => ({ ...org, limit: n * 100 }),
  (org) => ({ ...org, limit: null }),
];
/** A name that no card has. */
const UNKNOWN = 'retired';
const OVERRIDES = 8;

export async function createWorld(random: Random, orgs: number): Promise<World> {
  const rollout = '{ batchSize: 1000, guardRails: { quarantinedShare: 1 } }';
  const fleet = await createFleet({ cells: [{}, {}], orgs: 0, rollout });
  const crowd = await createPeople(fleet, 'ana', 'bob');
  const [ana, bob] = crowd.people as [TestPerson, TestPerson];
  const drop = async (): Promise<void> => {
    await crowd.drop();
    await fleet.drop();
  };
  const world: World = { fleet, ana, bob, random, lives: [], away: new Map(), now: 0, drop };
  await writeSource(world, appear(world, orgs));
  return world;
}

/** New orgs, which are in no source yet. */
function appear({ random, lives }: World, many: number): readonly Life[] {
  const born = Array.from({ length: many }, (_, n): Life => {
    const agents = random.between(0, 400);
    const org = { edition: random.pick(EDITIONS), paid: random.chance(0.8), agents, light: random.between(0, 10) };
    const inputs = { ...org, bought: random.chance(0.1) ? 10_000 : 0, limit: random.chance(0.05) ? 500_000 : null };
    return { id: lives.length + n + 1, inputs, row: null, writtenBy: null, retired: null, deeds: [] };
  });
  lives.push(...born);
  return born;
}

/** The product writes what the model has of these orgs, in both cells. */
async function writeSource({ fleet }: Pick<World, 'fleet'>, changed: readonly Life[]): Promise<void> {
  const present = changed.flatMap(({ id, inputs }) => (inputs === null ? [] : [{ id, ...inputs }]));
  const gone = changed.filter(({ inputs }) => inputs === null).map(({ id }) => id);
  for (const { sql } of fleet.cells) {
    await sql(
      `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, legacy_limit,
         created_at, updated_at)
       select r.id, r.edition, r.paid, r.agents, r.light, r.bought, r."limit", '2024-03-01', now()
       from jsonb_to_recordset($1::jsonb) r (id bigint, edition text, paid boolean, agents bigint, light bigint,
         bought bigint, "limit" bigint)
       on conflict (org_id) do update set edition = excluded.edition, paid = excluded.paid, agents = excluded.agents,
         light_agents = excluded.light_agents, additional_credits = excluded.additional_credits,
         legacy_limit = excluded.legacy_limit, updated_at = excluded.updated_at`,
      [JSON.stringify(present)],
    );
    await sql('delete from public.orgs where org_id = any ($1::bigint[])', [gone]);
  }
}

/** Every org lives on by itself, a part of them with something that matters; new ones sign up. */
export async function live(world: World, share: number): Promise<void> {
  const { random, lives, fleet } = world;
  await writeSource(
    world,
    lives.filter((life) => random.chance(share) && changeOne(world, life)),
  );
  const signedUp = appear(world, Math.ceil(lives.length / 100));
  await writeSource(world, signedUp);
  for (const { sql } of fleet.cells)
    await sql('select credit_rollout.onboard_org(o) from unnest($1::bigint[]) o', [signedUp.map(({ id }) => id)]);
}

function changeOne({ random, away }: World, life: Life): boolean {
  const { id, inputs } = life;
  if (inputs === null) {
    life.inputs = away.get(id) ?? null;
    return true;
  }
  const happens = random.next();
  if (happens < 0.04) {
    away.set(id, inputs);
    life.inputs = null;
  } else if (inputs.edition === UNKNOWN) life.inputs = { ...inputs, edition: random.pick(EDITIONS) };
  else if (happens < 0.06) life.inputs = { ...inputs, edition: UNKNOWN };
  else
    for (let more = true; more; more = random.chance(0.3))
      life.inputs = random.pick(DEEDS)(life.inputs ?? inputs, random.between(1, 5_000), random.pick(EDITIONS));
  return true;
}

const begin = (world: World): number => {
  world.now += 1;
  return world.now;
};

/** Rolls the data center out, as a second person approves it; returns the run, and when it was. */
export async function apply(world: World): Promise<{ readonly run: number; readonly opened: number }> {
  const { fleet, bob, lives } = world;
  const opened = begin(world);
  const planId = (await fleet.plan(fleet.cell(0))).planId ?? '';
  await approvePlan(bob.engine, { planId, reason: null });
  await fleet.applyPlan(fleet.cell(0), planId);
  await fleet.drive();
  const [ended] = await fleet.control(
    'select stage, failure from credit_rollout_control.data_centers order by position',
  );
  expect(ended).toEqual({ stage: 'done', failure: null });
  const [row] = await fleet
    .cell(0)
    .sql(`select max(run_id)::int as run from credit_rollout.runs where kind = 'migrate'`);
  const run = Number(row?.run);
  for (const life of lives) applyTo(life, opened, run);
  await expectSame(world);
  return { run, opened };
}

/** The change feed reads what was edited. */
export async function feed(world: World): Promise<void> {
  const { fleet, lives } = world;
  const at = begin(world);
  expect(await feedChanges(fleet.engine, fleet.cell(0).dataCenter.id, { pace: 'at_once' })).toMatchObject({
    kind: 'read',
  });
  for (const life of lives) feedTo(life, at);
  await expectSame(world);
}

/** A night whose falls two people accept. */
export async function night(world: World): Promise<void> {
  const { fleet, ana, bob, lives } = world;
  const at = begin(world);
  const dataCenter = fleet.cell(0).dataCenter.id;
  const { proposalId } = await proposeFalls(ana.engine, { dataCenter, reason: 'a night' });
  await approveFalls(bob.engine, { kind: 'falls', dataCenter, proposalId }, null);
  expect((await fleet.drive())[0]).toBe('done');
  for (const life of lives) nightTo(life, at);
  await expectSame(world);
}

/** Some orgs get a higher floor from two people. */
export async function override(world: World): Promise<void> {
  const { fleet, ana, bob, lives, random } = world;
  const at = begin(world);
  const dataCenter = fleet.cell(0).dataCenter.id;
  const able = lives.filter(({ row, inputs }) => row !== null && inputs !== null && decide(inputs, row) !== null);
  for (const life of new Set(Array.from({ length: OVERRIDES }, () => random.pick(able)))) {
    if (life.inputs === null || life.row === null) continue;
    const floor = Math.max(legacyOf(life.inputs), life.row.floor ?? 0) + random.between(1, 5_000);
    const proposal = { dataCenter, orgId: String(life.id), floor: BigInt(floor), reason: 'usage' };
    const id = parseProposalId((await proposeOverride(ana.engine, proposal)).overrideId);
    if (id?.kind !== 'override') throw new Error('it was proposed');
    await approveOverride(bob.engine, id, null);
    overrideTo(life, at, floor);
  }
  await expectSame(world);
}

const ROWS = `select org_id::int as id, array_to_string(array[edition, paid::text, agents::text, light_agents::text,
  additional_credits::text, negotiated_limit::text, floor::text, floor_edition, (unpaid_since is not null)::text,
  total_credits::text], ' ', '') as text from credit_rollout.allotments`;
const CAPACITIES = `select org_id::int as id, model || ' ' || coalesce(capacity::text, 'null') as text
  from credit_rollout.org_capacity`;

type Texts = ReadonlyMap<number, string>;

async function readTexts({ fleet }: World, cell: number, query: string): Promise<Texts> {
  return new Map((await fleet.cell(cell).sql(query)).map(({ id, text }) => [Number(id), String(text)]));
}

/** The rows of the cell are those of the model, and nothing else. */
export async function expectSame(world: World): Promise<void> {
  const found = await readTexts(world, 0, ROWS);
  expectTexts(world, found, ({ row }) => row && showRow(row));
}

/** And so is what the product reads; who has no allotment, and left none behind, has what nobody ever rolled out. */
export async function expectSameCapacities(world: World): Promise<void> {
  const found = await readTexts(world, 0, CAPACITIES);
  const never = await readTexts(world, 1, CAPACITIES);
  expectTexts(world, found, (life) => {
    const known = capacityOf(life);
    return known && `${known.model} ${known.capacity}`;
  });
  expectTexts(world, found, ({ id, row, retired }) => ((row ?? retired) ? found.get(id) : never.get(id)) ?? null);
}

function expectTexts({ lives }: World, found: Texts, expected: (life: Life) => string | null): void {
  const wrong = lives.filter((life) => (found.get(life.id) ?? null) !== expected(life));
  const shown = wrong.slice(0, 3).map((life) => ({ has: found.get(life.id), expected: expected(life), life }));
  expect({ wrong: wrong.length, shown }).toEqual({ wrong: 0, shown: [] });
}

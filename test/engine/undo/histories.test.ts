// Many lives in one cell: each org buys, grows, lapses, changes its edition, leaves, comes back or signs up, nights and
// an undo in between. What is undone is as if it had never been rolled out, and what is left is exactly what changed.
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { previewUndo } from '../../../src/engine/undo/preview-undo.js';
import { approveUndo, requestUndo } from '../../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createFleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const ORGS = 2_000;
const ROUNDS = 3;
/** What may happen to an org before a night; the number says how much. */
const DEEDS = {
  buy: (n: number) => `additional_credits = additional_credits + ${1 + n}`,
  stopBuying: () => 'additional_credits = 0',
  grow: (n: number) => `agents = agents + ${1 + n}`,
  shrink: (n: number) => `agents = agents / ${2 + (n % 3)}`,
  lapse: () => 'paid = false',
  pay: () => 'paid = true',
  upgrade: () => `edition = 'enterprise'`,
  downgrade: () => `edition = 'express'`,
  negotiate: (n: number) => `legacy_limit = ${300_000 + n}`,
  // a name that no card has: undecidable
  misspell: () => `edition = 'retired'`,
} as const;
const deed = fc.tuple(
  fc.integer({ min: 1, max: ORGS }),
  fc.constantFrom(...(Object.keys(DEEDS) as (keyof typeof DEEDS)[])),
  fc.nat({ max: 5_000 }),
);
const round = fc.array(deed, { minLength: 400, maxLength: 400 });

test(`undoes ${ORGS} random lives, and lists exactly the others`, { timeout: 300_000 }, async () => {
  const [seed] = fc.sample(fc.nat(), 1);
  const rounds = fc.sample(round, { numRuns: ROUNDS, seed: seed ?? 0 });
  const fleet = await createFleet({ orgs: ORGS, rollout: '{ batchSize: 500 }' });
  dropped.push(fleet.drop);
  const { sql, dataCenter } = fleet.cell(0);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  dropped.push(drop);
  const [ana, bob] = people as readonly [TestPerson, TestPerson];
  await sql('create table public.written as select * from credit_rollout.allotments');
  for (const [night, deeds] of rounds.entries()) {
    for (const [org, kind, n] of deeds) await sql(`update public.orgs set ${DEEDS[kind](n)} where org_id = ${org}`);
    await sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      select ${ORGS} + ${night} * 20 + n, 'standard', true, 300, 0, 0, now() from generate_series(1, 10) n`);
    await sql(`delete from public.orgs where org_id % 400 = ${night}`);
    if (night === ROUNDS - 1) break;
    await fleet.control(
      `insert into credit_rollout_control.reconcile_requests (data_center, reason, requested_by)
       values ($1, 'a night', 'x')`,
      [dataCenter.id],
    );
    await fleet.drive();
  }
  // by the rows, and not by the record of changes: whose terms are what the rollout wrote, but for purchases
  const same = `(to_jsonb(a) - '{additional_credits,total_credits,version,run_id,computed_at,checksum}'::text[])
    = (to_jsonb(w) - '{additional_credits,total_credits,version,run_id,computed_at,checksum}'::text[])`;
  const others = await sql(`select a.org_id from credit_rollout.allotments a
    left join public.written w on w.org_id = a.org_id left join credit_rollout.assessed s on s.org_id = a.org_id
    where w.org_id is null or not ${same} or s.org_id is null or s.reason is not null order by a.org_id`);
  const question = { dataCenter: dataCenter.id, limit: 100_000, reason: 'to prove it' };
  const seen = await previewUndo(ana.engine, question);
  const named = (ids: readonly unknown[]) => ids.map(Number).toSorted((a, b) => a - b);
  expect(named(seen.conflicts.map(({ orgId }) => orgId)), `seed ${seed}`).toEqual(named(others.map((o) => o.org_id)));
  expect(seen.conflicts.length).toBeGreaterThan(200);
  expect(seen.counts.deletes).toBeGreaterThan(500);
  const before = await sql('select * from credit_rollout.allotments order by org_id');
  const proposed = await requestUndo(ana.engine, question);
  const id = parseProposalId(proposed.undoId ?? '');
  if (id?.kind !== 'undo') throw new Error('it was proposed');
  await approveUndo(bob.engine, id, null);
  expect(await fleet.drive()).toEqual(['undone']);
  const left = await sql('select * from credit_rollout.allotments order by org_id');
  expect(named(left.map((row) => row.org_id)), `seed ${seed}`).toEqual(named(others.map((o) => o.org_id)));
  // untouched, to the last column
  const kept = new Set(left.map((row) => row.org_id));
  expect(left).toEqual(before.filter((row) => kept.has(row.org_id)));
  // and everybody else has what an org has that nobody ever rolled out
  expect(
    await sql(`select c.org_id, c.model, c.capacity, s.legacy_limit, s.additional_credits, s.reason
      from credit_rollout.org_capacity c join credit_rollout.assessed s on s.org_id = c.org_id
      where not exists (select from credit_rollout.allotments a where a.org_id = c.org_id)
        and (c.model, c.capacity) is distinct from
          ('legacy', case when s.reason is null then s.legacy_limit + s.additional_credits end)
        and not exists (select from credit_rollout.retired r where r.org_id = c.org_id)`),
    `seed ${seed}`,
  ).toEqual([]);
  await fleet.expectInvariants();
});

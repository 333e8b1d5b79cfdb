// A data center's run over control and cell: a broken rule, retry, pause, abort, a second apply, and two schedulers at
// once.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import type { WakeUps } from '../../../src/engine/context.js';
import { readIntent, setIntent } from '../../../src/engine/operate/set-intent.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { createFleet, type Fleet, type FleetOptions, slowDown, speedUp } from '../../support/fleet.js';
import { openContext } from '../../support/open-context.js';
import { silentLog } from '../../support/silent.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

const count = async (fleet: Fleet, sql: string, n = 0): Promise<number> =>
  Number(Object.values((await fleet.cell(n).sql(sql))[0] ?? {})[0]);
const holdsOf = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select code from credit_rollout_control.holds order by data_center, position')).map(
    (row) => row.code,
  );

/** A worker of this process that checks for work until it is told to stop. */
function keepServing(fleet: Fleet): () => Promise<void> {
  const stops = fleet.cells.map(({ dataCenter }) => keepDoing(() => serveOpenWork(fleet.engine, dataCenter.id), 5));
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

/** One after the other, so that a busy machine has never more than one to do; what it returns stops it. */
function keepDoing(act: () => Promise<unknown>, pauseMs: number): () => Promise<void> {
  let over = false;
  const doing = (async () => {
    while (!over) {
      await act().catch(() => undefined);
      await systemClock.sleep(pauseMs);
    }
  })();
  return async () => {
    over = true;
    await doing;
  };
}

describe('a broken rule', () => {
  test('writes nothing of the batch, closes the fence, fails the stage; retry finishes once the cause is gone', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.allotments add constraint never_777 check (org_id <> 777)');
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments where org_id between 701 and 800')).toBe(
      0,
    );
    expect(await cell.sql('select state, failure from credit_rollout.fence')).toEqual([
      { state: 'closed', failure: 'never_777' },
    ]);
    expect(await fleet.control('select failure, quiet from credit_rollout_control.data_centers')).toEqual([
      { failure: 'never_777', fenceConfirmedClosed: true },
    ]);
    const before = await count(fleet, `select count(*) from credit_rollout.batches where state = 'done'`);
    await fleet.expectInvariants();
    await cell.sql('alter table credit_rollout.allotments drop constraint never_777');
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['done']);
    expect(before).toBeLessThan(10);
    expect(await count(fleet, 'select count(distinct run_id) from credit_rollout.runs')).toBe(1);
    await fleet.expectInvariants();
  });

  test('fails again, not twice in a circle, when the cause is still there', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    await fleet.cell(0).sql('alter table credit_rollout.allotments add constraint never_77 check (org_id <> 77)');
    await fleet.apply(fleet.cell(0));
    await fleet.drive();
    await retryRun(fleet.engine, fleet.cell(0).dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['failed']);
    await fleet.expectInvariants();
  });

  test('that is retried, and then aborted before anything happened, ends as aborted', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.allotments add constraint never_77 check (org_id <> 77)');
    await fleet.apply(cell);
    await fleet.drive();
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'abort', reason: 'no' });
    expect(await fleet.drive()).toEqual(['aborted']);
    await fleet.expectInvariants();
  });

  test('is found by the verification when a row was falsified; retry verifies again', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql(`create function public.falsify() returns trigger language plpgsql as $$ begin
      new.variable_credits := new.variable_credits + 1; new.total_credits := new.total_credits + 1; return new; end $$;
      create trigger falsify before insert on credit_rollout.allotments for each row when (new.org_id = 42) execute function public.falsify()`);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'verification_mismatch' },
    ]);
    await cell.sql(`drop trigger falsify on credit_rollout.allotments;
      update credit_rollout.allotments set variable_credits = variable_credits - 1, total_credits = total_credits - 1 where org_id = 42`);
    await retryRun(fleet.engine, cell.dataCenter.id, null);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('one unreadable org stops neither the batches nor the verification nor a plan', async () => {
    const fleet = await makeFleet({ cells: [{ view: true }], orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id = 137 then 1 / (org_id - 137) else agents end as agents, light_agents, additional_credits, legacy_limit,
      created_at, updated_at, peak_credits from public.org_rows`);
    expect((await fleet.whatIf(cell)).quarantined).toContainEqual({
      reason: 'unreadable',
      orgs: 1,
    });
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    expect(
      await cell.sql(`select reason, count(*)::int as orgs from credit_rollout.quarantine group by 1 order by 1`),
    ).toEqual([
      { reason: 'unknown_edition', orgs: 2 },
      { reason: 'unreadable', orgs: 1 },
    ]);
    expect((await verifyDataCenter(fleet.engine, cell.dataCenter.id)).mismatches).toBe(0);
    await fleet.expectInvariants();
  });
});

describe('a second apply', () => {
  test('inserts what is new, raises what rose, counts falls without writing them, and leaves the rest untouched', async () => {
    const fleet = await makeFleet({ orgs: 500 });
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    await fleet.drive();
    const rows = `select org_id, version, computed_at::text as at, total_credits from credit_rollout.allotments order by org_id`;
    const before = await cell.sql(rows);
    await cell.insertOrgs({ org_id: 9_001, created_at: '2024-03-01 12:00+00' });
    await cell.sql(`update public.orgs set additional_credits = additional_credits + 500 where org_id = 11`);
    await cell.sql(`update public.orgs set additional_credits = 0 where org_id = 18`);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    const after = new Map((await cell.sql(rows)).map((row) => [row.org_id, row]));
    const changed = before.filter(
      (row) => after.get(row.org_id)?.version !== row.version || after.get(row.org_id)?.at !== row.at,
    );
    expect(changed.map((row) => row.org_id)).toEqual(['11']);
    expect(after.get('18')).toEqual(before.find((row) => row.org_id === '18'));
    expect(after.get('9001')?.version).toBe(1);
    expect(
      await cell.sql(`select sum(inserted)::int as inserted, sum(raised)::int as raised, sum(falls)::int as falls from credit_rollout.batches
      where run_id = (select max(run_id) from credit_rollout.runs)`),
    ).toEqual([{ inserted: 1, raised: 1, falls: 1 }]);
    await fleet.expectInvariants();
  });

  test('has nothing pending when nothing changed, and would write nothing', async () => {
    const fleet = await makeFleet({ orgs: 400 });
    const cell = fleet.cell(0);
    expect((await fleet.whatIf(cell)).counts.touched).toBeGreaterThan(0);
    await fleet.apply(cell);
    await fleet.drive();
    const { counts } = await fleet.whatIf(cell);
    expect(counts).toMatchObject({ touched: 0, first: 0, raises: 0, falls: 0 });
    const rows = 'select md5(string_agg(a::text, chr(10) order by org_id)) from credit_rollout.allotments a';
    const before = await cell.sql(rows);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await cell.sql(rows)).toEqual(before);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotment_changes')).toBe(0);
    await fleet.expectInvariants();
  });
});

describe('pause and abort', () => {
  const dcOf = (fleet: Fleet): string => fleet.cell(0).dataCenter.id;

  test('is confirmed within three seconds while batches run, and nothing commits after the acknowledgement', async () => {
    const fleet = await makeFleet({ orgs: 3_000 });
    await slowDown(fleet.cell(0), 150);
    await fleet.apply(fleet.cell(0));
    const stop = keepServing(fleet);
    const stopTicking = keepDoing(() => tick(fleet.engine), 200);
    await waitFor(
      'some batches',
      async () =>
        (await count(fleet, `select count(*) from credit_rollout.batches where state = 'done' and kind = 'range'`)) >=
        2,
    );
    const stopwatch = startStopwatch(fleet.cell(0));
    const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: 'a test' } as const;
    await setIntent(fleet.engine, request);
    await waitFor('quiet', async () => (await readIntent(fleet.engine, request)).fenceConfirmedClosed);
    expect(await stopwatch()).toBeLessThan(3_000);
    const seen = await fleet
      .cell(0)
      .sql(
        `select max(done_at)::text as at, count(*) filter (where state = 'done') as done, max(epoch) as epoch from credit_rollout.batches`,
      );
    const written = await count(fleet, 'select count(*) from credit_rollout.allotments');
    const until = Date.now() + 800;
    await waitFor('a while in which workers go on trying', () => Date.now() > until);
    expect(
      await fleet
        .cell(0)
        .sql(
          `select max(done_at)::text as at, count(*) filter (where state = 'done') as done, max(epoch) as epoch from credit_rollout.batches`,
        ),
    ).toEqual(seen);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(written);
    expect(await holdsOf(fleet)).toEqual(['paused']);
    await speedUp(fleet.cell(0));
    const epoch = await count(fleet, 'select epoch from credit_rollout.fence');
    await setIntent(fleet.engine, { ...request, intent: 'run' });
    // by more than one where two checks asked for it, or where the verification has followed already
    await waitFor('a new epoch', async () => (await count(fleet, 'select epoch from credit_rollout.fence')) > epoch);
    await fleet.waitForStages((stages) => stages[0] === 'done');
    await Promise.all([stopTicking(), stop()]);
    await fleet.expectInvariants();
  });

  test('holds through twenty pauses in a row, each in the midst of its ranges', async () => {
    const fleet = await makeFleet({ orgs: 10_000 });
    await slowDown(fleet.cell(0), 100);
    await fleet.apply(fleet.cell(0));
    const stop = keepServing(fleet);
    const ranges = (state: string): Promise<number> =>
      count(fleet, `select count(*) from credit_rollout.batches where kind = 'range' and state ${state}`);
    for (let n = 0; n < 20; n += 1) {
      const written = await ranges(`= 'done'`);
      await fleet.tickUntil('one more range', async () => (await ranges(`= 'done'`)) > written);
      const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: null } as const;
      await setIntent(fleet.engine, request);
      await fleet.tickUntil('quiet', async () => (await readIntent(fleet.engine, request)).fenceConfirmedClosed);
      expect(await fleet.stages()).toEqual(['migrating']);
      expect(await ranges(`<> 'done'`)).toBeGreaterThan(0);
      await setIntent(fleet.engine, { ...request, intent: 'run' });
    }
    await speedUp(fleet.cell(0));
    await fleet.tickUntil('the end', async () => (await fleet.stages())[0] === 'done');
    await stop();
    expect(
      await count(fleet, `select count(distinct epoch) from credit_rollout.batches where kind = 'range'`),
    ).toBeGreaterThanOrEqual(20);
    await fleet.expectInvariants();
  }, 120_000);

  test('an abort keeps what was applied, stays, and lets a new apply finish the rest', async () => {
    const fleet = await makeFleet({ orgs: 2_000 });
    await slowDown(fleet.cell(0), 50);
    await fleet.apply(fleet.cell(0));
    await tick(fleet.engine);
    const stop = keepServing(fleet);
    await fleet.tickUntil(
      'some batches',
      async () =>
        (await count(fleet, `select count(*) from credit_rollout.batches where state = 'done' and kind = 'range'`)) >=
        3,
    );
    await setIntent(fleet.engine, { dataCenter: dcOf(fleet), intent: 'abort', reason: null });
    await fleet.tickUntil('aborted', async () => (await fleet.stages())[0] === 'aborted');
    const kept = await count(fleet, 'select count(*) from credit_rollout.allotments');
    expect(kept).toBeGreaterThan(0);
    await expect(
      setIntent(fleet.engine, { dataCenter: dcOf(fleet), intent: 'run', reason: null }),
    ).rejects.toMatchObject({ code: 'wrong_stage' });
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['aborted']);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(kept);
    await fleet.expectInvariants();
    await stop();
    await speedUp(fleet.cell(0));
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await count(fleet, `select count(*) from credit_rollout.allotments`)).toBe(1_990);
    await fleet.expectInvariants();
  });

  test('says pausing, and starts nothing, while a session of ours still holds the fence', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    await fleet.apply(fleet.cell(0));
    await tick(fleet.engine);
    await serveOpenWork(fleet.engine, dcOf(fleet)); // its plan
    await tick(fleet.engine);
    const holder = new pg.Client({ connectionString: fleet.cell(0).url });
    await holder.connect();
    await holder.query('begin; select pg_advisory_xact_lock_shared(1129467724, 0)');
    const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: null } as const;
    expect((await setIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(false);
    await holder.query('commit');
    await tick(fleet.engine);
    expect((await readIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(true);
    await holder.end();
    await fleet.expectInvariants();
  });
});

describe('tick', () => {
  test('wakes workers for the plan of a data center that has no epoch yet', async () => {
    const fleet = await makeFleet({ orgs: 10 });
    const rung: unknown[] = [];
    const wakeUps = { ...fleet.engine.wakeUps, request: async (...ring: readonly unknown[]) => void rung.push(ring) };
    await fleet.apply(fleet.cell(0));
    await tick({ ...fleet.engine, wakeUps });
    expect(rung).toEqual([[fleet.cell(0).dataCenter.id, 'plan', 0n, 1]]);
  });

  test('calls the workers while it opens the fence, and then leaves them the machine: it does not ask the queue again', async () => {
    const fleet = await makeFleet({ orgs: 500 });
    const { dataCenter } = fleet.cell(0);
    const rung: unknown[] = [];
    const wakeUps: WakeUps = {
      ...fleet.engine.wakeUps,
      request: async (id, job) => void rung.push(['request', id, job]),
      enqueue: async (id, jobs) => void rung.push(['enqueue', id, jobs]),
    };
    const { config } = fleet;
    await requestApply(fleet.engine, {
      config,
      card: sampleCard,
      dataCenters: [dataCenter],
      reason: null,
      follow: 'none',
    });
    await tick({ ...fleet.engine, wakeUps });
    expect(rung).toEqual([['enqueue', dataCenter.id, ['apply', 'apply', 'cut']]]);
    expect(await fleet.cell(0).sql('select state from credit_rollout.fence')).toEqual([{ state: 'open' }]);
    // the next poll makes up for a call that was lost
    await tick({ ...fleet.engine, wakeUps });
    expect(rung.slice(1)).toEqual([
      ['request', dataCenter.id, 'cut'],
      ['request', dataCenter.id, 'apply'],
    ]);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('activates once when two schedulers look at the same moment, over and over', async () => {
    const fleet = await makeFleet({ cells: [{}, {}, {}], orgs: 300 });
    const opened = new Set<() => Promise<unknown>>();
    dropped.push(async () => void (await Promise.all([...opened].map((close) => close()))));
    const urls = {
      control: fleet.controlUrl,
      cells: fleet.cells.map(({ dataCenter: { id }, url }) => ({ id, url })),
      queue: undefined,
    };
    const schedulers = Array.from({ length: 3 }, () => openContext(urls, silentLog, opened));
    await fleet.apply(...fleet.cells);
    const stop = keepServing(fleet);
    await waitFor('the end', async () => {
      await Promise.all(schedulers.map((scheduler) => tick(scheduler)));
      return (await fleet.stages()).every((stage) => stage === 'done');
    });
    await stop();
    expect(
      await fleet.control(`select data_center, count(*)::int as times from credit_rollout_control.audit where action = 'activate'
      group by 1 having count(*) <> 1`),
    ).toEqual([]);
    expect(await fleet.control(`select count(*)::int as runs from credit_rollout_control.runs`)).toEqual([{ runs: 3 }]);
    await fleet.expectInvariants();
  });
});

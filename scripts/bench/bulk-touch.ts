// What the change feed costs the product after one transaction that touched every org, and how long other edits wait
// meanwhile: pgbench on the same server with the feed as a worker runs it, in turn with pgbench alone.
import type pg from 'pg';
import { findDataCenter, type Program } from '../../src/compose.js';
import { feedChanges } from '../../src/engine/feed/feed-changes.js';
import { removeChangeFeed } from '../../src/engine/setup/triggers.js';
import { systemClock } from '../../src/kernel/clock.js';
import { type BenchBed, DATA_CENTER, orgId } from './bed.js';
import type { Print } from './compare.js';
import { recreateDatabase, withClient } from './database.js';
import { findMedian, formatCount } from './numbers.js';
import { findPgbench, initPgbench, runPgbench } from './pgbench.js';

/** More are not touched, so that the preparation ends. */
const MAX_TOUCHED = 2_000_000;
const TRAFFIC = 'bench_traffic';
const CLIENTS = 2;
/**
 * How fast a disk answers can change by half within a minute, which hides a loss of some percent. Without it, traffic
 * takes every processor all the time, and loses whatever the feed takes.
 */
const WITHOUT_DISK = `alter database ${TRAFFIC} set synchronous_commit = off`;
/**
 * Accounts of pgbench, 100,000 for each, and short turns of its traffic, alone and beside the feed, since a machine's
 * speed changes within seconds; with one run nobody asks for more than a look.
 */
const trafficOf = (runs: number): { readonly scale: number; readonly seconds: number; readonly turns: number } =>
  runs === 1 ? { scale: 1, seconds: 1, turns: 1 } : { scale: 10, seconds: 6, turns: 8 };
/** One org is edited so often while the feed reads. */
const EDIT_MS = 2_000;
const EDIT_LIMIT_MS = 120_000;
const WAYS = ['without an index', 'with an index'] as const;

export interface BulkMeasure {
  readonly way: (typeof WAYS)[number];
  readonly touched: number;
  /** Transactions of pgbench a second, in turn: alone, and with the feed. Empty where it is not installed. */
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** Touched orgs that the feed read meanwhile, and for how long it was measured. */
  readonly read: number;
  readonly seconds: number;
  /** From an edit of another org to its raise. */
  readonly waits: readonly number[];
}

export async function measureBulkTouch(bed: BenchBed, program: Program, print: Print): Promise<readonly BulkMeasure[]> {
  const { config, engine } = program;
  await removeChangeFeed(engine.cells.get(findDataCenter(config, DATA_CENTER.id).id), engine.clock);
  const pgbench = await findPgbench();
  const traffic = bed.server.url(TRAFFIC);
  const { scale, seconds, turns } = trafficOf(bed.options.runs);
  if (pgbench !== undefined) {
    await recreateDatabase(bed.server.url('postgres'), TRAFFIC);
    await withClient(bed.server.url('postgres'), (client) => client.query(WITHOUT_DISK));
    await initPgbench(pgbench, traffic, scale);
  }
  const measures: BulkMeasure[] = [];
  for (const way of WAYS) {
    const touched = await touchAll(bed, way);
    const measure = { way, touched, alone: [] as number[], beside: [] as number[], waits: [] as number[], read: 0 };
    let waiting: WaitingEdit | undefined;
    const besideFeed = async (run: number): Promise<number | undefined> => {
      const stopping = new AbortController();
      const feeding = Promise.all([
        followUntil(program, stopping.signal),
        editUntil(bed, stopping.signal, { run, waiting, waits: measure.waits }),
      ]);
      const perSecond = await runTraffic(pgbench, traffic, seconds);
      stopping.abort();
      const [read, left] = await feeding;
      measure.read += read;
      waiting = left;
      return perSecond;
    };
    const withoutFeed = async (): Promise<number | undefined> => {
      const perSecond = await runTraffic(pgbench, traffic, seconds);
      await lengthenRests(bed, seconds);
      return perSecond;
    };
    for (let run = 1; run <= bed.options.runs * turns; run += 1) {
      // either goes first in turn: what the one leaves to write is not always the other's
      const first = run % 2 === 0 ? await besideFeed(run) : undefined;
      const alone = await withoutFeed();
      const beside = first ?? (await besideFeed(run));
      if (alone !== undefined && beside !== undefined) {
        measure.alone.push(alone);
        measure.beside.push(beside);
      }
      print(`turn ${run} of ${bed.options.runs * turns}: ${way}, pgbench ${showPair(alone, beside)}`);
    }
    // at least for so long
    if (waiting !== undefined) measure.waits.push(waiting.waitedMs);
    measures.push({ ...measure, seconds: seconds * bed.options.runs * turns });
  }
  return measures;
}

const showPair = (alone: number | undefined, beside: number | undefined): string =>
  alone === undefined || beside === undefined
    ? 'is not installed'
    : `${formatCount(alone)} a second alone, ${formatCount(beside)} beside the feed`;

/** One transaction, as an import or a back-fill of the product: all rows get the same instant. */
async function touchAll(bed: BenchBed, way: BulkMeasure['way']): Promise<number> {
  const touched = Math.min(bed.orgs, MAX_TOUCHED);
  await withClient(bed.server.url(bed.cell), async (client) => {
    await client.query('drop index if exists public.orgs_updated_at_idx');
    await client.query('update public.orgs set updated_at = now() where org_id < $1', [orgId(touched + 1)]);
    if (way === 'with an index') await client.query('create index orgs_updated_at_idx on public.orgs (updated_at)');
    await client.query('vacuum (analyze) public.orgs');
    // the transaction has just been committed
    await client.query(`update credit_rollout.feed set read_from = clock_timestamp() - interval '30 minutes',
      read_past = null, rest_until = null, backlog_rest_until = null, bulk_from = null, bulk_to = null,
      bulk_after = null, bulk_again_from = null`);
  });
  return touched;
}

/** While the feed does not run it does not rest either: what it reads in its turns is what it reads in so much time. */
async function lengthenRests(bed: BenchBed, seconds: number): Promise<void> {
  await withClient(bed.server.url(bed.cell), (client) =>
    client.query(
      `update credit_rollout.feed set rest_until = rest_until + make_interval(secs => $1),
         backlog_rest_until = backlog_rest_until + make_interval(secs => $1)`,
      [seconds],
    ),
  );
}

/** As a worker does; returns how many orgs were read. */
async function followUntil({ worker }: Program, stopping: AbortSignal): Promise<number> {
  let read = 0;
  while (!stopping.aborted) {
    const outcome = await feedChanges(worker, DATA_CENTER.id, { pace: 'rests' });
    read += outcome.read;
    await systemClock.sleep(outcome.pauseMs, stopping);
  }
  return read;
}

/** An edit that waits for its raise, and for how long it has waited beside the feed. */
interface WaitingEdit {
  readonly id: number;
  readonly wanted: string;
  readonly waitedMs: number;
}

/**
 * Edits one org after another, and waits for the raise of each. Returns the edit that waits when it is stopped: it goes
 * on waiting in the next turn.
 */
async function editUntil(
  bed: BenchBed,
  stopping: AbortSignal,
  {
    run,
    waiting,
    waits,
  }: { readonly run: number; readonly waiting: WaitingEdit | undefined; readonly waits: number[] },
): Promise<WaitingEdit | undefined> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    let edit = waiting;
    for (let n = 1; !stopping.aborted; n += 1) {
      edit ??= await editOrg(client, orgId(100 * run + n));
      const { id, wanted, waitedMs } = edit;
      const from = performance.now() - waitedMs;
      const isRaised = async (): Promise<boolean> =>
        (
          await client.query('select from credit_rollout.allotments where org_id = $1 and additional_credits >= $2', [
            id,
            wanted,
          ])
        ).rowCount === 1;
      while (!(await isRaised()) && performance.now() - from < EDIT_LIMIT_MS && !stopping.aborted)
        await systemClock.sleep(100, stopping);
      if (stopping.aborted) return { id, wanted, waitedMs: performance.now() - from };
      waits.push(performance.now() - from);
      edit = undefined;
      await systemClock.sleep(EDIT_MS, stopping);
    }
    return edit;
  });
}

async function editOrg(client: pg.Client, id: number): Promise<WaitingEdit> {
  const { rows } = await client.query<{ readonly wanted: string }>(
    `update public.orgs o set additional_credits = o.additional_credits + 1000, updated_at = now()
     from credit_rollout.allotments a where o.org_id = $1 and a.org_id = o.org_id
     returning a.additional_credits + 1000 as wanted`,
    [id],
  );
  return { id, wanted: rows[0]?.wanted ?? '0', waitedMs: 0 };
}

async function runTraffic(pgbench: string | undefined, url: string, seconds: number): Promise<number | undefined> {
  if (pgbench !== undefined) return runPgbench(pgbench, url, { clients: CLIENTS, seconds });
  await systemClock.sleep(seconds * 1_000);
  return undefined;
}

/** What the feed takes of pgbench's transactions, in percent; undefined: pgbench is not installed. */
export function lossOf({ alone, beside }: BulkMeasure): number | undefined {
  const losses = alone.map((one, index) => 100 * (1 - (beside[index] ?? one) / one));
  return losses.length === 0 ? undefined : findMedian(losses);
}

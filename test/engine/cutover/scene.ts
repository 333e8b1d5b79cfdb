// A whole rollout around a cut-over: product, scheduler and worker, and no substitutes for them.
import { expect } from 'vitest';
import type { RunningProcess } from '../../../jobs/processes/worker.js';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { systemClock } from '../../../src/kernel/clock.js';
import type { Log, LogFields } from '../../../src/kernel/log.js';
import type { TestCell } from '../../support/cell.js';
import { allDone, createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople } from '../../support/person.js';
import { readLag } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { openProduct, type Product } from './sign-ups.js';

export interface SceneOptions {
  /** Of the product. */
  readonly connections?: number;
  /** What the product and our processes connect to instead of the servers' own URLs. */
  readonly through?: (url: string) => string;
  /** Other sections, whole lines of YAML. */
  readonly sections?: string;
}

export interface Scene {
  readonly fleet: Fleet;
  readonly cell: TestCell;
  readonly product: Product;
  readonly scheduler: RunningProcess;
  /** What the scheduler logged. */
  readonly logged: readonly { readonly event: string; readonly fields: LogFields }[];
  /** Rolls the data center out by the scheduler and the worker. */
  rollOut(): Promise<void>;
  /**
   * Two people give it a cut-over, at a whole second at least so many ms ahead; resolves once a scheduler has armed it.
   */
  cutOverIn(ms: number): Promise<Date>;
}

/** Starts a scheduler and a worker over one data center without orgs; `closing` gets what must be closed, in order. */
export async function openScene(closing: (() => Promise<unknown>)[], options: SceneOptions = {}): Promise<Scene> {
  const { connections = 100, through = (url: string) => url, sections = '' } = options;
  const fleet = await createFleet({ cells: [{ orgs: [] }], queue: 'postgres', through, sections });
  closing.push(fleet.drop);
  const cell = fleet.cell(0);
  const product = openProduct(through(cell.url), connections);
  closing.push(product.close);
  await product.prepareConnections();
  const logged: { event: string; fields: LogFields }[] = [];
  fleet.startWorker({ pollMs: 1_000 });
  const scheduler = fleet.startScheduler({ log: remember(logged) });
  return {
    fleet,
    cell,
    product,
    scheduler,
    logged,
    rollOut: async () => {
      await fleet.apply(cell);
      await fleet.waitForStages(allDone);
    },
    cutOverIn: async (ms) => {
      const aheadMs = ms + 20 * (await readLag(cell));
      const instant = new Date(Math.ceil((systemClock.now().getTime() + aheadMs) / 1_000) * 1_000);
      await cutOverAt(fleet, closing, instant);
      return instant;
    },
  };
}

function remember(logged: { event: string; fields: LogFields }[]): Log {
  const note = (event: string, fields: LogFields = {}): void => {
    logged.push({ event, fields });
  };
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
  return log;
}

/** Two people give it a cut-over, at a whole second; resolves once a scheduler has armed it for that instant. */
export async function cutOverAt(fleet: Fleet, closing: (() => Promise<unknown>)[], instant: Date): Promise<void> {
  const crowd = await createPeople(fleet, 'alice', 'bob');
  closing.push(crowd.drop);
  const [author, approver] = crowd.people;
  if (author === undefined || approver === undefined) throw new Error('two people were made');
  const dataCenter = fleet.cell(0).dataCenter.id;
  const to = instant.toISOString().slice(0, 19);
  const { proposalId } = await proposePostponement(author.engine, { dataCenter, to, reason: 'the day has come' });
  await approvePostponement(approver.engine, { kind: 'postponement', dataCenter, proposalId }, null);
  const armed = `select effective_at from credit_rollout.gate where configured_at = $1`;
  const [gate] = await waitFor('the gate to be armed', async () => {
    const found = await fleet.cell(0).sql(armed, [instant]);
    return found.length > 0 && found;
  });
  expect(gate).toEqual({ effective_at: instant });
}

/** When the gate of the cell had it written; waits for the scheduler and the worker. */
export async function waitForGate(fleet: Fleet, column: 'effective_at' | 'latched_at' | 'swept_at'): Promise<Date> {
  return waitFor(
    column,
    async () => {
      const [gate] = await fleet.cell(0).sql('select effective_at, latched_at, swept_at from credit_rollout.gate');
      const at = gate?.[column];
      return at instanceof Date && at;
    },
    { everyMs: 50 },
  );
}

/** How the maintenance runs ended, as control remembers them. */
export const listSweeps = (fleet: Fleet): Promise<readonly Record<string, unknown>[]> =>
  fleet.control(
    `select kind, state, (counts ->> 'healed')::int as healed from credit_rollout_control.runs where kind <> 'migrate' order by run_id`,
  );

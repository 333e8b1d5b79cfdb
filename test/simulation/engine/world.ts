// The world of a schedule: control, two cells, schedulers, workers, the people and the product, on a virtual clock. Its
// processes are the real engine; what it asks of databases is answered by the model.

import type { EngineContext, JobKind } from '../../../src/engine/context.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveMessage, serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { isRolloutError } from '../../../src/kernel/rollout-error.js';
import type { CellDatabase } from '../../../src/stores/cell/cell-database.js';
import { silentLog } from '../../support/silent.js';
import { CellDatabaseFacts, type CellDb, type CellState, emptyCell } from './cell-state.js';
import { type ControlDb, type ControlState, emptyControl } from './control-state.js';
import type { WorldCounts } from './counts.js';
import { Database } from './database.js';
import { Process } from './process.js';
import { sampleOrgs } from './product.js';

export const IDS = ['eu', 'in'] as const;
const START = Date.parse('2026-03-01T12:00:00Z');

/** Everything that is committed somewhere: a schedule can begin with what another one left. */
export interface Beginning {
  readonly nowMs: number;
  /** Every state that was committed, the newest last: an older copy of them may be put back. */
  readonly control: readonly ControlState[];
  readonly cells: readonly (readonly CellState[])[];
}

export interface World {
  readonly clock: { nowMs: number };
  readonly control: ControlDb;
  readonly cells: readonly CellDb[];
  processes: Process[];
  queue: { readonly dataCenter: string; readonly kind: JobKind; readonly epoch: bigint }[];
  /** What must never be, and was. */
  readonly broken: string[];
  /** A copy of control was put back: what it does not know of may still run. */
  isControlRestored: boolean;
  /** Everything works again: time passes for whoever sleeps. */
  isCalm: boolean;
  /** And nothing has moved in the last round. */
  isQuiet: boolean;
  spawned: number;
  /** What came about, and how often. */
  readonly counts: WorldCounts;
}

const firstBeginning = (): Beginning => ({
  nowMs: START,
  control: [emptyControl(IDS, new Date(START))],
  cells: IDS.map(() => [emptyCell(sampleOrgs(), new Date(START))]),
});

/** Its newest state, and those before it. */
const startFrom = <S extends object>(name: string, clock: World['clock'], history: readonly S[] | undefined) => {
  const state = history?.at(-1);
  if (state === undefined) throw new Error(`nothing is committed in ${name}`);
  return new Database<S>(name, clock, state, history);
};

export function createWorld(beginning: Beginning = firstBeginning()): World {
  const clock = { nowMs: beginning.nowMs };
  const cells = IDS.map((id, n) =>
    Object.assign(startFrom(id, clock, beginning.cells[n]), { facts: new CellDatabaseFacts() }),
  );
  const control = startFrom('control', clock, beginning.control);
  const rest = {
    processes: [],
    queue: [],
    broken: [],
    isControlRestored: false,
    isCalm: false,
    isQuiet: false,
    spawned: 0,
  };
  return { clock, control, cells, ...rest, counts: new Map() };
}

export const cellOf = (world: World, id: string): CellDb => {
  const found = world.cells.find(({ name }) => name === id);
  if (found === undefined) throw new Error(`no cell ${id}`);
  return found;
};

/** What the process gets as its first argument everywhere. */
export function contextOf(world: World, process: Process): EngineContext {
  const cells = new Map<string, CellDatabase>(
    world.cells.map((db) => {
      const inTransaction = (role: string, work: (tx: never) => Promise<never>): Promise<never> =>
        db.inTransaction(process, role === 'worker' ? 'slow' : 'quick', work as never);
      return [db.name, { dataCenter: db.name, inTransaction } as unknown as CellDatabase];
    }),
  );
  const warn = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (event === 'step_failed' && fields.code === 'other')
      world.broken.push(`a step failed: ${JSON.stringify(fields)}`);
  };
  return {
    control: {
      inTransaction: (work) => world.control.inTransaction(process, 'quick', work as never),
      close: async () => undefined,
    },
    cells: { get: (id) => cells.get(id) as CellDatabase },
    wakeUps: {
      request: async (dataCenter, kind, epoch) => void world.queue.push({ dataCenter, kind, epoch }),
      enqueue: async (dataCenter, kinds, epoch) =>
        void world.queue.push(...kinds.map((kind) => ({ dataCenter, kind, epoch }))),
      wakeSchedulers: async () => undefined,
      deleteQueue: async () => undefined,
    },
    clock: {
      now: () => new Date(world.clock.nowMs),
      sleep: async (ms, signal) => {
        // a limit of time: nothing is too slow here
        if (signal !== undefined) return new Promise(() => undefined);
        if (!world.isCalm) return process.turn('sleep');
        world.clock.nowMs += ms;
      },
    },
    log: { ...silentLog, warn },
    actor: 'ana',
  };
}

/** Of a database, a network or a refusal; anything else is a bug. */
function expectFailure(world: World, error: unknown): void {
  const code = (error as { readonly code?: unknown }).code;
  if (isRolloutError(error) || typeof code === 'string') return;
  world.broken.push(`bug: ${error instanceof Error ? (error.stack ?? error.message).slice(0, 600) : String(error)}`);
}

/** What the fences have seen when it begins to look: what it does from then on must know of it. */
function look(world: World, process: Process): void {
  process.seen = new Map(world.cells.map(({ name, server, state }) => [name, { server, epoch: state.fence.epoch }]));
}

/** Starts a process that begins with its first turn. */
export function spawn(world: World, kind: Process['kind'], work: (process: Process) => Promise<unknown>): Process {
  world.spawned += 1;
  const process = new Process(`${kind} ${world.spawned}`, kind);
  world.processes.push(process);
  process
    .turn('begin')
    .then(() => {
      look(world, process);
      return work(process);
    })
    .catch((error: unknown) => expectFailure(world, error))
    .finally(() => {
      world.processes = world.processes.filter((other) => other !== process);
    });
  return process;
}

const AUDIT_EVERY = 2;

export const spawnScheduler = (world: World): Process =>
  spawn(world, 'scheduler', async (process) => {
    const context = contextOf(world, process);
    for (let round = 0; !process.isKilled; round += 1) {
      await process.turn('poll');
      look(world, process);
      try {
        if (world.isCalm ? world.isQuiet : round % AUDIT_EVERY === 0) await auditCells(context);
        await tick(context);
      } catch (error) {
        expectFailure(world, error);
      }
    }
  });

export const spawnWorker = (world: World): Process =>
  spawn(world, 'worker', async (process) => {
    const context = contextOf(world, process);
    for (let round = 0; !process.isKilled; round += 1) {
      await process.turn('poll');
      const message = round % 3 === 0 ? world.queue.shift() : undefined;
      try {
        if (message !== undefined) await serveMessage(context, message);
        else await serveOpenWork(context, IDS[round % IDS.length] ?? IDS[0]);
      } catch (error) {
        expectFailure(world, error);
      }
    }
  });

/** Its backends notice: what it had sent to be committed is committed, or not. */
export function kill(world: World, process: Process, how: 'commit' | 'rollback'): void {
  process.kill();
  for (const db of [world.control, ...world.cells]) db.endTransactionsOf(process, how);
  world.processes = world.processes.filter((other) => other !== process);
}

// Everything that writes in a cell, or lets somebody write there, by itself: it goes through in its own state of the
// fence, and not where one thing of that state is other, a freeze before all.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSERTED_COLUMNS } from '../../../src/stores/cell/batch/credit-terms.js';
import { findOpenRun, findVerifyingRun } from '../../../src/stores/cell/batch/open-run.js';
import type { CellTransaction } from '../../../src/stores/cell/cell-database.js';
import { readFeed } from '../../../src/stores/cell/feed/feed.js';
import { execute } from '../../../src/stores/query.js';
import { applyAll, createTestCell, type TestCell } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';

const MIGRATE = 1;
const NIGHT = 2;
const UNDO = 3;
const SWEEP = 4;
let cell: TestCell;

interface State {
  readonly fence: 'open' | 'verifying' | 'closed';
  readonly run: number;
  readonly runState: 'open' | 'done';
  readonly singleWrites: boolean;
  readonly frozen: boolean;
  readonly armed: boolean;
  readonly timeline: 'ours' | 'older';
  readonly server: 'ours' | 'restarted';
  readonly epoch: number;
}
const CLOSED: State = {
  ...{ fence: 'closed', run: MIGRATE, runState: 'done', singleWrites: false, frozen: false, armed: false },
  ...{ timeline: 'ours', server: 'ours', epoch: 5 },
};
const OPEN: State = { ...CLOSED, fence: 'open', runState: 'open' };
const FEEDING: State = { ...CLOSED, singleWrites: true };

async function enter(state: State): Promise<void> {
  await cell.rewritePast(`
    delete from credit_rollout.freezes;
    ${state.frozen ? `insert into credit_rollout.freezes (frozen_by, reason) values ('a test', 'a test');` : ''}
    update credit_rollout.runs set state = 'done', ended_at = now();
    update credit_rollout.runs set state = '${state.runState}', ended_at = case '${state.runState}' when 'done' then now() end
      where run_id = ${state.run};
    update credit_rollout.gate set configured_at = ${state.armed ? `'2098-01-01'` : 'null'},
      armed_at = ${state.armed ? 'now()' : 'null'}, effective_at = ${state.armed ? `'2098-01-01'` : 'null'};
    update credit_rollout.fence set state = '${state.fence}', run_id = ${state.run}, epoch = ${state.epoch}, failure = null,
      single_writes = ${state.singleWrites},
      timeline = ${state.timeline === 'ours' ? 'left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)' : `'00000000'`},
      server_started_at = pg_postmaster_start_time() - interval '${state.server === 'ours' ? 0 : 1} hour'`);
}

const as = <T>(role: 'worker' | 'fencer', act: (tx: CellTransaction) => Promise<T>): Promise<T> =>
  cell.cell.inTransaction(role, act);
const asks = async (sql: string): Promise<boolean> => (await cell.sql(`select (${sql}) as passes`))[0]?.passes === true;
/** Refused with this, and not for a reason that comes after it. */
const refusedBy = (constraint: string, act: Promise<unknown>): Promise<boolean> =>
  act.then(
    () => true,
    (error: { readonly constraint?: string; readonly cause?: { readonly constraint?: string } }) =>
      (error.constraint ?? error.cause?.constraint) !== constraint,
  );
const write = (verb: string) => () =>
  refusedBy(
    'allotments_need_open_work',
    as('worker', (tx) => execute(tx, verb)),
  );
const INSERT = `insert into credit_rollout.allotments (${INSERTED_COLUMNS})
  select ${INSERTED_COLUMNS} from credit_rollout.allotments where false`;
const UPDATE = 'update credit_rollout.allotments set computed_at = computed_at where false';

const FROZEN = { frozen: true } as const;
const CLOSES = { fence: 'closed' } as const;
const OVER = { runState: 'done' } as const;
const FAILED_OVER = { timeline: 'older' } as const;
const ANOTHER = { epoch: 6 } as const;

/** What passes in its state; each of the others differs from it in one thing, and nothing passes. */
const DOORS: Readonly<
  Record<
    string,
    { readonly passes: () => Promise<boolean>; readonly in: State; readonly not: readonly Partial<State>[] }
  >
> = {
  'a batch': {
    passes: () => as('worker', async (tx) => (await findOpenRun(tx, 5n)) !== undefined),
    in: OPEN,
    not: [FROZEN, CLOSES, { fence: 'verifying' }, OVER, FAILED_OVER, { server: 'restarted' }, ANOTHER],
  },
  'a verification': {
    passes: () => as('worker', async (tx) => (await findVerifyingRun(tx, 5n)) !== undefined),
    in: { ...OPEN, fence: 'verifying' },
    not: [FROZEN, CLOSES, { fence: 'open' }, FAILED_OVER, { server: 'restarted' }, ANOTHER],
  },
  'the change feed': {
    passes: () => as('worker', async (tx) => (await readFeed(tx)).open),
    in: FEEDING,
    not: [FROZEN, { fence: 'open' }, { fence: 'verifying' }, { singleWrites: false }, FAILED_OVER],
  },
  'the writing of sign-ups': {
    passes: () => asks('credit_rollout.single_writes_open()'),
    in: FEEDING,
    not: [FROZEN, { fence: 'open' }, { fence: 'verifying' }, { singleWrites: false }, FAILED_OVER],
  },
  'a retirement of a night': {
    passes: () => asks('credit_rollout.repairs_open((select f.run_id from credit_rollout.fence f), true)'),
    in: { ...OPEN, run: NIGHT },
    not: [FROZEN, CLOSES, { fence: 'verifying' }, OVER, { run: MIGRATE }, { run: SWEEP }, { run: UNDO }],
  },
  'an undo': {
    passes: () => asks(`credit_rollout.undo_open(${UNDO}) is not null`),
    in: { ...OPEN, run: UNDO },
    not: [FROZEN, CLOSES, { fence: 'verifying' }, OVER, { run: NIGHT }, { armed: true }],
  },
  'an override': {
    passes: async () => {
      const seal = await sealInCell(cell.cell, 'override', { number: 1, digest: 'x', author: 'a', approver: 'b' });
      return refusedBy('overrides_need_rest', cell.sql('select credit_rollout.begin_override($1::jsonb)', [seal]));
    },
    in: CLOSED,
    not: [FROZEN, { fence: 'open' }, { fence: 'verifying' }, { runState: 'open' }],
  },
  'a repair by hand': {
    passes: () => refusedBy('repairs_need_rest', cell.sql('select credit_rollout.apply_repair(1, null)')),
    in: CLOSED,
    not: [FROZEN, { fence: 'open' }, { fence: 'verifying' }, { runState: 'open' }],
  },
  'an insert of a worker': {
    passes: write(INSERT),
    in: OPEN,
    not: [FROZEN, CLOSES, { fence: 'verifying' }, OVER, FEEDING],
  },
  'an update of a worker': {
    passes: write(UPDATE),
    in: FEEDING,
    not: [FROZEN, { singleWrites: false }, { singleWrites: false, runState: 'open' }],
  },
  'a fence that opens': {
    passes: () =>
      as('fencer', (tx) => execute(tx, `update credit_rollout.fence set state = 'open', epoch = epoch + 1`)).then(
        () => true,
        () => false,
      ),
    in: { ...CLOSED, runState: 'open' },
    not: [FROZEN],
  },
  'single writes that are allowed': {
    passes: () =>
      as('fencer', (tx) => execute(tx, 'update credit_rollout.fence set single_writes = true')).then(
        () => true,
        () => false,
      ),
    in: CLOSED,
    not: [FROZEN],
  },
};

beforeAll(async () => {
  cell = await createTestCell({ orgs: [{}] });
  const { runId } = await applyAll(cell);
  expect(runId).toBe(BigInt(MIGRATE));
  for (const [run, kind] of [
    [NIGHT, 'reconcile'],
    [UNDO, 'undo'],
    [SWEEP, 'sweep'],
  ] as const)
    await cell.rewritePast(`insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, cut_at, undoes)
      select ${run}, '${kind}', r.card_hash, 10, 1, now(), ${kind === 'undo' ? MIGRATE : 'null'} from credit_rollout.runs r
      where r.run_id = ${MIGRATE}`);
});
afterAll(() => cell.drop());

describe.each(Object.entries(DOORS))('%s', (_name, { passes, in: good, not }) => {
  test('passes in its state, and where one thing of it is other it does not', async () => {
    await enter(good);
    expect(await passes()).toBe(true);
    const passed: unknown[] = [];
    for (const other of not) {
      await enter({ ...good, ...other });
      if (await passes()) passed.push(other);
    }
    expect(passed).toEqual([]);
  });
});

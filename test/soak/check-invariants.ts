// Asks for every invariant, again and again. What one statement in one cell sees is of one moment, and a row of it is a
// violation at once. What may be broken while something is under way, or is read from two databases one after the
// other, is one when the same rows are still there after three questions over some time.
import { systemClock } from '../../src/kernel/clock.js';
import { CELL_FACTS, CELL_INVARIANTS, CONTROL_INVARIANTS, GIVEN_FACTS, type Sql } from '../support/invariants.js';
import { type Invariant, WITHIN } from '../support/invariants-of-orgs.js';
import {
  LIST_TABLES,
  traceSql,
  WATCHED_CELL,
  WATCHED_CELL_AT_REST,
  WATCHED_CONTROL,
} from '../support/invariants-watched.js';
import { FIRST_ORG, type World } from './world.js';

/** I1 with life going on: an org that came later, or came back, belongs to the sweep and to nights. */
const FINISHED_RANGES: Invariant = {
  id: 'I1',
  holds: 'every org that was there before a run has an allotment in its finished ranges, or is quarantined or stale',
  sql: `select b.run_id, b.batch_no, s.org_id from credit_rollout.batches b
    join credit_rollout.runs r on r.run_id = b.run_id
    join credit_rollout.source_orgs s on ${WITHIN('s.org_id')}
      and greatest(s.created_at, s.updated_at) < r.opened_at - interval '5 minutes'
    where b.state = 'done' and b.kind = 'range' and r.kind = 'migrate'
      and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and not exists (select from credit_rollout.runs u where u.kind = 'undo' and u.run_id > b.run_id)
      and not exists (select from credit_rollout.stale_orgs z where z.run_id = b.run_id and z.org_id = s.org_id)
      and not exists (select from credit_rollout.quarantine q where q.org_id = s.org_id)`,
};

/** After a failover until a scheduler has seen it; while an undo ends; while a copy of a cell is caught up with. */
const SETTLES = ['I1', 'I8', 'I13'];
const ALWAYS = [...CELL_INVARIANTS.filter(({ id }) => !SETTLES.includes(id)), ...WATCHED_CELL];
const SETTLED = [FINISHED_RANGES, ...CELL_INVARIANTS.filter(({ id }) => id !== 'I1' && SETTLES.includes(id))];

export interface Violation {
  readonly id: string;
  readonly where: string;
  readonly holds: string;
  readonly rows: readonly unknown[];
}

export interface Checker {
  /** How often all were asked, and how often one could not be, since its database was down. */
  readonly asked: () => { readonly rounds: number; readonly unanswered: number };
  /**
   * `moving`: life and faults go on. `rest`: nothing is under way any more. `at_once`: only what one statement sees,
   * without waiting for anything to settle.
   */
  check(state: 'at_once' | 'moving' | 'rest'): Promise<readonly Violation[]>;
}

const AGAIN = 3;
const AGAIN_AFTER_MS = { moving: 15_000, rest: 2_000 } as const;

export function createChecker(world: World): Checker {
  const { fleet } = world;
  const counts = { rounds: 0, unanswered: 0 };
  const ask = async (sql: Sql, text: string, params?: readonly unknown[]): Promise<readonly unknown[]> =>
    sql(text, params).catch((error: unknown) => {
      if (!isAway(error)) throw new Error(`an invariant could not be asked: ${text.slice(0, 200)}`, { cause: error });
      counts.unanswered += 1;
      return [];
    });
  const askSettled = async (
    state: 'moving' | 'rest',
    once: () => Promise<readonly Violation[]>,
  ): Promise<readonly Violation[]> => {
    let found = await once();
    for (let time = 1; time < AGAIN && found.length > 0; time += 1) {
      await systemClock.sleep(AGAIN_AFTER_MS[state]);
      found = intersect(found, await once());
    }
    return found;
  };
  const inCells = async (invariants: readonly Invariant[]): Promise<readonly Violation[]> => {
    const found: Violation[] = [];
    for (const { dataCenter, sql } of fleet.cells)
      for (const { id, holds, sql: text } of invariants) {
        const rows = await ask(sql, text);
        if (rows.length > 0) found.push({ id, where: dataCenter.id, holds, rows });
      }
    return found;
  };
  const inControl = async (): Promise<readonly Violation[]> => {
    const facts: unknown[] = [];
    for (const { dataCenter, sql } of fleet.cells) {
      const [row] = await ask(sql, CELL_FACTS, [dataCenter.id]);
      if (row === undefined) return [];
      facts.push((row as { readonly facts: unknown }).facts);
    }
    const found: Violation[] = [];
    for (const { id, holds, sql: text } of [...CONTROL_INVARIANTS, ...WATCHED_CONTROL]) {
      const rows = await ask(fleet.control, `${GIVEN_FACTS}${text}`, [JSON.stringify(facts)]);
      if (rows.length > 0) found.push({ id, where: 'control', holds, rows });
    }
    return found;
  };
  const traces = async (): Promise<readonly Violation[]> => {
    const trace = String(FIRST_ORG).slice(0, 6);
    const listed = (await ask(fleet.control, LIST_TABLES)) as readonly { readonly name: string }[];
    const rows =
      listed.length === 0
        ? []
        : await ask(
            fleet.control,
            traceSql(
              listed.map(({ name }) => name),
              trace,
            ),
          );
    return rows.length === 0 ? [] : [{ id: 'I15', where: 'control', holds: 'no id of an org is in control', rows }];
  };
  return {
    asked: () => counts,
    check: async (state) => {
      counts.rounds += 1;
      const found = [...(await inCells(ALWAYS)), ...(await traces())];
      if (state === 'at_once') return found;
      found.push(...(await askSettled(state, () => inCells(SETTLED))));
      found.push(...(await askSettled(state, inControl)));
      if (state === 'rest') found.push(...(await askSettled(state, () => inCells(WATCHED_CELL_AT_REST))));
      return found;
    },
  };
}

function intersect(before: readonly Violation[], after: readonly Violation[]): readonly Violation[] {
  return after.flatMap((one) => {
    const known = before.find(({ id, where, holds }) => id === one.id && where === one.where && holds === one.holds);
    const seen = new Set(known?.rows.map((row) => JSON.stringify(row)));
    const rows = one.rows.filter((row) => seen.has(JSON.stringify(row)));
    return rows.length === 0 ? [] : [{ ...one, rows }];
  });
}

/** A server that is down, starts, is full, or whose connection was cut: anything but an answer to the question. */
function isAway(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^(?:08|57P0|57014|53|25006|XX|40)/u.test(code) || /^(?:ECONN|EPIPE|ETIMEDOUT|ENOENT|EAI)/u.test(code))
    return true;
  return error instanceof Error && /terminat|ended|timeout|closed/iu.test(error.message) && code === '';
}

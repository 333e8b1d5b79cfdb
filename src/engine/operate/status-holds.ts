// The holds that `status` shows, with since when: those that were decided, that no scheduler can take a step, and that
// schedulers cannot reach a cell that this command reaches; and how long a rollout was held.
import { needsScheduler } from '../../domain/rollout/data-center-state.js';
import { byCommand, createHold, type Hold } from '../../domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import type { ControlFacts } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { type HoldRow, listHolds } from '../../stores/control/holds.js';
import type { ControlRun } from '../../stores/control/runs.js';
import type { Schedulers } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';
import { readSplitDuration, type SplitDuration } from '../hold-durations.js';

export interface StatusHold extends Hold {
  readonly since: Date;
}

/** No scheduler can take a step: none runs, or what it would write is not accepted. */
export function schedulerHold(
  dc: DataCenterSnapshot,
  { alive, lastSeenAt, readOnly }: Schedulers & Pick<ControlFacts, 'readOnly'>,
  now: Date,
): readonly StatusHold[] {
  if (!needsScheduler(dc)) return [];
  if (readOnly) return [{ ...createHold('read_only', byCommand('doctor'), 'control'), since: lastSeenAt ?? now }];
  return alive === 0 ? [{ ...createHold('no_scheduler', byCommand('up'), '0', '1'), since: lastSeenAt ?? now }] : [];
}

/** The holds that were decided, and what only schedulers meet. */
export async function loadStatusHolds(
  { control }: Pick<EngineContext, 'control'>,
  dc: Pick<DataCenterSnapshot, 'id' | 'cell'>,
  now: Date,
  decided: readonly Hold[],
): Promise<readonly StatusHold[]> {
  const recorded = await control.inTransaction((tx) => listHolds(tx, dc.id));
  return [...addSince(decided, recorded, now), ...unreachableForSchedulers(dc, recorded)];
}

/** A hold that the scheduler has recorded keeps its `since`; a new one begins now. */
const addSince = (holds: readonly Hold[], recorded: readonly HoldRow[], now: Date): readonly StatusHold[] =>
  holds.map((hold) => ({ ...hold, since: recorded.find(({ code }) => code === hold.code)?.since ?? now }));

/** They have a configuration and connections of their own: this command may reach a cell that they do not. */
function unreachableForSchedulers(
  { cell }: Pick<DataCenterSnapshot, 'cell'>,
  recorded: readonly HoldRow[],
): readonly StatusHold[] {
  const theirs = recorded.find(({ code }) => code === 'cell_unreachable');
  if (theirs === undefined || cell?.kind !== 'read') return [];
  const release = {
    ...byCommand('doctor'),
    after: '; this command reaches it, so look at the configuration of the schedulers, and start them again',
  };
  const met = createHold('cell_unreachable', release, `for schedulers: ${theirs.value ?? 'no answer'}`);
  return [{ ...met, needsPerson: true, since: theirs.since }];
}

/** Of the rollout that is requested or under way, else of the newest. */
export async function readRolloutDuration(
  { control }: Pick<EngineContext, 'control'>,
  { id, requestedAt }: Pick<DataCenterRow, 'id' | 'requestedAt'>,
  lastRun: ControlRun | null,
  now: Date,
): Promise<SplitDuration | null> {
  const from = requestedAt ?? lastRun?.requestedAt ?? null;
  if (from === null) return null;
  const to = requestedAt === null ? (lastRun?.endedAt ?? now) : now;
  return control.inTransaction((tx) => readSplitDuration(tx, id, { from, to, newest: true }));
}

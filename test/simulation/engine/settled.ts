// What must hold once everything works again and nothing moves any more: what is pending is done, or a hold names why.
import { RESTING_STAGES } from '../../../src/domain/rollout/stage.js';
import type { DataCenterRow } from '../../../src/stores/control/data-centers.js';
import type { CellDb } from './cell-state.js';
import type { Memory } from './watch.js';
import { cellOf, type World } from './world.js';

/** No answer to why it stands still where everything works. */
const EMPTY_REASONS: readonly string[] = ['stalled', 'no_worker', 'cell_unreachable', 'throttled', 'no_data'];

export function listUnsettled(world: World, memory: Memory): readonly string[] {
  return world.control.state.dataCenters.flatMap((row) => {
    const cell = cellOf(world, row.id);
    // the auditor compares what is at rest: a night or sweep that a pause holds ends first
    const unproven = isMaintained(world, row) ? [] : listUnproven(row, cell, memory);
    const found = [...listUnfinished(world, row), ...unproven, ...listLeftOpen(row, cell)];
    return found.map((what) => `${row.id}, ${row.stage}: ${what}`);
  });
}

/** From here on: whatever is under way goes on, or a hold names why not. What is returned names what does not. */
export function watchProgress(world: World): () => readonly string[] {
  const look = (row: DataCenterRow): readonly unknown[] => {
    const { fence, runs, batches, plans, planRequests, gate, drift } = cellOf(world, row.id).state;
    return [row, fence, runs, batches, plans, planRequests, gate, drift];
  };
  const before = new Map(world.control.state.dataCenters.map((row) => [row.id, look(row)]));
  return () =>
    world.control.state.dataCenters.flatMap((row) => {
      const moved = look(row).some((one, n) => one !== before.get(row.id)?.[n]);
      return moved ? [] : listUnfinished(world, row).map((what) => `${row.id}, ${row.stage}: ${what}`);
    });
}

const isMaintained = ({ control: { state } }: World, { id }: DataCenterRow): boolean =>
  state.runs.some((run) => run.dataCenter === id && run.state === 'open');

function listUnfinished(world: World, row: DataCenterRow): readonly string[] {
  const { state } = world.control;
  const codes = (state.holds.get(row.id) ?? []).map(({ code }) => code);
  const isUnderWay = row.requestedAt !== null || !RESTING_STAGES.includes(row.stage) || isMaintained(world, row);
  const empty = codes.filter((code) => EMPTY_REASONS.includes(code));
  return [
    ...(isUnderWay && codes.length === 0 ? ['it is under way, and nothing says why it stands still'] : []),
    ...empty.map((code) => `it is held by ${code} where everything works`),
  ];
}

function listUnproven(
  { stage, runId, epoch, requestedAt }: DataCenterRow,
  { state, timeline }: CellDb,
  memory: Memory,
): readonly string[] {
  if ((stage !== 'done' && stage !== 'baking') || requestedAt !== null) return [];
  const batches = state.batches.filter((batch) => batch.runId === runId);
  const proven = batches.length > 0 && batches.every((one) => one.state === 'done' && one.verifiedAt !== null);
  return [
    ...(proven && memory.verified.size > 0 ? [] : ['done, and not all of it is verified']),
    ...(epoch !== null && state.fence.epoch < epoch ? ['its fence has an older epoch than control'] : []),
    ...(state.fence.timeline === timeline ? [] : ['its fence is of another timeline']),
  ];
}

function listLeftOpen(row: DataCenterRow, { state }: CellDb): readonly string[] {
  const open = state.runs.filter((run) => run.state === 'open' && run.runId !== row.runId);
  const left = RESTING_STAGES.includes(row.stage) && row.requestedAt === null && state.fence.state !== 'closed';
  return [
    ...(left && open.length === 0 ? ['nothing is under way, and its fence is open'] : []),
    ...(open.length > 1 ? ['two runs are left open'] : []),
  ];
}

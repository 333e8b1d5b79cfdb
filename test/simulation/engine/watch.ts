// What must hold after every commit, judged by what is committed and by what was committed ever: never by what the
// model lets through.
import { SLOT_STAGES } from '../../../src/domain/rollout/stage.js';
import type { DataCenterRow } from '../../../src/stores/control/data-centers.js';
import type { CellDb, CellState } from './cell-state.js';
import type { ControlState } from './control-state.js';
import { addCount, countCell, countControl } from './counts.js';
import type { Process } from './process.js';
import { watchAllotments } from './watch-allotments.js';
import { watchGate } from './watch-gate.js';
import { IDS, type World } from './world.js';

/** What is remembered whatever databases lose. */
export interface Memory {
  /** The newest epoch at which control has said that the fence is closed. */
  readonly closedAt: Map<string, bigint>;
  /** Data center, number and digest of each plan that was approved by two people or by its guard-rails. */
  readonly approved: Set<string>;
  /** Data center and run, once all of it was verified behind a closed fence. */
  readonly verified: Set<string>;
}

export type Say = (what: string) => void;

export function watchWorld(world: World): Memory {
  const memory: Memory = { closedAt: new Map(), approved: new Set(), verified: new Set() };
  const say: Say = (what) => void world.broken.push(what);
  for (const cell of world.cells) {
    noteVerified(memory, cell.name, cell.state);
    cell.onCommit = (before, after) => {
      noteVerified(memory, cell.name, after);
      countCell(world.counts, before, after);
      watchCell(world, cell, { before, after }, memory, (what) => say(`${cell.name}: ${what}`));
    };
  }
  noteApprovals(memory, world.control.state);
  world.control.onCommit = (before, after, { process }) => {
    countControl(world.counts, before, after);
    watchControl(world, before, after, memory, say);
    watchEpochs(world, before, after, process, say);
  };
  for (const db of [world.control, ...world.cells]) db.onCount = (what) => addCount(world.counts, what);
  return memory;
}

function noteApprovals(memory: Memory, { approvals }: ControlState): void {
  for (const { dataCenter, planId, digest, kind, author, approver } of approvals)
    if (kind === 'guard_rails' || approver !== author)
      memory.approved.add(`${dataCenter} ${/\d+$/u.exec(planId)?.[0]} ${digest}`);
}

function noteVerified(memory: Memory, id: string, { fence, runs, batches }: CellState): void {
  if (fence.state !== 'closed') return;
  for (const { runId, kind } of runs) {
    const ours = kind === 'migrate' ? batches.filter((batch) => batch.runId === runId) : [];
    if (ours.length > 0 && ours.every(({ state, verifiedAt }) => state === 'done' && verifiedAt !== null))
      memory.verified.add(`${id} ${runId}`);
  }
}

function watchControl(world: World, before: ControlState, after: ControlState, memory: Memory, say: Say): void {
  if (after.epoch < before.epoch) say('the epoch of control went back');
  if (before.approvals !== after.approvals) noteApprovals(memory, after);
  if (before.dataCenters === after.dataCenters) return;
  if (after.dataCenters.filter(({ stage }) => SLOT_STAGES.includes(stage)).length > 1)
    say('two data centers are in the rollout slot');
  for (const row of after.dataCenters) {
    const old = before.dataCenters.find(({ id }) => id === row.id);
    if (old === undefined || old.version === row.version) continue;
    if (row.fenceConfirmedClosed && row.epoch !== null && !(old.fenceConfirmedClosed && old.epoch === row.epoch))
      memory.closedAt.set(row.id, row.epoch);
    if (!world.isControlRestored) watchLate(world, old, row, say);
    if (old.stage === row.stage) continue;
    if (row.stage === 'baking' && !memory.verified.has(`${row.id} ${row.runId}`))
      say(`${row.id}: baking, and its run was never verified behind a closed fence`);
    if (row.stage === 'baking' && isOpenFor(world, row.id, row.runId)) say(`${row.id}: baking, and its fence is open`);
  }
}

/** What only somebody does who has decided on an older row. */
function watchLate(world: World, old: DataCenterRow, row: DataCenterRow, say: Say): void {
  const isConfirmed = row.fenceConfirmedClosed && !(old.fenceConfirmedClosed && old.epoch === row.epoch);
  const cell = find(world, row.id);
  if (isConfirmed && cell !== undefined && isOpen(cell)) say(`${row.id}: control says closed, and its fence is open`);
  if (old.stage === row.stage) return;
  const begins = row.runId !== old.runId;
  if (row.stage === 'canary' && begins && old.requestedAt === null) say(`${row.id}: begun, and nobody asks for it`);
  // what was aborted may be undone
  if (begins && (old.intent === 'pause' || (old.intent === 'abort' && row.stage === 'canary')))
    say(`${row.id}: begun, and its operator wants ${old.intent}`);
  // a broken rule, and a cell that is not what it was, come before what anybody wants
  const goesOn = row.stage !== 'failed' && row.stage !== 'pending' && row.intent === old.intent;
  if (goesOn && old.intent === 'pause') say(`${row.id}: ${row.stage}, and its operator wants a pause`);
  if (goesOn && old.intent === 'abort' && row.stage !== 'aborted')
    say(`${row.id}: ${row.stage}, and its operator wants an abort`);
}

/** Whoever takes an epoch for a cell has looked at the cell: it is above all that the cell had seen by then. */
function watchEpochs(world: World, before: ControlState, after: ControlState, { seen }: Process, say: Say): void {
  if (after.epoch === before.epoch) return;
  const watch = (id: string, epoch: bigint): void => {
    const known = seen.get(id);
    // what a failover or an older copy has taken away since is not asked for
    if (known !== undefined && known.server === find(world, id)?.server && known.epoch >= epoch)
      say(`${id}: the epoch ${epoch} was taken, and its cell had seen ${known.epoch}`);
  };
  for (const { id, epoch } of after.dataCenters) {
    const old = before.dataCenters.find((row) => row.id === id)?.epoch;
    if (epoch !== null && epoch !== old) watch(id, epoch);
  }
  for (const { runId, dataCenter, epoch } of after.runs) {
    const old = before.runs.find((run) => run.runId === runId)?.epoch;
    if (epoch !== old) watch(dataCenter, epoch);
  }
}

const find = (world: World, id: string): CellDb | undefined => world.cells.find(({ name }) => name === id);

function isOpenFor(world: World, id: string, runId: bigint | null): boolean {
  const cell = find(world, id);
  return cell !== undefined && isOpen(cell) && cell.state.fence.runId === runId;
}

/** Workers may write under it now. */
const isOpen = ({ state: { fence, freeze }, timeline, server }: CellDb): boolean =>
  fence.state === 'open' && freeze === null && fence.timeline === timeline && fence.server === server;

interface Commit {
  readonly before: CellState;
  readonly after: CellState;
}

function watchCell(world: World, cell: CellDb, { before, after }: Commit, memory: Memory, say: Say): void {
  // where control was put back as well, nobody knows any more which epochs were used
  if (world.isControlRestored && cell.facts.wentBack) {
    memory.closedAt.delete(cell.name);
    cell.facts.wentBack = false;
  }
  if (after.fence.epoch < before.fence.epoch) say('the epoch of the fence went back');
  const reopened = before.fence.state === 'closed' && after.fence.state !== 'closed';
  if (reopened && after.fence.epoch <= before.fence.epoch) say('the fence was opened again under an old epoch');
  if (after.fence.singleWrites && after.fence.state !== 'closed') say('single writes beside an open fence');
  // sign-ups are the product's, and go on
  const isOurs = after.changes.slice(before.changes.length).some(({ cause }) => cause !== 'sign-up');
  const changed = isOurs || before.batches.some((batch, n) => batch !== after.batches[n]);
  if (before.freeze?.acknowledgedAt != null && after.freeze !== null && changed) say('written in a frozen cell');
  if (before.allotments !== after.allotments || before.batches !== after.batches)
    watchAllotments(cell, before, after, memory, say);
  if (before.changes !== after.changes && isRollout(after) && !world.isControlRestored)
    for (const id of IDS)
      if (id !== cell.name && isRolloutOpen(find(world, id))) say(`written while ${id} is rolled out`);
  watchGate(world, cell, before, after, say);
}

const isRollout = ({ changes, runs }: CellState): boolean => {
  const runId = changes.at(-1)?.runId ?? null;
  return runs.some((run) => run.runId === runId && (run.kind === 'migrate' || run.kind === 'undo'));
};

const isRolloutOpen = (cell: CellDb | undefined): boolean => {
  const run = cell?.state.runs.find(({ runId }) => runId === cell.state.fence.runId);
  return cell !== undefined && isOpen(cell) && run?.state === 'open' && (run.kind === 'migrate' || run.kind === 'undo');
};

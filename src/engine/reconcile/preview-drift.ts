// The dry run of a reconciliation: the same search as in a nightly run, in one snapshot, as `planner` in a READ ONLY
// transaction. Stores nothing.
import { type Caps, decideCaps, type FallCounts } from '../../domain/reconcile/decide-caps.js';
import type { DecidedDrift } from '../../domain/reconcile/decide-drift.js';
import type { DriftCount } from '../../domain/reconcile/drift-counts.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { findNewestRun } from '../../stores/cell/batch/quarantine.js';
import { findRangeEnd } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { rejectChangedSource } from '../../stores/cell/identity.js';
import { startPlanning } from '../../stores/cell/plan/planning.js';
import { type Comparison, compareRangeWithSource, readComparison } from '../../stores/cell/reconcile/drift.js';
import { readCandidates } from '../../stores/cell/reconcile/drift-candidates.js';
import type { FoundDrift } from '../../stores/cell/reconcile/drift-writes.js';
import { listWaitingFloors, type WaitingFloor } from '../../stores/cell/reconcile/drift-writes.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { isRowFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { toDrift } from './detect-drift.js';

export interface PreviewQuestion {
  readonly dataCenter: string;
  readonly caps: Caps;
  /** How many orgs are listed. */
  readonly limit: number;
}

export interface PreviewedOrg
  extends Pick<FoundDrift, 'orgId' | 'cause' | 'movement' | 'beforeTotal' | 'afterTotal' | 'proposedFloor'> {
  readonly outcome: 'to_heal' | 'proposed';
}

export interface DriftPreview {
  readonly dataCenter: string;
  readonly snapshotAt: Date;
  readonly orgs: number;
  readonly allotments: number;
  /** Orgs that cannot be decided; they keep what they have. */
  readonly undecidable: number;
  /** `to_heal`: a reconciliation now would write them. */
  readonly counts: readonly DriftCount[];
  /** A sentence for each limit of a nightly run that would be exceeded. */
  readonly reasons: readonly string[];
  /** Org data: only for the person who asks. */
  readonly listed: readonly PreviewedOrg[];
  /** Floors that nightly runs proposed and nobody has decided; at most as many as were asked for. */
  readonly waiting: readonly WaitingFloor[];
}

const RANGE = 40_000;
const CANDIDATES = 1_000;
const STATEMENT_MS = 30_000;

/**
 * What a reconciliation would do now; `onProgress` gets the orgs read so far. Throws wrong_stage where nothing was
 * rolled out.
 */
export async function previewDrift(
  context: Pick<EngineContext, 'cells'>,
  question: PreviewQuestion,
  onProgress: (orgs: number) => void = () => undefined,
): Promise<DriftPreview> {
  const { dataCenter } = question;
  const read = (mode: ReadMode): Promise<DriftPreview> =>
    context.cells
      .get(dataCenter)
      .inTransaction('planner', (tx) => readAll(tx, question, mode, onProgress), { statementMs: STATEMENT_MS });
  return read('quick').catch((error: unknown) => {
    // a row that cannot be read: once more, with a savepoint before each range
    if (isRowFailure(error)) return read('careful');
    throw error;
  });
}

type ReadMode = 'quick' | 'careful';

interface Collected {
  readonly drifts: Map<string, Group>;
  readonly listed: FoundDrift[];
  orgs: number;
  allotments: number;
  undecidable: number;
}

interface Group extends Pick<DecidedDrift, 'cause' | 'movement' | 'treatment'> {
  orgs: number;
  proposals: number;
}

async function readAll(
  tx: CellTransaction,
  question: PreviewQuestion,
  mode: ReadMode,
  onProgress: (orgs: number) => void,
): Promise<DriftPreview> {
  const snapshotAt = await startPlanning(tx, 'read_only');
  if ((await findNewestRun(tx)) === undefined)
    throw new RolloutError('wrong_stage', {
      message: `Data center "${question.dataCenter}" has not been rolled out, so there is nothing to reconcile.`,
    });
  await rejectChangedSource(tx, question.dataCenter);
  const comparison = await readComparison(tx, 'all');
  const found: Collected = { drifts: new Map(), listed: [], orgs: 0, allotments: 0, undecidable: 0 };
  let lowerId: string | null = null;
  do {
    lowerId = await readRange(tx, { lowerId, comparison, mode, found, limit: question.limit });
    onProgress(found.orgs);
  } while (lowerId !== null);
  return { ...describe(question, snapshotAt, found), waiting: await listWaitingFloors(tx, question.limit) };
}

interface RangeQuestion {
  readonly lowerId: string | null;
  readonly comparison: Comparison;
  readonly mode: ReadMode;
  readonly found: Collected;
  readonly limit: number;
}

/** Where the next range begins. */
async function readRange(tx: CellTransaction, question: RangeQuestion): Promise<string | null> {
  const { lowerId, comparison, mode, found } = question;
  const size = mode === 'quick' ? RANGE : 2_000;
  const range = { lowerId, upperId: await findRangeEnd(tx, lowerId, { size, mode }) };
  const unreadable = mode === 'careful' ? await listUnreadable(tx, range) : [];
  const { candidates, orgs, allotments } = await compareRangeWithSource(tx, range, comparison, unreadable);
  found.orgs += orgs + unreadable.length;
  found.allotments += allotments;
  found.undecidable += unreadable.length;
  for (let from = 0; from < candidates.length; from += CANDIDATES)
    for (const candidate of await readCandidates(tx, candidates.slice(from, from + CANDIDATES), comparison)) {
      if (candidate.org === 'undecidable') found.undecidable += 1;
      collect(found, toDrift(candidate), question.limit);
    }
  return range.upperId;
}

function collect(found: Collected, drift: FoundDrift | undefined, limit: number): void {
  if (drift === undefined) return;
  const { cause, movement, treatment, proposedFloor } = drift;
  const key = `${cause}/${movement}/${treatment}`;
  const group = found.drifts.get(key) ?? { cause, movement, treatment, orgs: 0, proposals: 0 };
  group.orgs += 1;
  group.proposals += proposedFloor === null ? 0 : 1;
  found.drifts.set(key, group);
  if (found.listed.length < limit) found.listed.push(drift);
}

function describe(
  { dataCenter, caps }: PreviewQuestion,
  snapshotAt: Date,
  found: Collected,
): Omit<DriftPreview, 'waiting'> {
  const { orgs, allotments, undecidable } = found;
  const groups = [...found.drifts.values()];
  const decision = decideCaps({ ...countFalls(groups), allotments }, caps);
  const answer = {
    heal: 'heal',
    propose: 'propose',
    fall: decision.falls,
    lapse: decision.lapses,
    gone: decision.gone,
    card: decision.card,
  } as const;
  const outcomeOf = (drift: Pick<DecidedDrift, 'treatment'>): PreviewedOrg['outcome'] =>
    answer[drift.treatment] === 'heal' ? 'to_heal' : 'proposed';
  const counts = groups.map(({ treatment, ...group }) => ({ ...group, outcome: outcomeOf({ treatment }) }));
  const listed = found.listed.map((drift) => ({ ...drift, outcome: outcomeOf(drift) }));
  return { dataCenter, snapshotAt, orgs, allotments, undecidable, counts, reasons: decision.reasons, listed };
}

function countFalls(groups: readonly Group[]): Omit<FallCounts, 'allotments'> {
  const sum = (of: (group: Group) => boolean): number => groups.filter(of).reduce((total, { orgs }) => total + orgs, 0);
  return {
    raises: sum(({ movement }) => movement === 'raise'),
    falls: sum(({ treatment }) => treatment === 'fall'),
    lapses: sum(({ treatment }) => treatment === 'lapse'),
    gone: sum(({ treatment }) => treatment === 'gone'),
  };
}

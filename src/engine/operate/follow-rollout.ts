// Polls a rollout until it ends, until it needs a person, or until somebody interrupts. Reads only: the rollout goes on
// without it.
import { hasEnded } from '../../domain/rollout/stage.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { type DataCenterStatus, readStatus, type Status, type StatusHold } from './read-status.js';

export interface FollowOptions {
  readonly dataCenters: readonly string[];
  /** `stays`: a pause does not end it, for a process that serves the rollout itself. */
  readonly whenPaused: 'returns' | 'stays';
  readonly onStatus: (status: Status) => void;
  readonly signal: AbortSignal;
}

export type FollowOutcome =
  | { readonly kind: 'ended'; readonly status: Status }
  | { readonly kind: 'held'; readonly status: Status; readonly dataCenter: string; readonly hold: StatusHold }
  | { readonly kind: 'interrupted' };

const POLL_INTERVAL_MS = 400;
/** After this long without a readable control database the error is thrown, in ms. */
const OUTAGE_TIMEOUT_MS = 30_000;
/** A process that starts or restarts has this long before its absence counts as a hold, in ms. */
const PROCESS_TIMEOUT_MS = 20_000;

/** Throws what `readStatus` throws; an unreachable or busy database only after 30 s. */
export async function followRollout(context: EngineContext, options: FollowOptions): Promise<FollowOutcome> {
  let unreadableSince: number | undefined;
  const heldFor = createHoldTimer();
  while (!options.signal.aborted) {
    try {
      const status = await readStatus(context);
      unreadableSince = undefined;
      options.onStatus(status);
      const held = findHeld(status, options, heldFor);
      if (held !== undefined) return { kind: 'held', status, ...held };
      if (chosen(status, options).every(isOver)) return { kind: 'ended', status };
    } catch (thrown) {
      const error = explainFailure(thrown);
      const isTemporary = isRolloutError(error, 'database_unreachable') || isRolloutError(error, 'cell_busy');
      unreadableSince ??= performance.now();
      if (!isTemporary || performance.now() - unreadableSince > OUTAGE_TIMEOUT_MS) throw error;
    }
    await context.clock.sleep(POLL_INTERVAL_MS, options.signal);
  }
  return { kind: 'interrupted' };
}

const chosen = (status: Status, { dataCenters }: FollowOptions): readonly DataCenterStatus[] =>
  status.dataCenters.filter(({ id }) => dataCenters.includes(id));

/** An undo that was asked for begins by itself. */
const isOver = (dc: DataCenterStatus): boolean => hasEnded(dc) && !dc.undoRequested;

/** For how long a hold has been present at every poll, in ms; `present` are the keys of all holds of this poll. */
type HoldTimer = (key: string, present: readonly string[]) => number;

function createHoldTimer(): HoldTimer {
  const firstSeen = new Map<string, number>();
  return (key, present) => {
    for (const known of firstSeen.keys()) if (!present.includes(known)) firstSeen.delete(known);
    const since = firstSeen.get(key) ?? performance.now();
    firstSeen.set(key, since);
    return performance.now() - since;
  };
}

interface Held {
  readonly dataCenter: string;
  readonly hold: StatusHold;
}

/**
 * The first hold that needs a person, if every data center that has not ended waits for one, directly or through
 * another.
 */
function findHeld(status: Status, options: FollowOptions, heldFor: HoldTimer): Held | undefined {
  const open = chosen(status, options).filter((dc) => !isOver(dc));
  const present = status.dataCenters.flatMap((dc) => dc.holds.map((hold) => `${dc.id} ${hold.code}`));
  const isLasting = (dc: DataCenterStatus, hold: StatusHold): boolean => {
    if (hold.code === 'paused' && options.whenPaused === 'stays') return false;
    // it holds a night or a sweep, not a rollout
    if (hold.code === 'maintenance_failed') return false;
    const heldMs = heldFor(`${dc.id} ${hold.code}`, present);
    const mayEnd = hold.code.startsWith('no_') || hold.code === 'cell_trouble' || hold.code === 'step_failing';
    return hold.needsPerson && (!mayEnd || heldMs >= PROCESS_TIMEOUT_MS);
  };
  const found = open.map((dc) => findCause(status, dc, isLasting, []));
  return found.length > 0 && found.every((cause) => cause !== undefined) ? found[0] : undefined;
}

/** Its own hold, or that of the data center that it waits for. */
function findCause(
  status: Status,
  dc: DataCenterStatus,
  isLasting: (dc: DataCenterStatus, hold: StatusHold) => boolean,
  seen: readonly string[],
): Held | undefined {
  const lasting = dc.holds.filter((hold) => isLasting(dc, hold));
  const [own] = lasting;
  if (own !== undefined) return { dataCenter: dc.id, hold: own };
  const others = dc.holds
    .filter(({ code }) => code === 'waits_for_order' || code === 'slot_taken')
    .flatMap(({ value }) => status.dataCenters.filter(({ id }) => id === value && !seen.includes(id)));
  return others
    .map((other) => findCause(status, other, isLasting, [...seen, dc.id]))
    .find((cause) => cause !== undefined);
}

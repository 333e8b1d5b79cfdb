// Looks at a rollout until it ends, waits for a person, or somebody interrupts. Reads only: the rollout goes on without it.
import type { EngineContext } from '../../engine/context.js';
import { explainFailure } from '../../engine/database-errors.js';
import { type DataCenterStatus, readStatus, type Status, type StatusHold } from '../../engine/operate/read-status.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { hasEnded } from '../terminal/exit-code.js';

export interface FollowOptions {
  readonly dataCenters: readonly string[];
  /** `stays`: a pause is waited out, for who serves the rollout in this very process. */
  readonly whenPaused: 'returns' | 'stays';
  readonly onStatus: (status: Status) => void;
  readonly signal: AbortSignal;
}

export type FollowOutcome =
  | { readonly kind: 'ended'; readonly status: Status }
  | { readonly kind: 'held'; readonly status: Status; readonly dataCenter: string; readonly hold: StatusHold }
  | { readonly kind: 'interrupted' };

const POLL_INTERVAL_MS = 400;
/** A control database that cannot be read for this long ends the waiting, in ms. */
const OUTAGE_MS = 30_000;
/** Processes that start or restart are given this long, in ms. */
const PROCESS_GRACE_MS = 20_000;

export async function followRollout(context: EngineContext, options: FollowOptions): Promise<FollowOutcome> {
  let unreadableSince: number | undefined;
  const patience = createDeadline();
  while (!options.signal.aborted) {
    try {
      const status = await readStatus(context);
      unreadableSince = undefined;
      options.onStatus(status);
      const held = findHeld(status, options, patience);
      if (held !== undefined) return { kind: 'held', status, ...held };
      if (chosen(status, options).every(hasEnded)) return { kind: 'ended', status };
    } catch (thrown) {
      const error = explainFailure(thrown);
      const passing = isRolloutError(error, 'database_unreachable') || isRolloutError(error, 'cell_busy');
      unreadableSince ??= performance.now();
      if (!passing || performance.now() - unreadableSince > OUTAGE_MS) throw error;
    }
    await context.clock.sleep(POLL_INTERVAL_MS, options.signal);
  }
  return { kind: 'interrupted' };
}

const chosen = (status: Status, { dataCenters }: FollowOptions): readonly DataCenterStatus[] =>
  status.dataCenters.filter(({ id }) => dataCenters.includes(id));

/** Since when each hold has been seen by us, in ms of our own clock. */
type Patience = (key: string, holds: readonly string[]) => number;

function createDeadline(): Patience {
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

/** Every data center that has not ended waits, in the end, for a person: the first such hold. */
function findHeld(status: Status, options: FollowOptions, patience: Patience): Held | undefined {
  const open = chosen(status, options).filter((dc) => !hasEnded(dc));
  const present = status.dataCenters.flatMap((dc) => dc.holds.map((hold) => `${dc.id} ${hold.code}`));
  const isLasting = (dc: DataCenterStatus, hold: StatusHold): boolean => {
    if (hold.code === 'paused' && options.whenPaused === 'stays') return false;
    // keeps a night or a sweep, never a rollout
    if (hold.code === 'maintenance_failed') return false;
    const waited = patience(`${dc.id} ${hold.code}`, present);
    const mayPass = hold.code.startsWith('no_') || hold.code === 'cell_trouble';
    return hold.needsPerson && (!mayPass || waited >= PROCESS_GRACE_MS);
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

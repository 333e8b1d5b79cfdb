// Two people steer a soak with their own logins: one asks, the other approves. Their commands may fail whenever a server
// is down, or somebody else was faster; what they met is counted by its code.
import { approvePostponement, proposePostponement } from '../../src/engine/cutover/postpone.js';
import { withdrawCutoverProposal } from '../../src/engine/cutover/proposals.js';
import { explainFailure } from '../../src/engine/database-errors.js';
import { freeze, unfreeze } from '../../src/engine/operate/freeze.js';
import { setIntent } from '../../src/engine/operate/set-intent.js';
import { setLanes } from '../../src/engine/operate/set-lanes.js';
import { approveOverride } from '../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../src/engine/org/override-proposals.js';
import { protectOrg } from '../../src/engine/org/protect-org.js';
import { approvePlan } from '../../src/engine/plan/approve-plan.js';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { approveFalls, proposeFalls } from '../../src/engine/reconcile/accept-falls.js';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { requestApply } from '../../src/engine/rollout/request-rollout.js';
import { retryRun } from '../../src/engine/rollout/retry-run.js';
import { approveUndo, requestUndo } from '../../src/engine/undo/request-undo.js';
import { systemClock } from '../../src/kernel/clock.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { isRolloutError } from '../../src/kernel/rollout-error.js';
import { isShort, type Random, type SoakOptions } from './options.js';
import { FIRST_ORG, type World } from './world.js';

/** `steer`: as people do. `finish`: only what brings everything to its end. */
export type Mood = 'steer' | 'finish';

export interface Operators {
  mood: Mood;
  /** Commands that were carried out, by their name; and what others met, by name and code. */
  readonly done: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
  /** What nobody should meet. */
  readonly unexpected: readonly string[];
  /** Gives both data centers that have none yet a cut-over in so many seconds; tries until it works or `isOver`. */
  cutOverIn(seconds: number, isOver: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

interface State {
  readonly id: string;
  readonly stage: string;
  readonly intent: string;
  readonly requested: boolean;
  readonly plan: string | null;
  readonly waits: boolean;
  readonly failure: string | null;
  readonly holds: readonly string[];
  readonly latched: boolean;
}

const STATE = `select d.id, d.stage, d.intent, d.requested_at is not null as requested, d.plan_id as plan,
    d.failure, d.gate_latched_at is not null as latched,
    (select coalesce(array_agg(h.code), '{}') from credit_rollout_control.holds h where h.data_center = d.id) as holds,
    exists (select from credit_rollout_control.holds h where h.data_center = d.id and h.code = 'needs_approval') as waits
  from credit_rollout_control.data_centers d order by position`;
const REASON = 'soak';
const OF_UNDO = ['undo_lost', 'undo_forgotten', 'cutover_begun'];
const isOfUndo = (failure: string | null): boolean => failure !== null && OF_UNDO.includes(failure);
const RESTING = ['pending', 'done', 'failed', 'aborted', 'undone'];
/** What hangs on a connection that a firewall forgot is left to itself. */
const TOO_LONG_MS = { short: 10_000, usual: 60_000 } as const;

export function startOperators(world: World, random: Random, options: SoakOptions): Operators {
  const { fleet, alice, bob } = world;
  const { orgs } = options;
  const tooLongMs = TOO_LONG_MS[isShort(options) ? 'short' : 'usual'];
  const done = new Map<string, number>();
  const refused = new Map<string, number>();
  const unexpected: string[] = [];
  const stopping = new AbortController();
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  const act = async (name: string, run: () => Promise<unknown>): Promise<boolean> => {
    const late = new AbortController();
    try {
      const limit = systemClock.sleep(tooLongMs, late.signal).then(() => 'too long');
      const outcome = await Promise.race([run().then(() => 'done'), limit]);
      count(
        outcome === 'done' ? done : refused,
        outcome === 'done' ? name : `${name}: took over ${tooLongMs / 1_000} s`,
      );
      return outcome === 'done';
    } catch (error) {
      // as a command would show it
      const explained = explainFailure(error);
      if (isRolloutError(explained)) count(refused, `${name}: ${explained.code}`);
      else unexpected.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
      return false;
    } finally {
      late.abort();
    }
  };
  const org = (): string => String(FIRST_ORG + random.between(0, orgs - 1));
  const apply = (id: string): Promise<boolean> =>
    act('apply', async () => {
      const cell = fleet.cells.find(({ dataCenter }) => dataCenter.id === id);
      if (cell === undefined) throw new Error(`no ${id}`);
      const { card, dataCenter } = cell;
      await requestApply(alice, { config: fleet.config, card, dataCenters: [dataCenter], reason: REASON });
    });
  const override = async (dataCenter: string): Promise<void> => {
    await act('override', async () => {
      const floor = BigInt(random.between(0, 2_000_000));
      const { overrideId } = await proposeOverride(alice, { dataCenter, orgId: org(), floor, reason: REASON });
      const id = parseProposalId(overrideId);
      if (id?.kind === 'override') await approveOverride(bob, id, REASON);
    });
  };
  const undo = async (dataCenter: string): Promise<void> => {
    await act('undo', async () => {
      const { undoId, state } = await requestUndo(alice, { dataCenter, limit: 3, reason: REASON });
      const id = undoId === null ? undefined : parseProposalId(undoId);
      if (state === 'proposed' && id?.kind === 'undo') await approveUndo(bob, id, REASON);
    });
  };
  const falls = async (dataCenter: string): Promise<void> => {
    await act('falls', async () => {
      const { proposalId } = await proposeFalls(alice, { dataCenter, reason: REASON });
      await approveFalls(bob, { kind: 'falls', dataCenter, proposalId }, REASON);
    });
  };
  const intent = (dataCenter: string, to: 'pause' | 'run' | 'abort'): Promise<boolean> =>
    act(to, () => setIntent(alice, { dataCenter, intent: to, reason: REASON }));
  const freezeAwhile = async (id: string): Promise<void> => {
    await act('freeze', () => freeze(alice, { dataCenters: [id], reason: REASON }));
    await systemClock.sleep(random.between(500, 5_000), stopping.signal);
    await thaw(id);
  };
  const thaw = (id: string): Promise<boolean> =>
    act('unfreeze', () => unfreeze(bob, { dataCenters: [id], reason: REASON }));
  const plan = (dataCenter: string, card: World['fleet']['cells'][number]['card']): Promise<boolean> =>
    act('plan', () => planDataCenter(alice, { config: fleet.config, dataCenter, card, save: 'plan' }));

  const steerResting = async ({ id, stage, latched, failure }: State): Promise<void> => {
    if (stage !== 'done') {
      if (random.chance(0.6)) await (stage === 'failed' && random.chance(0.5) ? again(id, failure) : apply(id));
      return;
    }
    const chosen = random.next();
    if (chosen < 0.1) await apply(id);
    else if (chosen < 0.3 && !latched) await undo(id);
    else if (chosen < 0.45) await act('reconcile', () => requestReconcile(alice, { dataCenter: id, reason: REASON }));
    else if (chosen < 0.55) await override(id);
    else if (chosen < 0.6) await falls(id);
    else if (chosen < 0.65)
      await act('protect', () =>
        protectOrg(alice, {
          dataCenter: id,
          orgId: org(),
          to: random.pick(['protected', 'unprotected']),
          reason: REASON,
        }),
      );
    else if (chosen < 0.68) await freezeAwhile(id);
    else if (chosen < 0.72)
      for (const { dataCenter, card } of fleet.cells) if (dataCenter.id === id) await plan(id, card);
  };
  const retry = (id: string): Promise<boolean> => act('retry', () => retryRun(alice, id, REASON));
  const again = async (id: string, failure: string | null): Promise<void> => {
    await (failure === 'undo_lost' ? undo(id) : isOfUndo(failure) ? apply(id) : retry(id));
  };
  const steerMoving = async ({ id }: State): Promise<void> => {
    const chosen = random.next();
    if (chosen < 0.03) {
      await intent(id, 'pause');
      await systemClock.sleep(random.between(200, 4_000), stopping.signal);
      await intent(id, 'run');
    } else if (chosen < 0.045) await freezeAwhile(id);
    else if (chosen < 0.05) await intent(id, 'abort');
    else if (chosen < 0.07)
      await act('lanes', () => setLanes(alice, { dataCenter: id, lanes: random.between(1, 4), reason: REASON }));
    else if (chosen < 0.09) await override(id);
  };
  const steer = async (state: State, mood: Mood): Promise<void> => {
    const { id, stage, requested, waits, holds } = state;
    if (state.plan !== null && waits)
      await act('approve', () => approvePlan(bob, { planId: state.plan ?? '', reason: REASON }));
    if (state.intent === 'pause') await intent(id, 'run');
    if (holds.includes('plan_failed')) await intent(id, 'abort');
    else if (holds.includes('frozen')) await thaw(id);
    const rests = RESTING.includes(stage) && !requested;
    if (mood === 'steer') await (rests ? steerResting(state) : steerMoving(state));
    else if (rests && stage !== 'done')
      await (stage === 'failed' && !isOfUndo(state.failure) ? retry(id).then((ok) => ok || apply(id)) : apply(id));
  };
  const operators: Operators & { mood: Mood } = {
    mood: 'steer',
    done,
    refused,
    unexpected,
    cutOverIn: async (seconds, isOver) => {
      const cutOvers = fleet.cells.map(({ dataCenter: { id } }) => given.has(id) || cutOver(id, seconds, isOver));
      const areGiven = await Promise.all(cutOvers);
      for (const [n, { dataCenter }] of fleet.cells.entries()) if (areGiven[n]) given.add(dataCenter.id);
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
  const given = new Set<string>();
  const cutOver = async (dataCenter: string, seconds: number, isOver: () => boolean): Promise<boolean> => {
    while (!isOver()) {
      const to = new Date(systemClock.now().getTime() + seconds * 1_000).toISOString().slice(0, 19);
      const isGiven = await act('cut-over', async () => {
        const { given: before, open } = await readCutover(dataCenter);
        if (before) return;
        // its instant has passed by now
        if (open) await withdrawCutoverProposal(alice, { kind: 'postponement', dataCenter, reason: REASON });
        const { proposalId } = await proposePostponement(alice, { dataCenter, to, reason: REASON });
        await approvePostponement(bob, { kind: 'postponement', dataCenter, proposalId }, REASON);
      });
      if (isGiven) return true;
      await systemClock.sleep(1_000, stopping.signal);
    }
    return false;
  };
  const readCutover = async (dataCenter: string): Promise<{ readonly given: boolean; readonly open: boolean }> => {
    const [row] = await fleet.control(
      `select d.cutover_at is not null as given, exists (select from credit_rollout_control.postponements p
         where p.data_center = d.id and p.state = 'proposed') as open
       from credit_rollout_control.data_centers d where d.id = $1`,
      [dataCenter],
    );
    return { given: row?.given === true, open: row?.open === true };
  };
  const failures = new Set<string>();
  const note = ({ id, stage, failure }: State): void => {
    const what = `${id} failed: ${failure}`;
    // a standby was promoted that never got an undo or its end, or the cut-over began while a server of an undo was
    // away: the product says so, and people decide again
    if (stage !== 'failed' || isOfUndo(failure) || failures.has(what)) return;
    failures.add(what);
    unexpected.push(what);
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const states = (await fleet.control(STATE).catch(() => [])) as unknown as readonly State[];
      for (const state of states) {
        note(state);
        await steer(state, operators.mood);
      }
      await systemClock.sleep(operators.mood === 'finish' ? 500 : random.between(200, 1_200), stopping.signal);
    }
  };
  const running = run();
  return operators;
}

// Every command that depends on the stage, in every stage, and every command that takes a revision, with an old one:
// what is refused changes nothing, and names only commands that fit.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  listFittingVerbs,
  STAGE_VERBS,
  type StageVerb,
  type VerbPosition,
} from '../../../src/domain/rollout/fitting-verbs.js';
import type { Intent, Stage } from '../../../src/domain/rollout/stage.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { executeCutover } from '../../../src/engine/cutover/execute-cutover.js';
import { proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { withdrawCutoverProposal } from '../../../src/engine/cutover/proposals.js';
import { proposeReversal } from '../../../src/engine/cutover/reverse.js';
import { proposeAdoption, withdrawAdoption } from '../../../src/engine/operate/adopt-cell.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { executeRepair } from '../../../src/engine/operate/repair.js';
import { setCheckLimit } from '../../../src/engine/operate/set-check-limit.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { setLanes } from '../../../src/engine/operate/set-lanes.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { detachCell } from '../../../src/engine/setup/detach-cell.js';
import { removeFromFleet } from '../../../src/engine/setup/remove-data-center.js';
import { uninstallCell } from '../../../src/engine/setup/uninstall-cell.js';
import { requestUndo } from '../../../src/engine/undo/request-undo.js';
import { isRolloutError } from '../../../src/kernel/rollout-error.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ orgs: 5 });
});
afterAll(() => fleet.drop());

const dc = (): string => fleet.cell(0).dataCenter.id;
const at0 = () => fleet.cell(0).dataCenter;
const reason = 'a test';

const VERBS: Readonly<Record<StageVerb, (revision?: number) => Promise<unknown>>> = {
  apply: (revision) =>
    requestApply(fleet.engine, {
      ...{ config: fleet.config, card: sampleCard, reason },
      dataCenters: [at0()],
      revision,
    }),
  pause: (revision) => setIntent(fleet.engine, { dataCenter: dc(), intent: 'pause', reason, revision }),
  resume: (revision) => setIntent(fleet.engine, { dataCenter: dc(), intent: 'run', reason, revision }),
  abort: (revision) => setIntent(fleet.engine, { dataCenter: dc(), intent: 'abort', reason, revision }),
  retry: (revision) => retryRun(fleet.engine, dc(), reason, { revision }),
  reconcile: (revision) => requestReconcile(fleet.engine, { dataCenter: dc(), reason, revision }),
  repair: (revision) => executeRepair(fleet.engine, { dataCenter: dc(), reason, revision }),
  undo: () => requestUndo(fleet.engine, { dataCenter: dc(), limit: 0, reason }),
  detach: () => detachCell(fleet.engine, dc(), reason),
};

const outcomeOf = (doing: Promise<unknown>): Promise<{ readonly code: string; readonly next: string }> =>
  doing.then(
    () => ({ code: 'done', next: '' }),
    (error: unknown) => {
      if (!isRolloutError(error)) throw error;
      return { code: error.code, next: error.next };
    },
  );

/** What a refused command leaves as it is. */
const everything = async (): Promise<string> =>
  JSON.stringify(
    await fleet.control(`select d.*, (select count(*) from credit_rollout_control.audit) as audit,
      (select count(*) from credit_rollout_control.cell_proposals) as proposals,
      (select count(*) from credit_rollout_control.reconcile_requests) as requests,
      (select count(*) from credit_rollout_control.postponements) as postponements
      from credit_rollout_control.data_centers d`),
  );

const positionOf = (stage: Stage, intent: Intent, requested: boolean): VerbPosition => ({
  ...{ stage, intent, requestedAt: requested ? new Date(0) : null, undoFailed: false, gateLatchedAt: null },
});

const place = (stage: Stage, intent: Intent, requested: boolean): Promise<unknown> =>
  fleet.control(`set local session_replication_role = replica;
    update credit_rollout_control.data_centers set stage = '${stage}', intent = '${intent}', quiet = true,
      requested_at = ${requested ? 'now()' : 'null'}, requested_by = ${requested ? `'ana'` : 'null'}`);

describe('a command in a stage that it does not fit', () => {
  test.each(STAGES)('%s changes nothing, and names those that fit', async (stage) => {
    for (const intent of ['run', 'pause', 'abort'] as const)
      for (const requested of [false, true]) {
        if (intent === 'abort' && !requested) continue;
        const position = positionOf(stage, intent, requested);
        const fitting = listFittingVerbs(position);
        // what would go on after it was accepted is tested elsewhere; these are harmless when repeated
        const refused = STAGE_VERBS.filter((verb) => !fitting.includes(verb) && !isHarmless(verb, position));
        await place(stage, intent, requested);
        const before = await everything();
        for (const verb of refused) {
          const { code, next } = await outcomeOf(VERBS[verb]());
          const at = [stage, intent, requested, verb];
          expect([...at, code]).toEqual([
            ...at,
            expect.stringMatching(/^(wrong_stage|data_center_busy|undo_refused)$/u),
          ]);
          const named = STAGE_VERBS.filter((one) => next.includes(`credit-rollout ${one} --dc ${dc()}`));
          expect([...at, named]).toEqual([...at, fitting]);
        }
        expect(await everything()).toBe(before);
      }
  });

  test.each(STAGES)('%s refuses cutover execute and remove, where they do not fit, in the same way', async (stage) => {
    for (const requested of [false, true]) {
      const fitting = listFittingVerbs(positionOf(stage, 'run', requested));
      await place(stage, 'run', requested);
      const before = await everything();
      // no instant is configured, so no stage fits a cut-over; a data center at rest would be removed
      const refused = [
        await outcomeOf(executeCutover(fleet.engine, { dataCenter: dc(), reason })),
        ...(fitting.includes('detach')
          ? []
          : [await outcomeOf(removeFromFleet(fleet.engine, { dataCenter: dc(), cell: 'asked', reason }))]),
      ];
      for (const { code, next } of refused) {
        expect([stage, requested, code]).toEqual([stage, requested, expect.stringMatching(/_refused$/u)]);
        const named = STAGE_VERBS.filter((one) => next.includes(`credit-rollout ${one} --dc ${dc()}`));
        expect([stage, requested, named.filter((one) => !fitting.includes(one))]).toEqual([stage, requested, []]);
      }
      expect(await everything()).toBe(before);
    }
  });

  test('an undo does not fit once the cut-over is final', () => {
    const done = positionOf('done', 'run', false);
    expect(listFittingVerbs(done)).toContain('undo');
    expect(listFittingVerbs({ ...done, gateLatchedAt: new Date(0) })).not.toContain('undo');
  });

  test('a failed undo is not retried: what is refused names the undo, and so does the status', async () => {
    await place('failed', 'run', false);
    await fleet.control(`set local session_replication_role = replica;
      insert into credit_rollout_control.runs (run_id, data_center, kind, state, card_hash, epoch, ended_at)
        values (900, '${dc()}', 'undo', 'failed', '${'0'.repeat(64)}', 900, now());
      update credit_rollout_control.data_centers set run_id = 900, epoch = 900 where id = '${dc()}'`);
    const fitting = listFittingVerbs({ ...positionOf('failed', 'run', false), undoFailed: true });
    for (const verb of ['retry', 'pause', 'reconcile'] as const) {
      const { code, next } = await outcomeOf(VERBS[verb]());
      const named = STAGE_VERBS.filter((one) => next.includes(`credit-rollout ${one} --dc ${dc()}`));
      expect([verb, code, named.includes('undo'), named.filter((one) => !fitting.includes(one))]).toEqual([
        ...[verb, 'wrong_stage', true, []],
      ]);
    }
    const { dataCenters } = await readStatus(fleet.engine);
    expect(dataCenters[0]?.next).toMatchObject({ verb: 'undo', args: ['--dc', dc()] });
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.data_centers set run_id = null, epoch = null where id = '${dc()}';
      delete from credit_rollout_control.runs where run_id = 900`);
  });

  const HARMLESS = ['abort aborted', 'undo undone'];
  /** Resume of what runs, abort of what was aborted and undo of what was undone are what was asked for. */
  const isHarmless = (verb: StageVerb, position: VerbPosition): boolean =>
    verb === 'resume'
      ? position.intent === 'run' && !listFittingVerbs(position).includes('apply')
      : position.requestedAt === null && HARMLESS.includes(`${verb} ${position.stage}`);
});

describe('a command with a revision that is not the present one', () => {
  const seen = { revision: 999_999, reason };
  const at = () => ({ dataCenter: dc(), ...seen });
  const to = '2031-01-01T00:00';
  test.each<readonly [string, Stage, () => Promise<unknown>]>([
    ['apply', 'pending', () => VERBS.apply(999_999)],
    ['pause', 'done', () => VERBS.pause(999_999)],
    ['resume', 'migrating', () => VERBS.resume(999_999)],
    ['abort', 'migrating', () => VERBS.abort(999_999)],
    ['retry', 'failed', () => VERBS.retry(999_999)],
    ['reconcile', 'done', () => VERBS.reconcile(999_999)],
    ['repair', 'done', () => VERBS.repair(999_999)],
    ['settings set lanes', 'done', () => setLanes(fleet.engine, { ...at(), lanes: 1 })],
    [
      'settings set checks',
      'done',
      () => setCheckLimit(fleet.engine, { ...at(), name: 'wal', value: '9', emergency: false }),
    ],
    ['cutover execute', 'done', () => executeCutover(fleet.engine, at())],
    ['cutover postpone', 'pending', () => proposePostponement(fleet.engine, { ...at(), to })],
    ['cutover reverse', 'done', () => proposeReversal(fleet.engine, { ...at(), to })],
    ['withdraw', 'done', () => withdrawCutoverProposal(fleet.engine, { ...at(), kind: 'postponement' })],
    ['remove', 'done', () => removeFromFleet(fleet.engine, { ...at(), cell: 'asked' })],
    ['uninstall', 'done', () => uninstallCell(fleet.engine, { ...at(), signUps: 'as seen' })],
    ['adopt-cell', 'done', () => proposeAdoption(fleet.engine, at())],
    ['adopt-cell --withdraw', 'done', () => withdrawAdoption(fleet.engine, at())],
  ])('%s', async (_, stage, run) => {
    await place(stage, 'run', false);
    const before = await everything();
    expect((await outcomeOf(run())).code).toBe('revision_changed');
    expect(await everything()).toBe(before);
  });
});

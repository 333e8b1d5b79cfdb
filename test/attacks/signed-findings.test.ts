// What a worker's login wrote of findings and of the change feed: runs that are over, times of its own, a name as a
// reason, and instants that no reader waits for.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KNOWN_REASONS } from '../../migrations/cell/signed-findings.js';
import { sampleQuarantine } from '../../src/domain/metrics/metric.js';
import { nameReasons, QUARANTINE_REASONS } from '../../src/domain/source/org-inputs.js';
import { checkFeed } from '../../src/engine/doctor/check-feed.js';
import { createFindingRecorder } from '../../src/engine/doctor/finding.js';
import { findSource } from '../../src/stores/cell/setup/source.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
});
afterAll(() => scene.drop());
afterEach(() => scene.close());

const quarantine = (runId: bigint, reason: string): string =>
  `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs, recorded_at)
   values (${runId}, 5, '${reason}', '{}', '2020-01-01')`;
const stale = (runId: bigint): string =>
  `insert into credit_rollout.stale_orgs (run_id, org_id, reason, recorded_at, settled_at, settled)
   values (${runId}, 6, 'gone', '2020-01-01', '2020-01-02', 'gone')`;
const detection = (runId: bigint, pass: number): string =>
  `insert into credit_rollout.detections (run_id, pass, orgs, ended_at) values (${runId}, ${pass}, -5, '9000-01-01')`;

describe('findings', () => {
  test.each([
    ['quarantine', () => quarantine(scene.runId, 'overflow')],
    ['stale orgs', () => stale(scene.runId)],
    ['a search for drift', () => detection(scene.runId, 1)],
  ])('of a run that is over: %s is refused', async (_what, sql) => {
    expect(await scene.logins.worker.attempt(sql())).toBe(REFUSED.state);
  });

  test('have the time of the database, an end of their own, and a reason that is known', async () => {
    await scene.open();
    expect(
      await scene.logins.worker.attempt(
        quarantine(scene.runId, 'jane_doe_at_acme_com'),
        stale(scene.runId),
        detection(scene.runId, 1),
      ),
    ).toBe('done');
    expect(await scene.logins.worker.attempt(detection(scene.runId, 99))).toBe(REFUSED.restriction);
    const settle = `update credit_rollout.stale_orgs set settled = 'gone', settled_at = '2020-01-01'`;
    expect(await scene.logins.worker.attempt(settle)).toBe('done');
    expect(await scene.logins.worker.attempt(settle)).toBe(REFUSED.restriction);
    const near = (column: string): string => `abs(extract(epoch from clock_timestamp() - ${column})) < 60`;
    expect(
      await scene.cell.sql(`select q.reason, ${near('q.recorded_at')} as quarantined, ${near('s.recorded_at')} as stale,
          ${near('s.settled_at')} as settled, d.orgs, d.ended_at
        from credit_rollout.quarantine q, credit_rollout.stale_orgs s, credit_rollout.detections d`),
    ).toEqual([{ reason: 'other', quarantined: true, stale: true, settled: true, orgs: '0', ended_at: null }]);
  });

  test('leave the cell under reasons of the program only', () => {
    expect(KNOWN_REASONS).toEqual([...QUARANTINE_REASONS, 'unreadable', 'other']);
    const counts = [
      { reason: 'jane_doe', orgs: 3 },
      { reason: 'overflow', orgs: 2 },
      { reason: 'acme_4711', orgs: 1 },
    ];
    expect(nameReasons(counts)).toEqual([
      { reason: 'overflow', orgs: 2 },
      { reason: 'other', orgs: 4 },
    ]);
    expect(JSON.stringify(sampleQuarantine('in', counts))).not.toMatch(/jane|acme/u);
  });
});

describe('the change feed', () => {
  test('rests no longer than a rest is, whatever a worker writes', async () => {
    const far = `update credit_rollout.feed set rest_until = 'infinity', backlog_rest_until = 'infinity',
      read_from = 'infinity', read_past = 'infinity', read_at = 'infinity', changed_at = '-infinity'`;
    expect(await scene.logins.worker.attempt(far)).toBe('done');
    expect(
      await scene.cell.sql(`select
        greatest(rest_until, backlog_rest_until) <= clock_timestamp() + interval '5 minutes' as rests,
        greatest(read_from, read_past, read_at) <= clock_timestamp() + interval '1 minute' as reads,
        changed_at > clock_timestamp() - interval '1 minute' as changed from credit_rollout.feed`),
    ).toEqual([{ rests: true, reads: true, changed: true }]);
  });

  test.each([
    ['no instant', `{"1/1": "jane"}`, '22007'],
    ['infinity', `{"1/1": "infinity"}`, REFUSED.check],
    ['nothing', `{"1/1": null}`, REFUSED.check],
    ['no object', `[1]`, REFUSED.check],
  ])('knows open transactions by instants: %s is refused', async (_what, value, code) => {
    expect(await scene.logins.worker.attempt(`update credit_rollout.feed set open_then = '${value}'`)).toBe(code);
  });

  test('that has not read for long is no raise within seconds', async () => {
    const { cell, dataCenter } = scene.cell;
    await scene.cell.sql(`update credit_rollout.fence set single_writes = true,
        changed_at = clock_timestamp() - interval '1 hour' where state = 'closed';
      update credit_rollout.feed set read_at = clock_timestamp() - interval '20 minutes'`);
    const source = await cell.asOwner((tx) => findSource(tx, dataCenter.source, dataCenter.id));
    const recorder = createFindingRecorder({ subject: dataCenter.id, title: 'Data center' }, 'change feed');
    expect(await checkFeed({ cell, source }, recorder)).toMatchObject([
      { level: 'warning', found: 'nothing was read for 20 minutes: raises wait for the nightly run' },
    ]);
  });
});

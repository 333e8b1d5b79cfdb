// What Prometheus reads: the rows of control and cells as numbers, from a scheduler and from a worker; both at once
// while a database is down.
import { afterEach, describe, expect, test } from 'vitest';
import { METRICS, type Sample } from '../../../src/domain/metrics/metric.js';
import { listNotReady } from '../../../src/engine/list-not-ready.js';
import { readMetrics } from '../../../src/engine/operate/read-metrics.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { readWorkerMetrics } from '../../../src/engine/worker/read-worker-metrics.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { saveWorkerSeen } from '../../../src/stores/cell/batch/workers.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const fleets: Fleet[] = [];
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.drop()));
});

const show = ({ name, labels, value }: Sample): string => `${name} ${Object.values(labels).join(' ')} ${value}`;
const IN_TIME_MS = 20_000;

describe('readMetrics', () => {
  test('says how far a rollout is, why one does not move, and who runs, with the labels that are declared', async () => {
    const fleet = await createFleet({ cells: [{}, {}], orgs: 400, rollout: '{ batchSize: 100 }' });
    fleets.push(fleet);
    const [first, second] = [fleet.cell(0), fleet.cell(1)];
    await fleet.apply(first);
    await fleet.drive();
    await fleet.apply(second);
    await first.cell.inTransaction('worker', (tx) => saveWorkerSeen(tx, 'host:1', null));
    const samples = await readMetrics(fleet.engine, IN_TIME_MS);
    const [one, two] = [first.dataCenter.id, second.dataCenter.id];
    const lines = samples.map(show);
    expect(lines).toEqual(
      expect.arrayContaining([
        'control_reachable  1',
        'schedulers_alive  0',
        `stage ${one} done 1`,
        `cell_reachable ${one} 1`,
        `frozen ${one} 0`,
        `workers_alive ${one} 1`,
        `batches ${one} 5`,
        `batches_done ${one} 5`,
        `orgs_quarantined ${one} unknown_edition 2`,
        `mismatches ${one} 0`,
        `stage ${two} pending 1`,
        `hold ${two} no_scheduler true 1`,
        `signups_switched ${two} 0`,
      ]),
    );
    for (const { name, labels } of samples) expect(Object.keys(labels)).toEqual([...METRICS[name].labels]);
    // no two samples of one scrape are the same series
    expect(new Set(samples.map(({ name, labels }) => JSON.stringify([name, labels]))).size).toBe(samples.length);

    const ofWorker = (await readWorkerMetrics(first.context, [one], IN_TIME_MS)).map(show);
    expect(ofWorker).toEqual(
      lines.filter(
        (line) => /^(cell_reachable|workers_alive|batches|orgs|mismatches)/u.test(line) && line.includes(one),
      ),
    );
  });

  test('of a worker whose newest run had nothing to write: the cell is there', async () => {
    const fleet = await createFleet({ orgs: 5 });
    fleets.push(fleet);
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    const { context, dataCenter } = fleet.cell(0);
    await requestReconcile(fleet.engine, { dataCenter: dataCenter.id, reason: 'a test' });
    await fleet.drive();
    const [newest] = await fleet.cell(0).sql(`select r.kind, count(b.batch_no)::int as batches
      from credit_rollout.fence f join credit_rollout.runs r using (run_id)
      left join credit_rollout.batches b using (run_id) group by r.run_id`);
    expect(newest).toEqual({ kind: 'reconcile', batches: 0 });
    const shown = (await readWorkerMetrics(context, [dataCenter.id], IN_TIME_MS)).map(show);
    expect(shown).toEqual(expect.arrayContaining([`cell_reachable ${dataCenter.id} 1`, `batches ${dataCenter.id} 0`]));
  });

  test('says at once that control, or a cell, does not answer, and nothing that it does not know', async () => {
    const fleet = await createFleet({ orgs: 5 });
    fleets.push(fleet);
    const { context, dataCenter } = fleet.cell(0);
    const hanging = { inTransaction: () => new Promise<never>(() => undefined), close: async () => undefined };
    expect((await readMetrics({ ...fleet.engine, control: hanging }, 50)).map(show)).toEqual(['control_reachable  0']);
    const cells = { get: () => ({ ...fleet.cell(0).cell, ...hanging }) };
    expect((await readWorkerMetrics({ ...context, cells }, [dataCenter.id], 50)).map(show)).toEqual([
      `cell_reachable ${dataCenter.id} 0`,
    ]);
  });
});

describe('listNotReady', () => {
  test('names what fails with its code, and what does not answer in time', async () => {
    const needs = [
      { what: 'queue', ask: async () => undefined },
      {
        what: 'control',
        ask: () => Promise.reject(new RolloutError('not_initialised', { message: 'no schema' })),
      },
      { what: 'eu', ask: () => new Promise(() => undefined) },
    ];
    expect(await listNotReady(systemClock, 50, needs)).toEqual([
      { what: 'control', code: 'not_initialised' },
      { what: 'eu', code: 'database_unreachable' },
    ]);
  });
});

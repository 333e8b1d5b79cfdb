// What a worker tells Prometheus of its cells. It has no way to control, so it knows of their runs only what their own
// rows say.
import { type Sample, sample, sampleQuarantine, sampleRun } from '../../domain/metrics/metric.js';
import { withTimeout } from '../../kernel/retry.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { countQuarantine, readProgress } from '../../stores/cell/batch/progress.js';
import { readWorkers } from '../../stores/cell/batch/workers.js';
import { readFeedState } from '../../stores/cell/feed/feed.js';
import type { WorkerContext } from '../context.js';

/** Answers within about `ms`: a cell that does not is one that cannot be reached. */
export async function readWorkerMetrics(
  context: WorkerContext,
  dataCenters: readonly string[],
  ms: number,
): Promise<readonly Sample[]> {
  const read = dataCenters.map(async (id) => {
    const known = await withTimeout(
      context.clock,
      ms,
      readCell(context, id).catch(() => undefined),
    );
    return [sample('cell_reachable', known !== undefined, { data_center: id }), ...(known ?? [])];
  });
  return (await Promise.all(read)).flat();
}

async function readCell(context: WorkerContext, id: string): Promise<readonly Sample[]> {
  return context.cells.get(id).inTransaction('worker', async (tx) => {
    const { runId } = await readFence(tx);
    const { failure } = await readFeedState(tx);
    const ofRun =
      runId === null
        ? []
        : [...sampleRun(id, await readProgress(tx, runId)), ...sampleQuarantine(id, await countQuarantine(tx, runId))];
    return [
      sample('workers_alive', (await readWorkers(tx)).alive, { data_center: id }),
      ...ofRun,
      ...(failure === null ? [] : [sample('feed_failing', true, { data_center: id, code: failure })]),
    ];
  });
}

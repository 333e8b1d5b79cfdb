// What compose makes from a configuration, from URLs alone: for suites, and for the processes that they start, which is
// why nothing of the test runner is imported here.
import { connectQueue, type QueueConnection } from '../../jobs/queue/connection.js';
import { createWakeUps } from '../../jobs/queue/wake-ups.js';
import type { EngineContext } from '../../src/engine/context.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { type CellDatabase, createCellDatabase } from '../../src/stores/cell/cell-database.js';
import { assertCellIdentity } from '../../src/stores/cell/identity.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { recordAs } from '../../src/stores/control/person.js';
import { noWakeUps } from './silent.js';

const ACTOR = 'tester';

export interface FleetUrls {
  readonly control: string;
  readonly cells: readonly { readonly id: string; readonly url: string }[];
  readonly queue: string | undefined;
}

/** What compose makes from a configuration, from URLs; everything opened is added to `opened`. */
export function openContext(urls: FleetUrls, log: Log, opened: Set<() => Promise<unknown>>): EngineContext {
  const cells = new Map(urls.cells.map(({ id, url }) => [id, openTestCell(url, id)]));
  for (const cell of cells.values()) opened.add(() => cell.close());
  const controlPool = openPostgres({ url: urls.control, applicationName: 'credit-rollout', max: 4 });
  const control = recordAs(createControlDatabase(controlPool), ACTOR);
  opened.add(() => control.close());
  const wakeUps = urls.queue === undefined ? noWakeUps : openWakeUps(connectQueue(urls.queue), log, opened);
  const get = (id: string) => {
    const cell = cells.get(id);
    if (cell === undefined) throw new Error(`no cell ${id}`);
    return cell;
  };
  return { cells: { get }, control, wakeUps, clock: systemClock, log, actor: ACTOR };
}

function openWakeUps(queue: QueueConnection, log: Log, opened: Set<() => Promise<unknown>>): EngineContext['wakeUps'] {
  const wakeUps = createWakeUps(queue, log);
  opened.add(() => Promise.race([wakeUps.close(), systemClock.sleep(2_000)]));
  return wakeUps;
}

/** A cell behind a URL as compose opens it; the caller closes it. */
export function openTestCell(url: string, dataCenter: string): CellDatabase {
  const onConnect: Parameters<typeof openPostgres>[0]['onConnect'] = (query) => assertCellIdentity(query, dataCenter);
  return createCellDatabase(openPostgres({ url, applicationName: 'credit-rollout', max: 4, onConnect }), dataCenter);
}

// The shape of what a process does again and again by itself, and what runs it. A run that fails is logged, and is due
// again after the usual time: a run that is lost costs time and nothing else.
import { errorCodeOf } from '../src/engine/database-errors.js';
import type { Clock } from '../src/kernel/clock.js';
import type { Log } from '../src/kernel/log.js';

export interface Service {
  /** For the log. */
  readonly name: string;
  /** From the end of one run to the beginning of the next, in ms. The first run begins at once. */
  readonly intervalMs: number;
  /** One run. May return the time until the next one, in ms; `intervalMs` when it returns nothing. */
  runOnce(stopping: AbortSignal): Promise<number | undefined>;
}

/**
 * Runs the services side by side until `stopping` aborts; resolves when the last run of each has ended. Never rejects.
 */
export async function runServices(
  services: readonly Service[],
  context: { readonly clock: Clock; readonly log: Log },
  stopping: AbortSignal,
): Promise<void> {
  await Promise.all(services.map((service) => runService(service, context, stopping)));
}

async function runService(
  { name, intervalMs, runOnce }: Service,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const pauseMs = await runOnce(stopping).catch((error: unknown) => {
      log.debug('service_failed', {
        service: name,
        code: errorCodeOf(error),
        name: (error as Error | undefined)?.name,
      });
      return undefined;
    });
    await clock.sleep(pauseMs ?? intervalMs, stopping);
  }
}

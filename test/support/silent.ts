// What tests use in place of a log and a queue: they take everything, and do nothing.
import type { WakeUps } from '../../src/engine/context.js';
import type { Log } from '../../src/kernel/log.js';

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/** Nobody is woken up: who needs a tick or a batch makes it. */
export const noWakeUps: WakeUps = {
  request: async () => undefined,
  enqueue: async () => undefined,
  wakeSchedulers: async () => undefined,
  deleteQueue: async () => undefined,
};

// A thread that asks a meter's Redis over and over, as a gateway does while it is drained, and says in the end how long
// the longest call waited, in ms.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/kernel/clock.js';
import { connectMeterRedis } from '../../src/stores/meter/redis-meter-store.js';

const PATIENT_MS = 10_000;

if (parentPort === null) throw new Error('this is a thread of drain.ts');
const redis = connectMeterRedis(String(workerData), { timeoutMs: PATIENT_MS });
await once(redis, 'ready');
const state = { ended: false };
parentPort.once('message', () => {
  state.ended = true;
});
parentPort.postMessage('ready');
let longestMs = 0;
while (!state.ended) {
  const began = performance.now();
  await redis.ping();
  longestMs = Math.max(longestMs, performance.now() - began);
  await systemClock.sleep(1);
}
redis.disconnect();
parentPort.postMessage(longestMs);

// A gateway in a process of its own, one of several that ask for more than there is: by the meter, and by
// rate-limiter-flexible. Says how many credits each granted it.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { callMeter, openLimiter, openMeterAt } from './meter-contenders.js';

export interface GrantingQuestion {
  readonly url: string;
  readonly limit: number;
  readonly prices: readonly number[];
}

export interface Granted {
  readonly D: number;
  readonly B: number;
}

if (process.send === undefined) throw new Error('this is a process of meter.ts');
const { url, limit, prices }: GrantingQuestion = (await once(process, 'message'))[0];
const gateway = await openMeterAt(url, () => BigInt(limit));
const redis = new Redis(url);
const limiter = await openLimiter(redis, limit);
const call = callMeter(gateway.meter);
process.send('ready');
await once(process, 'message');
const sums = { D: 0, B: 0 };
for (const price of prices) {
  if (await call('granted', price)) sums.D += price;
  await limiter.consume('granted', price).then(
    () => {
      sums.B += price;
    },
    () => undefined,
  );
}
await gateway.close();
redis.disconnect();
process.send(sums);
process.disconnect();

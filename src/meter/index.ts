// What a gateway imports: `import { createMeter } from 'credit-rollout/meter'`. Passes on, and has nothing of its own.
export type { Enforce, Enforcement } from '../domain/meter/decide-call.js';
export type { AnswerHeaders, RefusalBody } from '../domain/meter/describe-answer.js';
export type { CallPrice } from '../domain/meter/price-call.js';
export type { DayUsage } from '../domain/meter/usage.js';
export type { CallCosts } from '../domain/rate-card/call-costs.js';
export { parseRateCard } from '../domain/rate-card/parse-rate-card.js';
export { createMemoryMeterStore } from '../stores/meter/memory-meter-store.js';
export type { MeterStore } from '../stores/meter/meter-store.js';
export { connectMeterRedis, createRedisMeterStore } from '../stores/meter/redis-meter-store.js';
export type { Admission } from './admission.js';
export {
  createMeter,
  type Meter,
  type MeterCounts,
  type MeterEvent,
  type MeterOptions,
  type OrgDetails,
} from './create-meter.js';
export { type MeterPluginOptions, meterPlugin } from './fastify-plugin.js';
export type { CellLimits, ReadCapacity } from './limit-cache.js';
export type { MeteredCall } from './metered-call.js';

// Calendars at random: data centers in zones whose clocks change while they are simulated, with what may go wrong.
import fc from 'fast-check';
import type { WindowSpec } from '../../src/domain/windows/windows.js';
import type { Disturbance } from './disturb.js';
import type { Plan, PlannedDataCenter } from './simulate.js';

export const ZONES = [
  'Australia/Lord_Howe',
  'America/Santiago',
  'Africa/Cairo',
  'Asia/Beirut',
  'America/New_York',
  'Europe/Berlin',
  'Asia/Kolkata',
  'Pacific/Apia',
] as const;

/** A week before clocks change somewhere; the last one, before Apia skipped a day. */
const STARTS = [
  '2025-03-03',
  '2025-03-24',
  '2025-04-18',
  '2025-08-31',
  '2025-09-26',
  '2025-10-24',
  '2011-12-22',
] as const;

const DAYS = 12;
const HOURS = DAYS * 24;

const WINDOWS: readonly (readonly WindowSpec[])[] = [
  [],
  [{ from: '22:00', to: '05:00' }],
  [{ from: '12:00', to: '14:00', deny: true }],
];

const hour = fc.integer({ min: 0, max: HOURS });
const length = fc.integer({ min: 1, max: 72 });
const dc = fc.nat({ max: 2 });

const dataCenter: fc.Arbitrary<PlannedDataCenter> = fc.record({
  zone: fc.constantFrom(...ZONES),
  notBefore: fc.option(fc.integer({ min: -48, max: 96 }), { nil: null }),
  cutover: fc.option(fc.integer({ min: -24, max: HOURS }), { nil: null }),
  bakeHours: fc.constantFrom(0, 6, 30),
  windows: fc.constantFrom(...WINDOWS),
  skewMs: fc.integer({ min: -3_000, max: 3_000 }),
});

const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  fc.record({ kind: fc.constant('no_scheduler' as const), at: hour, hours: length }),
  fc.record({
    kind: fc.constantFrom('cell_down' as const, 'no_worker' as const, 'freeze' as const, 'pause' as const),
    dc,
    at: hour,
    hours: length,
  }),
  fc.record({ kind: fc.constant('postpone' as const), dc, at: hour, hours: fc.integer({ min: -48, max: 96 }) }),
  fc.record({ kind: fc.constantFrom('reopen' as const, 'apply' as const), dc, at: hour }),
  fc.record({ kind: fc.constant('reorder' as const), at: hour }),
  fc.record({
    kind: fc.constant('restarts' as const),
    at: hour,
    times: fc.integer({ min: 1, max: 60 }),
    polls: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('suspended' as const), at: hour, hours: length }),
);

export const arbitraryPlan: fc.Arbitrary<Plan> = fc.record({
  start: fc.constantFrom(...STARTS).map((date) => `${date}T00:00:00Z`),
  days: fc.constant(DAYS),
  nightAt: fc.constantFrom('00:15', '00:00', '02:15', '02:30', '01:30', '23:45'),
  pollMinutes: fc.constantFrom(180, 75, 40),
  pace: fc.constantFrom(40, 3, 1),
  dataCenters: fc.array(dataCenter, { minLength: 1, maxLength: 3 }),
  disturbances: fc.array(disturbance, { maxLength: 8 }),
});

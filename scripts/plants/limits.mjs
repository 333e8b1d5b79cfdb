// Bugs at a limit: what equals it passes or does not, and a number that was moved.
/** The one that has every limit notices as well, where a decision has no test of its own for it. */
const EVERY = 'test/domain/limits.test.ts';
const plant = (name, file, find, put, ...tests) => ({
  name: `limit: ${name}`,
  file,
  find,
  put,
  tests: file.startsWith('src/domain') ? [...tests, EVERY] : tests,
});
const RAILS = 'src/domain/plan/guard-rails.ts';
const RAILS_TEST = 'test/domain/plan/guard-rails.test.ts';
const CAPS = 'src/domain/reconcile/decide-caps.ts';
const CAPS_TEST = 'test/domain/reconcile/decide-caps.test.ts';
const THROTTLE = 'src/domain/checks/decide-throttle.ts';
const THROTTLE_TEST = 'test/domain/checks/decide-throttle.test.ts';
const READING = 'src/domain/checks/reading.ts';
const APPROVAL = 'src/domain/plan/decide-approval.ts';
const APPROVAL_TEST = 'test/domain/plan/decide-approval.test.ts';
const DELIVERY = 'src/domain/webhooks/decide-delivery.ts';
const DELIVERY_TEST = 'test/domain/webhooks/decide-delivery.test.ts';
const CALL = 'src/domain/meter/decide-call.ts';
const CALL_TEST = 'test/domain/meter/decide-call.test.ts';
const WRITES = 'src/stores/cell/batch/planned-writes.ts';
const SINCE = 'test/engine/plan/changed-since-plan.test.ts';
const CHECKS_TESTS = ['test/domain/checks/check-limit.test.ts', 'test/domain/checks/decide-throttle.test.ts'];

export const LIMITS = [
  plant('a rail of orgs refuses its own number', RAILS, 'passes: orgs <= max', 'passes: orgs < max', RAILS_TEST),
  plant(
    'quarantine counts from eleven orgs on',
    RAILS,
    'const MIN_QUARANTINED = 10;',
    'const MIN_QUARANTINED = 11;',
    RAILS_TEST,
  ),
  plant(
    'a factor at its limit is refused',
    'src/domain/plan/fraction.ts',
    'numerator * other.denominator > other',
    'numerator * other.denominator >= other',
    RAILS_TEST,
  ),
  plant(
    'a follow-up refuses the raise at its limit',
    WRITES,
    `<= \${rail('maxRaiseFactor')}`,
    `< \${rail('maxRaiseFactor')}`,
    SINCE,
  ),
  plant(
    'a follow-up refuses the floor at its limit',
    WRITES,
    `<= \${rail('floorOverPlan')}`,
    `< \${rail('floorOverPlan')}`,
    SINCE,
  ),
  plant('lapses at the limit are proposed', CAPS, 'lapses <= limits.lapsed', 'lapses < limits.lapsed', CAPS_TEST),
  plant('changes at the limit are proposed', CAPS, 'changed <= limits.changed', 'changed < limits.changed', CAPS_TEST),
  plant(
    'gone orgs at the limit are proposed',
    CAPS,
    `gone: gone <= limits.gone`,
    `gone: gone < limits.gone`,
    CAPS_TEST,
  ),
  plant(
    'gone orgs at the limit are given as a reason',
    CAPS,
    'exceeded: gone > limits.gone',
    'exceeded: gone >= limits.gone',
    CAPS_TEST,
  ),
  plant(
    'a tenth of the orgs may not change',
    CAPS,
    'share(allotments, 10, 100)',
    'share(allotments, 20, 100)',
    CAPS_TEST,
  ),
  plant('a share is rounded down', CAPS, 'Math.ceil(allotments / parts)', 'Math.floor(allotments / parts)', CAPS_TEST),
  plant('a check at its limit passes', READING, `use < 1 ? 'pass'`, `use <= 1 ? 'pass'`, ...CHECKS_TESTS),
  plant(
    'lanes are kept at the limit of a check',
    THROTTLE,
    'if (use >= HALF_FROM)',
    'if (use > HALF_FROM)',
    THROTTLE_TEST,
  ),
  plant('work goes on at twice the limit', THROTTLE, 'use >= ZERO_FROM', 'use > ZERO_FROM', THROTTLE_TEST),
  plant(
    'a step is not taken at 0.7',
    THROTTLE,
    'if (use >= STAYS_BELOW) return',
    'if (use > STAYS_BELOW) return',
    THROTTLE_TEST,
  ),
  plant(
    'lanes grow at 0.4',
    THROTTLE,
    'return use < GROWS_BELOW ? grown',
    'return use <= GROWS_BELOW ? grown',
    THROTTLE_TEST,
  ),
  plant(
    '0.7 is a good sample',
    THROTTLE,
    "use !== 'no_data' && use < STAYS_BELOW",
    "use !== 'no_data' && use <= STAYS_BELOW",
    THROTTLE_TEST,
  ),
  plant(
    '0.4 is calm',
    THROTTLE,
    "use !== 'no_data' && use < GROWS_BELOW",
    "use !== 'no_data' && use <= GROWS_BELOW",
    THROTTLE_TEST,
  ),
  plant('two good samples end a hold', THROTTLE, 'GOOD_SAMPLES = 3', 'GOOD_SAMPLES = 2', THROTTLE_TEST),
  plant(
    'lanes grow after more than 15 s',
    THROTTLE,
    'return passed >= (slowed',
    'return passed > (slowed',
    THROTTLE_TEST,
  ),
  plant(
    'a minute is forgotten',
    THROTTLE,
    'msSince(sampledAt, now) > FORGOTTEN_MS',
    'msSince(sampledAt, now) >= FORGOTTEN_MS',
    ...CHECKS_TESTS,
  ),
  plant(
    'a sample of 15 s gives no lane',
    THROTTLE,
    '> MAX_AGE_MS) return 0',
    '>= MAX_AGE_MS) return 0',
    ...CHECKS_TESTS,
  ),
  plant(
    'a reading of 15 s is none',
    READING,
    "> MAX_AGE_MS) return 'no_data'",
    "> MAX_AGE_MS - 1) return 'no_data'",
    ...CHECKS_TESTS,
  ),
  plant('an approval is valid at its end', APPROVAL, 'now < expiresAt', 'now <= expiresAt', APPROVAL_TEST),
  plant('an approval is not called expired at its end', APPROVAL, 'now >= expiresAt', 'now > expiresAt', APPROVAL_TEST),
  plant('a message of a day is not given up', DELIVERY, 'ageMs >= MOST_AGE_MS', 'ageMs > MOST_AGE_MS', DELIVERY_TEST),
  plant(
    'a message is refused four times',
    DELIVERY,
    'attempts + 1 >= MOST_REFUSALS',
    'attempts + 1 > MOST_REFUSALS',
    DELIVERY_TEST,
  ),
  plant(
    'the last credit of a day is refused',
    CALL,
    'sumUsed(state) + price > limit',
    'sumUsed(state) + price >= limit',
    CALL_TEST,
  ),
  plant(
    'one call more at once is let through',
    CALL,
    'state.inFlight >= (limits',
    'state.inFlight > (limits',
    CALL_TEST,
  ),
  plant(
    'the larger number of a day is not kept',
    CALL,
    'Math.max(state.capacity, limits.capacity)',
    'limits.capacity',
    CALL_TEST,
  ),
  plant(
    'the larger number of a day that was undone is not kept',
    CALL,
    'Math.max(limits.capacity, state.otherCapacity)',
    'limits.capacity',
    CALL_TEST,
  ),
];

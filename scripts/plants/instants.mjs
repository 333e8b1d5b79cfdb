// Bugs at the limits of runs, instants and paces: what equals one passes or does not.
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
const DECIDES = 'test/domain/rollout/decide-';
const RUN_TEST = `${DECIDES}run.test.ts`;
const START_TEST = `${DECIDES}start.test.ts`;
const GATE_TEST = `${DECIDES}gate.test.ts`;
const NIGHT_TEST = `${DECIDES}maintenance.test.ts`;
const UNDO_TEST = `${DECIDES}always.test.ts`;

export const INSTANTS = [
  plant(
    'the canary waits beyond its wait',
    'src/domain/rollout/decide-canary.ts',
    'if (waited >= dc.canaryWaitMs)',
    'if (waited > dc.canaryWaitMs)',
    'test/domain/rollout/decide-canary.test.ts',
  ),
  plant(
    'a bake lasts beyond its end',
    'src/domain/rollout/decide-rollout.ts',
    'snapshot.now < dc.bakeUntil',
    'snapshot.now <= dc.bakeUntil',
    RUN_TEST,
  ),
  plant(
    'it does not start at rollout.notBefore',
    'src/domain/rollout/decide-rollout.ts',
    'snapshot.now < dc.notBeforeAt',
    'snapshot.now <= dc.notBeforeAt',
    START_TEST,
  ),
  plant(
    'a follow-up up to orgsTouched is left out',
    'src/domain/rollout/decide-rollout.ts',
    'run.touched + run.staleLeft <= dc.orgsTouched',
    'run.touched + run.staleLeft < dc.orgsTouched',
    RUN_TEST,
  ),
  plant(
    'a follow-up beyond orgsTouched is made',
    'src/domain/rollout/decide-rollout.ts',
    'run.touched + run.staleLeft <= dc.orgsTouched',
    'run.staleLeft <= dc.orgsTouched',
    RUN_TEST,
  ),
  plant(
    'a gate is not latched at its instant',
    'src/domain/rollout/decide-gate.ts',
    'gate.effectiveAt <= now;',
    'gate.effectiveAt < now;',
    GATE_TEST,
  ),
  plant(
    'an undo goes on at the instant of the cut-over',
    'src/domain/rollout/decide-undo.ts',
    'latchedAt !== null || (effectiveAt !== null && effectiveAt <= now);',
    'latchedAt !== null || (effectiveAt !== null && effectiveAt < now);',
    UNDO_TEST,
  ),
  plant(
    'a failed night is retried at once',
    'src/domain/rollout/decide-maintenance.ts',
    'failedAt.getTime() >= REST_MS',
    'failedAt.getTime() > REST_MS',
    NIGHT_TEST,
  ),
  plant(
    'a cut-over moves to this very instant',
    'src/domain/cutover/cutover.ts',
    'if (at <= now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };\n  if (notBefore',
    'if (at < now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };\n  if (notBefore',
    'test/domain/cutover/cutover.test.ts',
  ),
  plant(
    'a window is closed as it opens',
    'src/domain/windows/windows.ts',
    'from <= instant && instant < to',
    'from < instant && instant < to',
    'test/domain/windows/windows.test.ts',
  ),
  plant(
    'a window is open as it closes',
    'src/domain/windows/windows.ts',
    'from <= instant && instant < to',
    'from <= instant && instant <= to',
    'test/domain/windows/windows.test.ts',
  ),
  plant(
    'a verification fails at a mismatch more',
    'src/domain/rollout/decide-rollout.ts',
    'if (run.mismatches > 0)',
    'if (run.mismatches > 1)',
    RUN_TEST,
  ),
  plant(
    'a pause of more than 30 days is set',
    'src/domain/rollout/pause-end.ts',
    'MAX_PAUSE_MS = 30 * DAY_MS',
    'MAX_PAUSE_MS = 31 * DAY_MS',
    'test/domain/rollout/pause-end.test.ts',
  ),
  plant(
    'a pause ends at once',
    'src/domain/rollout/pause-end.ts',
    'if (ms <= 0)',
    'if (ms < 0)',
    'test/domain/rollout/pause-end.test.ts',
  ),
  plant(
    'a pause lasts beyond its end',
    'src/domain/rollout/decision.ts',
    'pause.until <= now',
    'pause.until < now',
    RUN_TEST,
  ),
  plant(
    'work stalls at two minutes',
    'src/domain/rollout/decision.ts',
    'idleMs > STALLED_MS',
    'idleMs >= STALLED_MS',
    RUN_TEST,
  ),
  plant(
    'one in quarantine more than planned passes',
    RAILS,
    'found.quarantined > planned &&',
    'found.quarantined > planned + 1 &&',
    RAILS_TEST,
  ),
  plant(
    'an import of a hundred orgs is a crowd',
    'src/domain/feed/sort-edits.ts',
    '> CROWD',
    '>= CROWD',
    'test/domain/feed/sort-edits.test.ts',
  ),
  plant(
    'a page grows after 150 ms',
    'src/domain/feed/decide-pace.ts',
    'tookMs < QUICK_MS',
    'tookMs <= QUICK_MS',
    'test/domain/feed/decide-pace.test.ts',
  ),
  plant(
    'a page shrinks after 500 ms',
    'src/domain/feed/decide-pace.ts',
    'tookMs > SLOW_MS',
    'tookMs >= SLOW_MS',
    'test/domain/feed/decide-pace.test.ts',
  ),
  plant(
    'a sign-up that waits for ten seconds is shown',
    'src/domain/cutover/sign-up-writing.ts',
    'oldestMs > SECONDS_MS',
    'oldestMs >= SECONDS_MS',
    'test/domain/cutover/cutover.test.ts',
  ),
  plant(
    'the source rests after 250 ms',
    'src/domain/cutover/sign-up-writing.ts',
    'readMs <= QUICK_MS',
    'readMs < QUICK_MS',
    'test/domain/cutover/cutover.test.ts',
  ),
];

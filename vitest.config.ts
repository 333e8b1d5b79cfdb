import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { readEnvironment } from './src/platform/environment.js';
import { LongestFirst } from './test/support/longest-first.js';
import { Progress } from './test/support/progress.js';

/** A file for the results as JSON, beside what is printed. */
const report = readEnvironment('CREDIT_ROLLOUT_TEST_REPORT');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new Progress(), ...(report === undefined ? [] : ['json'])],
    ...(report !== undefined && { outputFile: { json: report } }),
    // nothing waits for long on a calm machine; on a busy one everything may take ten times as long
    testTimeout: 240_000,
    hookTimeout: 240_000,
    slowTestThreshold: 10_000,
    // a test that expects nothing cannot fail
    expect: { requireAssertions: true },
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // most of what tests make is dropped at once: with four times the usual room, from the beginning, less is copied
    execArgv: ['--max-semi-space-size=64', '--min-semi-space-size=64'],
    // two more than there are cores, since many tests wait; the server's connections are enough for four
    maxWorkers: Math.min(4, availableParallelism() + 2),
    // the modules of src are loaded once per worker, not once per file
    isolate: false,
  },
});

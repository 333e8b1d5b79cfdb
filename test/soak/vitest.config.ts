// The configuration of `npm run soak`: one file, which is no suite of `npm test`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/soak/soak.run.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 0,
    hookTimeout: 0,
    pool: 'forks',
    maxWorkers: 1,
  },
});

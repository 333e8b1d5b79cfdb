// A scheduler's heartbeat in every cell. Runs every 10 s in a scheduler, apart from the ticks, so that a cell that
// does not answer delays no step.
import type { EngineContext } from '../src/engine/context.js';
import { reportSchedulerLogin } from '../src/engine/scheduler/report-login.js';
import type { Service } from './service.js';

export const reportLoginService = (context: EngineContext): Service => ({
  name: 'report_login',
  intervalMs: 10_000,
  runOnce: async () => {
    await reportSchedulerLogin(context);
    return undefined;
  },
});

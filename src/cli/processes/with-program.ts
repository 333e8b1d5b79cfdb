// Opens what a command works with and closes it afterwards, whatever happened. The policy of control takes the place of
// the configuration's own settings; where the two differ, a command is refused or warns.
import { type ComposeOptions, compose, composeEmbedded, type Program } from '../../compose.js';
import { findConfigDrift } from '../../engine/cutover/pinned-instants.js';
import type { PolicyDifference } from '../../engine/settings/compare-policy.js';
import { compareConfig, describeDifference, rejectOtherPolicy } from '../../engine/settings/compare-policy.js';
import { systemClock } from '../../kernel/clock.js';
import { withTimeout } from '../../kernel/retry.js';
import type { CliSession } from '../terminal/session.js';

export interface ProgramOptions {
  readonly cellConnections?: ComposeOptions['cellConnections'];
  /** `embedded`: never reads a configuration. */
  readonly from?: 'config' | 'embedded';
  /**
   * What happens where the configuration differs from the policy. `refused` where left out. `warned`: for what stops or
   * only shows something; the policy counts. `reported`: the command shows the differences itself. `kept`: it gets the
   * configuration as it is. `unchecked`: for what has nothing to do with control.
   */
  readonly policy?: 'refused' | 'warned' | 'reported' | 'kept' | 'unchecked';
}

/** How long reading the policy and the pinned instants may delay a command, in ms. */
const CHECK_MS = 2_000;
const CLOSE_MS = 4_000;

export async function withProgram(
  session: CliSession,
  options: ProgramOptions,
  use: (program: Program, differences: readonly PolicyDifference[]) => Promise<number>,
): Promise<number> {
  const { cellConnections, from = 'config', policy = 'refused' } = options;
  const given = { configPath: session.options.config, ...(cellConnections && { cellConnections }) };
  const program = await (from === 'embedded' ? composeEmbedded(given) : compose(given));
  try {
    if (policy === 'unchecked') return await use(program, []);
    const { config, differences } = await readPolicy(program);
    if (policy === 'refused') rejectOtherPolicy(differences);
    if (policy === 'warned')
      for (const difference of differences) session.warn(`${describeDifference(difference)} The policy counts.`);
    const chosen = { ...program, config };
    await warnOfDrift(session, program);
    return await use(policy === 'kept' ? program : chosen, differences);
  } finally {
    await withTimeout(systemClock, CLOSE_MS, program.close());
  }
}

/** A control database that cannot be asked is the command's own failure to report, and a new one has no policy. */
async function readPolicy({ engine, config }: Program): ReturnType<typeof compareConfig> {
  const compared = compareConfig(engine, config).catch(() => undefined);
  return (await withTimeout(systemClock, CHECK_MS, compared)) ?? { config, differences: [] };
}

async function warnOfDrift(session: CliSession, program: Program): Promise<void> {
  const found = findConfigDrift(program.engine, program.config).catch(() => []);
  for (const sentence of (await withTimeout(systemClock, CHECK_MS, found)) ?? []) session.warn(sentence);
}

// Opens what a command works with and closes it afterwards, whatever happened. The policy of control takes the place of
// the configuration's own settings; where the two differ, a command is refused or warns.
import { type ComposeOptions, compose, composeEmbedded, type Program } from '../../compose.js';
import { findConfigDrift } from '../../engine/cutover/pinned-instants.js';
import { explainFailure } from '../../engine/database-errors.js';
import { guardCells } from '../../engine/reject-left-behind.js';
import type { PolicyDifference } from '../../engine/settings/compare-policy.js';
import { compareConfig, describeDifference, rejectOtherPolicy } from '../../engine/settings/compare-policy.js';
import { systemClock } from '../../kernel/clock.js';
import { toPrintable } from '../../kernel/printable.js';
import { withTimeout } from '../../kernel/retry.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';

export interface ProgramOptions {
  readonly cellConnections?: ComposeOptions['cellConnections'];
  /** `embedded`: never reads a configuration. */
  readonly from?: 'config' | 'embedded';
  /**
   * What happens where the configuration differs from the policy. `refused` where left out, also where control fails to
   * say it. `warned`: for what stops or only shows something; the policy applies. `reported`: the command shows the
   * differences itself. `kept`: it gets the configuration as it is. `unchecked`: for what has nothing to do with
   * control.
   */
  readonly policy?: 'refused' | 'warned' | 'reported' | 'kept' | 'unchecked';
  /** `origin`, where left out: begins with the line that says which configuration and which databases it uses. */
  readonly says?: 'origin' | 'nothing';
  /** A cell that was left behind when it moved is `refused` where left out; `shown`: the command says it itself. */
  readonly leftBehind?: 'refused' | 'shown';
  /** How long reading the policy and the pinned instants may delay the command, in ms; 2,000 where left out. */
  readonly checkMs?: number;
  /** How long the end of its connections may, in ms; 4,000 where left out. */
  readonly closeMs?: number;
}

const CHECK_MS = 2_000;
const CLOSE_MS = 4_000;

export async function withProgram(
  session: CliSession,
  options: ProgramOptions,
  use: (program: Program, differences: readonly PolicyDifference[], checkedMs: number) => Promise<number>,
): Promise<number> {
  const { cellConnections, from = 'config', policy = 'refused', says = 'origin' } = options;
  const { checkMs = CHECK_MS, closeMs = CLOSE_MS } = options;
  const given = { configPath: session.options.config, ...(cellConnections && { cellConnections }) };
  const composed = await (from === 'embedded' ? composeEmbedded(given) : compose(given));
  const program = options.leftBehind === 'shown' ? composed : guardProgram(composed);
  if (says === 'origin' && !session.options.json) session.printError(`Using ${toPrintable(program.origin)}`);
  try {
    if (policy === 'unchecked') return await use(program, [], 0);
    const began = performance.now();
    const checkedMs = (): number => performance.now() - began;
    const { config, differences } = await (policy === 'refused'
      ? readPolicyWherePossible(program)
      : tryReadPolicy(program, checkMs));
    if (policy === 'refused') rejectOtherPolicy(differences);
    if (policy === 'warned')
      for (const difference of differences) session.warn(`${describeDifference(difference)} The policy applies.`);
    const chosen = { ...program, config };
    await warnOfDrift(session, program, checkMs - checkedMs());
    return await use(policy === 'kept' ? program : chosen, differences, checkedMs());
  } finally {
    await withTimeout(systemClock, closeMs, program.close());
  }
}

/** What a person's command reads and writes; processes look at their cells themselves. */
const guardProgram = (program: Program): Program => ({
  ...program,
  engine: { ...program.engine, cells: guardCells(program.engine) },
});

/**
 * Where there is no control database, or none yet, the command says so itself; where it only failed to answer, it could
 * answer the next question, and the policy would not have been compared.
 */
async function readPolicyWherePossible({ engine, config }: Program): ReturnType<typeof compareConfig> {
  try {
    return await compareConfig(engine, config);
  } catch (error) {
    const explained = explainFailure(error);
    if (isRolloutError(explained, 'database_unreachable') || isRolloutError(explained, 'not_initialised'))
      return { config, differences: [] };
    throw error;
  }
}

/** A control database that cannot be asked is the command's own failure to report, and a new one has no policy. */
async function tryReadPolicy({ engine, config }: Program, withinMs: number): ReturnType<typeof compareConfig> {
  const compared = compareConfig(engine, config).catch(() => undefined);
  return (await withTimeout(systemClock, withinMs, compared)) ?? { config, differences: [] };
}

async function warnOfDrift(session: CliSession, program: Program, withinMs: number): Promise<void> {
  if (withinMs <= 0) return;
  const found = findConfigDrift(program.engine, program.config).catch(() => []);
  for (const sentence of (await withTimeout(systemClock, withinMs, found)) ?? []) session.warn(sentence);
}

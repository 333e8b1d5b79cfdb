// Opens what a command works with and closes it afterwards, whatever happened. Warns where the configuration differs
// from what the first apply pinned.
import { type ComposeOptions, compose, composeEmbedded, type Program } from '../../compose.js';
import { findConfigDrift } from '../../engine/cutover/pinned-instants.js';
import { systemClock } from '../../kernel/clock.js';
import { withTimeout } from '../../kernel/retry.js';
import type { CliSession } from '../terminal/session.js';

export interface ProgramOptions {
  readonly cellConnections?: ComposeOptions['cellConnections'];
  /** `embedded`: never reads a configuration. */
  readonly from?: 'config' | 'embedded';
  /** `unchecked`: for processes that have nothing to do with control. */
  readonly drift?: 'checked' | 'unchecked';
}

/** How long reading the pinned instants may delay a command, in ms. */
const DRIFT_MS = 2_000;
const CLOSE_MS = 4_000;

export async function withProgram(
  session: CliSession,
  options: ProgramOptions,
  use: (program: Program) => Promise<number>,
): Promise<number> {
  const { cellConnections, from = 'config', drift = 'checked' } = options;
  const given = { configPath: session.options.config, ...(cellConnections && { cellConnections }) };
  const program = await (from === 'embedded' ? composeEmbedded(given) : compose(given));
  try {
    if (drift === 'checked') await warnOfDrift(session, program);
    return await use(program);
  } finally {
    await withTimeout(systemClock, CLOSE_MS, program.close());
  }
}

async function warnOfDrift(session: CliSession, program: Program): Promise<void> {
  // a control database that cannot be asked is the command's own failure to report
  const found = findConfigDrift(program.engine, program.config).catch(() => []);
  for (const sentence of (await withTimeout(systemClock, DRIFT_MS, found)) ?? []) session.warn(sentence);
}

// Follows a rollout on the terminal: live lines, Ctrl-C, and its outcome.

import type { Program } from '../../compose.js';
import { type FollowOptions, type FollowOutcome, followRollout } from '../../engine/operate/follow-rollout.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import type { StopSignal } from '../terminal/io.js';
import { createLiveArea } from '../terminal/live-area.js';
import type { CliSession } from '../terminal/session.js';
import { showProgress } from '../views/show-progress.js';

export type WatchOutcome =
  | Exclude<FollowOutcome, { kind: 'interrupted' }>
  | { readonly kind: 'stopped'; readonly signal: StopSignal };

/** Shows every change of the data centers until the rollout ends, is held, or a signal comes. */
export async function watchRollout(
  session: CliSession,
  program: Program,
  options: Pick<FollowOptions, 'dataCenters' | 'whenPaused'> & { readonly interruption: Interruption },
): Promise<WatchOutcome> {
  const { interruption, ...followed } = options;
  const area = createLiveArea(session, () => performance.now());
  const { paint } = session;
  const outcome = await followRollout(program.engine, {
    ...followed,
    signal: interruption.signal,
    onStatus: (status) => {
      if (session.options.json) return;
      // the last column of a terminal stays free
      const view = { paint, width: session.width() - 1 };
      const lines = showProgress(withPrintableTexts(status), options.dataCenters, view);
      const key = status.dataCenters.map((dc) => `${dc.stage} ${dc.state} ${dc.holds[0]?.code}`).join();
      area.draw(lines, key);
    },
  });
  return outcome.kind === 'interrupted' ? { kind: 'stopped', signal: interruption.received() } : outcome;
}

/** Ctrl-C and SIGTERM as an AbortSignal, for as long as it is open. */
export interface Interruption {
  readonly signal: AbortSignal;
  received(): StopSignal;
  close(): void;
}

export function listenForInterruption(session: CliSession): Interruption {
  const stopping = new AbortController();
  let received: StopSignal = 'SIGTERM';
  const close = session.io.onStop((signal) => {
    received = signal;
    stopping.abort();
  });
  return { signal: stopping.signal, received: () => received, close };
}

/** What a shell expects of a command that a signal ended. */
export const signalExitCode = (signal: StopSignal): number => (signal === 'SIGINT' ? 130 : 143);

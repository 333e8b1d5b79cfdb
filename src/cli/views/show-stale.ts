// Orgs that a run left out, since they changed after its plan: how many, why, since when, and what moves them on.
import type { DataCenterStatus } from '../../engine/operate/read-status.js';
import { type CommandText, command } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showInstant, showOrgs } from '../terminal/numbers.js';

/** The rest of a sentence. `at`: when the follow-up was skipped. */
export const describeReplaced = (at: Date, zone: string): string =>
  'a view of the source, or a function that it calls, was replaced after the plan was made ' +
  `(found ${showInstant(at, zone)}), and nobody approved what it gives now`;

export const planningOf = (dataCenter: string): CommandText => command`plan --dc ${dataCenter}`;

const OVER: readonly DataCenterStatus['stage'][] = ['done', 'baking', 'failed', 'aborted'];

/** Nothing while the run may still write them. */
export function listStale(
  { id, zone, stage, progress }: Pick<DataCenterStatus, 'id' | 'zone' | 'stage' | 'progress'>,
  commands: CommandNames,
): readonly string[] {
  if (progress === null || progress.stale === 0) return [];
  const { stale, followUpSkippedAt, followedUp } = progress;
  if (followUpSkippedAt === null && !OVER.includes(stage)) return [];
  const why =
    followUpSkippedAt !== null
      ? describeReplaced(followUpSkippedAt, zone)
      : followedUp
        ? 'what they would get now is outside the guard-rails, or they changed once more'
        : 'there are more of them than the guard-rails of the plan allow';
  const rest = stage === 'done' ? '; a nightly run writes of them what its limits allow' : '';
  return [
    `${showOrgs(stale)} changed after the plan and ${stale === 1 ? 'was' : 'were'} not written: ${why}; ` +
      `to write them: ${commands.show(planningOf(id))}, and apply it${rest}`,
  ];
}

// A status as the JSON document that docs/json.md describes: SQL column names, commands as this user runs them.
import type { DataCenterStatus, Status } from '../../engine/operate/read-status.js';
import type { CommandNames } from '../terminal/command-names.js';

export function statusDocument(status: Status, commands: CommandNames): Readonly<Record<string, unknown>> {
  const { card, dataCenters, ...rest } = status;
  return { ...rest, cardHash: card, dataCenters: dataCenters.map((dc) => toDocument(dc, commands)) };
}

function toDocument(dc: DataCenterStatus, commands: CommandNames): Readonly<Record<string, unknown>> {
  const { holds, progress, next, ...rest } = dc;
  const { recent: _, ...counts } = progress ?? { recent: [] };
  return {
    ...rest,
    holds: holds.map(({ limit, release, ...hold }) => ({
      ...hold,
      limitValue: limit,
      release: commands.rewrite(release),
    })),
    progress: progress === null ? null : counts,
    next: next === null ? null : commands.rewrite(next),
  };
}

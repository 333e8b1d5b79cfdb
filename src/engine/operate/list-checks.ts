// What `status` shows of the checks that hold writes in a cell: each as it was read last. Reads nothing itself.
import { judgeReading, type Standing, showCheckLimit, showReading } from '../../domain/checks/reading.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';

export interface CheckStatus {
  readonly name: string;
  readonly standing: Standing;
  /** In ms for a time; of true and false 0 and 2; null: it could not be read. */
  readonly value: number | null;
  readonly limit: number | null;
  /** Code of why it could not be read. */
  readonly error: string | null;
  readonly sampledAt: Date | null;
  /** For people. */
  readonly shown: string;
}

export function listChecks({ cell }: DataCenterSnapshot): readonly CheckStatus[] {
  const checks = cell?.kind === 'read' ? cell.checks : undefined;
  return (checks?.readings ?? []).map((reading) => ({
    name: reading.check.name,
    standing: judgeReading(reading, checks?.now ?? new Date(0)),
    value: reading.value,
    limit: reading.check.limit,
    error: reading.error,
    sampledAt: reading.sampledAt,
    shown: `${showReading(reading)} of ${showCheckLimit(reading.check)}`,
  }));
}
